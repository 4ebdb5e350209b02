package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type emailForm struct {
	Email           string `form:"email" label:"New e-mail" noun:"your new e-mail" type:"email" autocomplete:"email" validate:"required,max=254,address"`
	CurrentPassword string `form:"current_password" label:"Current password" noun:"your current password" type:"password" autocomplete:"current-password" validate:"required"`

	user *models.User
}

// Check refuses the address that the person has already.
func (in *emailForm) Check(f *forms.Form) {
	if models.Key(in.Email) == in.user.EmailKey {
		f.Fail("email", "This is your e-mail already.")
	}
}

func newEmailForm(u *models.User) (*emailForm, *forms.Form) {
	in := &emailForm{user: u}
	form := forms.New(in)
	form.CheckURL = "/account/email/check"
	return in, form
}

func (h Handlers) ShowEmail(c *gin.Context) error {
	_, form := newEmailForm(web.Current(c).User)
	return h.Render(c, http.StatusOK, "email", form, nil)
}

// ChangeEmail mails a link to the new address; the old one stays until the link
// is used.
func (h Handlers) ChangeEmail(c *gin.Context) error {
	user := web.Current(c).User
	in, form := newEmailForm(user)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if limited, err := h.Limited(c, form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "email", form, nil)
	}
	if err := h.auth().FailTaken(c, form); err != nil {
		return err
	}
	if limited, err := h.auth().CheckCurrentPassword(c, form, in.CurrentPassword); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "email", form, nil)
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "email", form, nil)
	}
	tries := []web.Attempt{web.PerIP(c, "mail", h.Config.LimitSignUp), web.NewAttempt("mail to "+models.Key(in.Email), h.Config.LimitMail)}
	if limited, err := h.Limited(c, form, tries...); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "email", form, nil)
	}
	if err := h.DB.RequestEmail(c.Request.Context(), user, in.Email); err != nil {
		h.Refund(c, tries...)
		return err
	}
	h.Record(c, models.EventEmailRequested, user)
	return h.Render(c, http.StatusOK, "email", form, in.Email)
}

// CheckEmail checks one field as the person leaves it.
func (h Handlers) CheckEmail(c *gin.Context) error {
	_, form := newEmailForm(web.Current(c).User)
	return h.auth().CheckTaken(c, "email", form)
}
