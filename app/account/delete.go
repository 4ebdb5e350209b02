package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
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

func (h Handlers) ShowDelete(c *gin.Context) error {
	fates, err := h.DB.OwnedOrganizations(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	return h.Render(c, http.StatusOK, "delete", forms.New(&deleteForm{user: web.Current(c).User}), fates)
}

// DeleteAccount removes the person and, by the foreign keys, all that hangs on
// them.
func (h Handlers) DeleteAccount(c *gin.Context) error {
	user := web.Current(c).User
	in := &deleteForm{user: user}
	form := forms.New(in)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	fates, err := h.DB.OwnedOrganizations(c.Request.Context(), user)
	if err != nil {
		return err
	}
	if limited, err := h.auth().CheckCurrentPassword(c, form, in.CurrentPassword); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "delete", form, fates)
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "delete", form, fates)
	}
	err = h.DB.DeleteUser(c.Request.Context(), user)
	if last := new(models.LastOwnerError); errors.As(err, &last) {
		form.Error = "You are the last owner of " + last.Organization.Name + ", which has other members. Make one of them its owner, or delete it first."
		return h.Render(c, http.StatusConflict, "delete", form, fates)
	}
	if err != nil {
		return err
	}
	h.Record(c, models.EventDeleted, user)
	h.ClearSessionCookie(c)
	return h.RedirectWith(c, "deleted", "/")
}
