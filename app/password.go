package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/models"
)

// newPassword are the fields in which a person chooses another password.
type newPassword struct {
	Password        string `form:"password" label:"New password" noun:"your new password" type:"password" autocomplete:"new-password" hint:"At least 8 characters. A few unrelated words make a good one." validate:"required"`
	ConfirmPassword string `form:"confirm_password" label:"Confirm new password" noun:"your new password again" type:"password" autocomplete:"new-password" validate:"required,eqfield=Password"`
}

// checkPassword applies the rules for a new password of user.
func checkPassword(form *forms.Form, pw string, user *models.User) {
	if err := password.Check(pw, user.FirstName, user.LastName, user.Username, user.Email); err != nil {
		form.Fail("password", err.Error())
	}
}

type passwordForm struct {
	CurrentPassword string `form:"current_password" label:"Current password" noun:"your current password" type:"password" autocomplete:"current-password" validate:"required"`
	newPassword
}

func newPasswordForm() (*passwordForm, *forms.Form) {
	in := new(passwordForm)
	form := forms.New(in)
	form.CheckURL = "/account/password/check"
	return in, form
}

func (a *App) showPassword(c *gin.Context) {
	_, form := newPasswordForm()
	a.render(c, http.StatusOK, "password", form, nil)
}

func (a *App) changePassword(c *gin.Context) {
	in, form := newPasswordForm()
	if !a.bind(c, form) {
		return
	}
	user := current(c).User
	checkPassword(form, in.Password, user)
	if !a.checkCurrentPassword(c, "password", form, nil, in.CurrentPassword) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "password", form, nil)
		return
	}
	hash, err := a.hash(c, in.Password)
	if err != nil {
		a.error(c, err)
		return
	}
	session := current(c).Session
	token, err := a.db.ChangePassword(c.Request.Context(), user, hash, session)
	if err != nil {
		a.error(c, err)
		return
	}
	a.setSessionCookie(c, token, session)
	mark, err := a.rememberBrowser(c, a.db, user, true)
	switch {
	case err == nil:
		a.setBrowserCookie(c, mark)
	case !clientGone(c):
		current(c).Log().Error("browser not remembered", "err", err)
	}
	a.record(c, models.EventPasswordChanged, user)
	a.flash(c, "password-changed")
	a.redirect(c, "/account")
}

// checkNewPassword checks one field as the person leaves it.
func (a *App) checkNewPassword(c *gin.Context) {
	in, form := newPasswordForm()
	if a.bind(c, form) {
		checkPassword(form, in.Password, current(c).User)
		a.checkField(c, "password", form)
	}
}

// checkCurrentPassword notes in the page's form whether the current password is
// wrong. It returns false when it has answered the request itself, because that
// was tried too often or cannot be told.
func (a *App) checkCurrentPassword(c *gin.Context, page string, form *forms.Form, data any, pw string) bool {
	if form.ValidValue("current_password") == "" {
		return true // empty, and said so
	}
	user := current(c).User
	account, _, err := a.perAccount(c, user)
	if err != nil {
		a.error(c, err)
		return false
	}
	if a.limited(c, page, form, data, account) {
		return false
	}
	match, err := a.authenticate(c, user, pw)
	if err != nil {
		a.refund(c, account)
		a.error(c, err)
		return false
	}
	if !match {
		a.recordIn(c, uuid.Nil, models.EventSignInFailed, user) // nobody else's business, wherever it was asked
		form.Fail("current_password", "This is not your current password.")
		return true
	}
	a.resetAttempts(c, account)
	return true
}
