package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
)

func newDelete(user *models.User) *view.Delete {
	form := forms.New(new(view.Delete))
	if user.Username == "" {
		form.Omit(&form.Username)
	} else {
		form.Omit(&form.Email)
	}
	form.Check = func() {
		if form.Has(&form.Username) && models.Key(form.Username) != user.UsernameKey {
			form.Fail("username", "That isn't your username.")
		}
		if form.Has(&form.Email) && text.EmailKey(form.Email) != user.EmailKey {
			form.Fail("email", "That isn't your email address.")
		}
	}
	return form
}

// ShowDelete shows what else is deleted with the account, and the form that deletes it.
func (h Handlers) ShowDelete(c *gin.Context) error {
	owned, err := h.DB.OwnedOrganizations(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	return h.renderDelete(c, http.StatusOK, newDelete(web.Current(c).User), owned)
}

func (h Handlers) renderDelete(c *gin.Context, status int, form *view.Delete, owned []models.OwnedOrganization) error {
	if err := h.auth().FillIdentity(c, &form.Identity); err != nil {
		return err
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.DeletePage(f, form, owned), view.DeleteForm(f, form, owned))
}

// renderLastOwner says that the user must leave o to another owner first.
func (h Handlers) renderLastOwner(c *gin.Context, form *view.Delete, o *models.Organization, owned []models.OwnedOrganization) error {
	form.Error = "You're the only owner of " + o.Name + ", which has other members. Transfer or delete it first."
	return h.renderDelete(c, http.StatusConflict, form, owned)
}

// DeleteAccount deletes the user and, by foreign keys, everything that belongs to them.
func (h Handlers) DeleteAccount(c *gin.Context) error {
	user := web.Current(c).User
	form := newDelete(user)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	owned, err := h.DB.OwnedOrganizations(c.Request.Context(), user)
	if err != nil {
		return err
	}
	for _, o := range owned {
		if o.Others {
			return h.renderLastOwner(c, form, o.Organization, owned)
		}
	}
	if limited, err := h.auth().CheckIdentity(c, &form.Form, &form.Identity); err != nil {
		return err
	} else if limited {
		return h.renderDelete(c, http.StatusTooManyRequests, form, owned)
	}
	if !form.Valid() {
		return h.renderDelete(c, http.StatusUnprocessableEntity, form, owned)
	}
	err = h.Audited(c, models.EventDeleted, user, func(tx *models.DB) error { return tx.DeleteUser(c.Request.Context(), user) })
	if last := new(models.LastOwnerError); errors.As(err, &last) {
		return h.renderLastOwner(c, form, last.Organization, owned)
	}
	if err != nil {
		return err
	}
	h.ClearSessionCookie(c)
	return h.RedirectWith(c, "deleted", "/")
}
