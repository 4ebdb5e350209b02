package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type accountForm struct {
	Username  string `form:"username" label:"Username" autocomplete:"username" hint:"5 to 32 letters, digits, dots, underscores or hyphens." validate:"required,min=5,max=32,username"`
	FirstName string `form:"first_name" label:"First name" autocomplete:"given-name" validate:"required,max=100,wording"`
	LastName  string `form:"last_name" label:"Last name" autocomplete:"family-name" validate:"required,max=100,wording"`
}

func newAccountForm(u *models.User) (*accountForm, *forms.Form) {
	in := &accountForm{Username: u.Username, FirstName: u.FirstName, LastName: u.LastName}
	form := forms.New(in)
	form.CheckURL = "/account/check"
	return in, form
}

func (a *App) showAccount(c *gin.Context) {
	_, form := newAccountForm(current(c).User)
	a.render(c, http.StatusOK, "account", form, nil)
}

func (a *App) saveAccount(c *gin.Context) {
	in, form := newAccountForm(current(c).User)
	if !a.bind(c, form) {
		return
	}
	if a.limited(c, "account", form, nil, a.enumerationLimit(c)) {
		return
	}
	if err := a.failTaken(c, form); err != nil {
		a.error(c, err)
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "account", form, nil)
		return
	}
	user := *current(c).User
	user.Username, user.FirstName, user.LastName = in.Username, in.FirstName, in.LastName
	if user == *current(c).User { // nothing to store
		a.renderSaved(c, "account", form, "saved")
		return
	}
	err := a.db.UpdateProfile(c.Request.Context(), &user)
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail(failed.Field, takenSentences[failed.Field])
		a.render(c, http.StatusUnprocessableEntity, "account", form, nil)
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	current(c).User = &user
	a.record(c, models.EventProfileChanged, &user)
	a.renderSaved(c, "account", form, "saved")
}

// checkAccount checks one field as the person leaves it.
func (a *App) checkAccount(c *gin.Context) {
	_, form := newAccountForm(current(c).User)
	a.checkTaken(c, "account", form)
}
