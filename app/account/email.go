package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

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

// ShowEmail shows the form that changes the user's email address.
func (h Handlers) ShowEmail(c *gin.Context) error {
	return h.renderEmail(c, http.StatusOK, newEmail(web.Current(c).User))
}

func (h Handlers) renderEmail(c *gin.Context, status int, form *view.Email) error {
	f := h.Frame(c, status)
	fragment := view.EmailForm(f, form)
	return web.Render(c, f, view.EmailPage(f, fragment), fragment)
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
	if err := h.auth().FailTaken(c, &form.Form); err != nil {
		return err
	}
	if limited, err := h.auth().CheckCurrentPassword(c, &form.Form, form.CurrentPassword); err != nil {
		return err
	} else if limited {
		return h.renderEmail(c, http.StatusTooManyRequests, form)
	}
	if !form.Valid() {
		return h.renderEmail(c, http.StatusUnprocessableEntity, form)
	}
	attempts := []web.Attempt{web.PerIP(c, "mail", h.Config.LimitSignUp), web.NewAttempt("mail to "+text.MailboxKey(form.Email)+" by "+user.ID.String(), h.Config.LimitMail)}
	if limited, err := h.Limited(c, &form.Form, attempts...); err != nil {
		return err
	} else if limited {
		return h.renderEmail(c, http.StatusTooManyRequests, form)
	}
	err := h.Audited(c, models.EventEmailRequested, user, func(tx *models.DB) error {
		return tx.RequestEmail(c.Request.Context(), user, form.Email)
	})
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	f := h.Frame(c, http.StatusOK)
	sent := view.EmailSent(form.Email)
	return web.Render(c, f, view.EmailPage(f, sent), sent)
}

// CheckEmail checks one field as the user leaves it.
func (h Handlers) CheckEmail(c *gin.Context) error {
	return h.auth().CheckTaken(c, &newEmail(web.Current(c).User).Form)
}
