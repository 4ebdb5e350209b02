package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type signInForm struct {
	Login    string `form:"login" label:"E-mail or username" noun:"e-mail or username" autocomplete:"username" validate:"required"`
	Password string `form:"password" label:"Password" type:"password" autocomplete:"current-password" validate:"required"`
}

func (a *App) showSignIn(c *gin.Context) {
	form := forms.New(new(signInForm))
	form.Focus = "login"
	a.render(c, http.StatusOK, "signin", form, nil)
}

func (a *App) signIn(c *gin.Context) {
	in := new(signInForm)
	form := forms.New(in)
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "signin", form, nil)
		return
	}
	user, err := a.authenticate(c, in.Login, in.Password)
	if err == nil && user.Disabled() {
		form.Error = "This account is disabled. Ask those who run this site."
		a.render(c, http.StatusUnprocessableEntity, "signin", form, nil)
		return
	}
	if errors.Is(err, models.ErrNotFound) {
		form.Error = "The e-mail, username or password is wrong."
		form.Focus = "password"
		a.render(c, http.StatusUnprocessableEntity, "signin", form, nil)
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	a.enter(c, user, "signed-in", false)
}

// authenticate returns the user of that e-mail or username if the password is
// theirs, and models.ErrNotFound if not. An unknown login costs as much as a
// wrong password, so that the time does not tell them apart.
func (a *App) authenticate(c *gin.Context, login, password string) (*models.User, error) {
	user, err := a.db.UserByLogin(c.Request.Context(), login)
	if errors.Is(err, models.ErrNotFound) {
		user = new(models.User)
	} else if err != nil {
		return nil, err
	}
	match, outdated, err := a.hasher.Verify(c.Request.Context(), password, user.PasswordHash)
	if err != nil {
		return nil, err
	}
	if !match {
		return nil, models.ErrNotFound
	}
	if outdated {
		hash, err := a.hasher.Hash(c.Request.Context(), password)
		if err == nil {
			err = a.db.RehashPassword(c.Request.Context(), user, hash)
		}
		if err != nil {
			current(c).Log.Warn("password hash not renewed", "err", err) // the next sign-in tries again
		}
	}
	return user, nil
}

// enter signs user in with a new session, and leads on to where the person was
// heading. A new browser is noted quietly, without a mail, for a person who has
// proved more than a password.
func (a *App) enter(c *gin.Context, user *models.User, toast string, quietly bool) {
	session, token, err := a.db.CreateSession(c.Request.Context(), user, a.client(c), a.lifetime())
	if errors.Is(err, models.ErrNotFound) { // disabled, or the password changed, at this moment
		a.redirect(c, "/sign-in")
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	if err := a.rememberBrowser(c, user, quietly); err != nil {
		current(c).Log.Error("browser not remembered", "err", err)
	}
	a.setSessionCookie(c, token, session)
	a.flash(c, toast)
	a.redirect(c, localPath(c.Query("next")))
}
