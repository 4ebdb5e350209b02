package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type deleteForm struct {
	Username        string `form:"username" label:"Type your username" noun:"your username" autocomplete:"off" validate:"required"`
	CurrentPassword string `form:"current_password" label:"Current password" noun:"your current password" type:"password" autocomplete:"current-password" validate:"required"`

	user *models.User
}

// Check wants the person to be sure.
func (in *deleteForm) Check(f *forms.Form) {
	if models.Key(in.Username) != in.user.UsernameKey {
		f.Fail("username", "This is not your username.")
	}
}

func (a *App) showDelete(c *gin.Context) {
	fates, err := a.db.OwnedOrganizations(c.Request.Context(), current(c).User)
	if err != nil {
		a.error(c, err)
		return
	}
	a.render(c, http.StatusOK, "delete", forms.New(&deleteForm{user: current(c).User}), fates)
}

// deleteAccount removes the person and, by the foreign keys, all that hangs on
// them.
func (a *App) deleteAccount(c *gin.Context) {
	user := current(c).User
	in := &deleteForm{user: user}
	form := forms.New(in)
	if !a.bind(c, form) {
		return
	}
	fates, err := a.db.OwnedOrganizations(c.Request.Context(), user)
	if err != nil {
		a.error(c, err)
		return
	}
	if !a.checkCurrentPassword(c, "delete", form, fates, in.CurrentPassword) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "delete", form, fates)
		return
	}
	err = a.db.DeleteUser(c.Request.Context(), user)
	if last := new(models.LastOwnerError); errors.As(err, &last) {
		form.Error = "You are the last owner of " + last.Organization.Name + ", which has other members. Make one of them its owner, or delete it first."
		a.render(c, http.StatusConflict, "delete", form, fates)
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventDeleted, user)
	a.clearSessionCookie(c)
	a.flash(c, "deleted")
	a.redirect(c, "/")
}
