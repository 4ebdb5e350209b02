package account

import (
	"net/http"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/auth/mailed"
	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
)

func newEmail(user *models.User) *view.Email {
	form := forms.New(new(view.Email))
	form.CheckURL = "/account/email/check"
	form.Check = func() {
		if text.EmailKey(form.Email) == user.EmailKey {
			form.Fail("email", "This is already your email address.")
		}
	}
	return form
}

// ShowEmail shows the address that waits for its confirmation, or else the form that
// changes the user's email address.
func (h Handlers) ShowEmail(c *gin.Context) error {
	pending, err := h.DB.PendingEmail(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	if pending != "" && !c.Request.URL.Query().Has("another") {
		return h.renderEmailContent(c, http.StatusOK, view.EmailPending(pending, mailed.NewVerifyEmailCode(models.ChangeEmail)))
	}
	return h.renderEmail(c, http.StatusOK, newEmail(web.Current(c).User))
}

func (h Handlers) renderEmail(c *gin.Context, status int, form *view.Email) error {
	if err := h.auth().FillIdentity(c, &form.Identity); err != nil {
		return err
	}
	return h.renderEmailContent(c, status, view.EmailForm(web.Current(c).User, form))
}

func (h Handlers) renderEmailContent(c *gin.Context, status int, content templ.Component) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.EmailPage(f, content), content)
}

// changeAttempts are counted when a link is mailed to the user's new address.
func (h Handlers) changeAttempts(c *gin.Context, email string) []web.Attempt {
	user := web.Current(c).User
	return []web.Attempt{web.PerIP(c, "mail", h.Config.LimitSignUp), web.NewAttempt("mail to "+text.MailboxKey(email)+" by "+user.ID.String(), h.Config.LimitMail)}
}

// ChangeEmail mails a link to the new address. The old one stays until the link is used.
func (h Handlers) ChangeEmail(c *gin.Context) error {
	user := web.Current(c).User
	form := newEmail(user)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if limited, err := h.Limited(c, &form.Form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.renderEmail(c, http.StatusTooManyRequests, form)
	}
	if err := h.auth().FailUnavailable(c, &form.Form); err != nil {
		return err
	}
	if limited, err := h.auth().CheckIdentity(c, &form.Form, &form.Identity); err != nil {
		return err
	} else if limited {
		return h.renderEmail(c, http.StatusTooManyRequests, form)
	}
	if !form.Valid() {
		return h.renderEmail(c, http.StatusUnprocessableEntity, form)
	}
	attempts := h.changeAttempts(c, form.Email)
	if limited, err := h.Limited(c, &form.Form, attempts...); err != nil {
		return err
	} else if limited {
		return h.renderEmail(c, http.StatusTooManyRequests, form)
	}
	err := h.AuditedDetail(c, models.EventEmailRequested, user, &models.EventDetail{Email: form.Email}, func(tx *models.DB) error {
		return tx.RequestEmail(c.Request.Context(), user, form.Email)
	})
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	return h.renderEmailContent(c, http.StatusOK, view.EmailSent(form.Email, mailed.NewVerifyEmailCode(models.ChangeEmail)))
}

// ResendEmail mails the link to the new address again.
func (h Handlers) ResendEmail(c *gin.Context) error {
	user := web.Current(c).User
	pending, err := h.DB.PendingEmail(c.Request.Context(), user)
	if err != nil {
		return err
	}
	if pending == "" {
		return models.ErrChanged
	}
	attempts := h.changeAttempts(c, pending)
	if err := h.Attempt(c, attempts...); err != nil {
		return err
	}
	err = h.AuditedDetail(c, models.EventEmailRequested, user, &models.EventDetail{Email: pending}, func(tx *models.DB) error {
		return tx.ResendEmail(c.Request.Context(), user, pending)
	})
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	return h.RespondToast(c, http.StatusOK, "link-sent", "/account/email")
}

// CancelEmail voids the link to the new address.
func (h Handlers) CancelEmail(c *gin.Context) error {
	user := web.Current(c).User
	detail := new(models.EventDetail)
	err := h.AuditedDetail(c, models.EventEmailCanceled, user, detail, func(tx *models.DB) (err error) {
		if detail.Email, err = tx.PendingEmail(c.Request.Context(), user); err != nil {
			return err
		}
		return tx.CancelEmail(c.Request.Context(), user)
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "email-canceled", "/account/email")
}

// CheckEmail checks one field as the user leaves it.
func (h Handlers) CheckEmail(c *gin.Context) error {
	return h.auth().CheckTaken(c, &newEmail(web.Current(c).User).Form)
}
