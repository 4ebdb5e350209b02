package app

import (
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
	a.render(c, http.StatusOK, "delete", forms.New(&deleteForm{user: current(c).User}), nil)
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
	if !a.checkCurrentPassword(c, "delete", form, nil, in.CurrentPassword) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "delete", form, nil)
		return
	}
	if err := a.db.DeleteUser(c.Request.Context(), user); err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventDeleted, user)
	a.clearSessionCookie(c)
	a.flash(c, "deleted")
	a.redirect(c, "/")
}
