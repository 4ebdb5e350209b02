package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

func newAccountForm(u *models.User) (*auth.Profile, *forms.Form) {
	in := &auth.Profile{Username: u.Username, FirstName: u.FirstName, LastName: u.LastName}
	form := forms.New(in)
	form.CheckURL = "/account/check"
	return in, form
}

func (h Handlers) ShowProfile(c *gin.Context) error {
	_, form := newAccountForm(web.Current(c).User)
	return h.Render(c, http.StatusOK, "account", form, nil)
}

func (h Handlers) SaveProfile(c *gin.Context) error {
	in, form := newAccountForm(web.Current(c).User)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if limited, err := h.Limited(c, form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "account", form, nil)
	}
	if err := h.auth().FailTaken(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "account", form, nil)
	}
	user := *web.Current(c).User
	user.Username, user.FirstName, user.LastName = in.Username, in.FirstName, in.LastName
	if user == *web.Current(c).User { // nothing to store
		return h.RenderSaved(c, "account", form, "saved")
	}
	err := h.DB.UpdateProfile(c.Request.Context(), &user)
	if failed := new(models.TakenError); errors.As(err, &failed) {
		auth.Taken(form, failed.Field)
		return h.Render(c, http.StatusUnprocessableEntity, "account", form, nil)
	}
	if err != nil {
		return err
	}
	web.Current(c).User = &user
	h.Record(c, models.EventProfileChanged, &user)
	return h.RenderSaved(c, "account", form, "saved")
}

// CheckProfile checks one field as the person leaves it.
func (h Handlers) CheckProfile(c *gin.Context) error {
	_, form := newAccountForm(web.Current(c).User)
	return h.auth().CheckTaken(c, "account", form)
}
