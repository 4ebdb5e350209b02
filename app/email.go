package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
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

func (a *App) showEmail(c *gin.Context) {
	_, form := newEmailForm(current(c).User)
	a.render(c, http.StatusOK, "email", form, nil)
}

// changeEmail mails a link to the new address; the old one stays until the link
// is used.
func (a *App) changeEmail(c *gin.Context) {
	user := current(c).User
	in, form := newEmailForm(user)
	if !a.bind(c, form) {
		return
	}
	if a.limited(c, "email", form, nil, a.enumerationLimit(c)) {
		return
	}
	if err := a.failTaken(c, form); err != nil {
		a.error(c, err)
		return
	}
	if !a.checkCurrentPassword(c, "email", form, nil, in.CurrentPassword) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "email", form, nil)
		return
	}
	tries := []attempt{perIP(c, "mail", a.config.LimitSignUp), {"mail to " + models.Key(in.Email), a.config.LimitMail}}
	if a.limited(c, "email", form, nil, tries...) {
		return
	}
	if err := a.db.RequestEmail(c.Request.Context(), user, in.Email); err != nil {
		a.refund(c, tries...)
		a.error(c, err)
		return
	}
	a.record(c, models.EventEmailRequested, user)
	a.render(c, http.StatusOK, "email", form, in.Email)
}

// checkEmail checks one field as the person leaves it.
func (a *App) checkEmail(c *gin.Context) {
	_, form := newEmailForm(current(c).User)
	a.checkTaken(c, "email", form)
}
