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

func (a *App) showEmail(c *gin.Context) {
	a.render(c, http.StatusOK, "email", forms.New(&emailForm{user: current(c).User}), nil)
}

// changeEmail mails a link to the new address; the old one stays until the link
// is used.
func (a *App) changeEmail(c *gin.Context) {
	user := current(c).User
	in := &emailForm{user: user}
	form := forms.New(in)
	if !a.bind(c, form) {
		return
	}
	if !a.checkCurrentPassword(c, "email", form, nil, in.CurrentPassword) {
		return
	}
	if form.Valid() { // who is who, only somebody with the password may ask
		if a.throttled(c, "email", form, nil, a.checks(c)) {
			return
		}
		if err := a.failTaken(c, form); err != nil {
			a.error(c, err)
			return
		}
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "email", form, nil)
		return
	}
	tries := []try{byAddress(c, "mail", a.config.LimitSignUp), {"mail to " + models.Key(in.Email), a.config.LimitMail}}
	if a.throttled(c, "email", form, nil, tries...) {
		return
	}
	if err := a.db.RequestEmail(c.Request.Context(), user, in.Email); err != nil {
		a.untried(c, tries...)
		a.error(c, err)
		return
	}
	a.record(c, models.EventEmailRequested, user)
	a.render(c, http.StatusOK, "email", form, in.Email)
}
