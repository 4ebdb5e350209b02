package account

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
)

func (h Handlers) newProfile(u *models.User) *view.Profile {
	form := forms.New(new(view.Profile))
	form.Ask(&form.Form, h.Config.Naming)
	form.Fill(&form.Form, u)
	form.CheckURL = "/account/check"
	return form
}

// ShowProfile shows the form that changes the user's name and username.
func (h Handlers) ShowProfile(c *gin.Context) error {
	return h.renderProfile(c, http.StatusOK, h.newProfile(web.Current(c).User))
}

func (h Handlers) renderProfile(c *gin.Context, status int, form *view.Profile) (err error) {
	if form.Signal, err = h.auth().SignalOf(c); err != nil {
		return err
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.ProfilePage(f, form), view.ProfileForm(form))
}

// SaveProfile changes the user's name and username.
func (h Handlers) SaveProfile(c *gin.Context) error {
	form := h.newProfile(web.Current(c).User)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if limited, err := h.Limited(c, &form.Form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.renderProfile(c, http.StatusTooManyRequests, form)
	}
	if err := h.auth().FailUnavailable(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderProfile(c, http.StatusUnprocessableEntity, form)
	}
	user := *web.Current(c).User
	form.Apply(&user)
	if web.Current(c).Operator != nil && user.Username != web.Current(c).User.Username { // somebody else could take it
		return web.ClosedToOperators()
	}
	if user == *web.Current(c).User { // nothing to store
		return h.renderProfileSaved(c, form)
	}
	detail := &models.EventDetail{Fields: ChangedFields(web.Current(c).User, &user)}
	err := h.AuditedDetail(c, models.EventProfileChanged, &user, detail, func(tx *models.DB) error {
		return tx.UpdateProfile(c.Request.Context(), &user)
	})
	if failed := new(models.TakenError); errors.As(err, &failed) {
		auth.Taken(&form.Form, failed.Field)
		return h.renderProfile(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	web.Current(c).User = &user
	return h.renderProfileSaved(c, form)
}

func (h Handlers) renderProfileSaved(c *gin.Context, form *view.Profile) (err error) {
	if form.Signal, err = h.auth().SignalOf(c); err != nil {
		return err
	}
	return h.RenderSaved(c, view.ProfileForm(form), "saved")
}

// ChangedFields says which fields of the profile differ. The audit log doesn't keep what
// they held.
func ChangedFields(before, after *models.User) string {
	var fields []string
	if before.Username != after.Username {
		fields = append(fields, "username")
	}
	if before.FirstName != after.FirstName || before.LastName != after.LastName {
		fields = append(fields, "name")
	}
	return strings.Join(fields, " and ")
}

// CheckProfile checks one field as the user leaves it.
func (h Handlers) CheckProfile(c *gin.Context) error {
	return h.auth().CheckTaken(c, &h.newProfile(web.Current(c).User).Form)
}
