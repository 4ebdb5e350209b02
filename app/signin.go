package app

import (
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
)

type signInForm struct {
	Login    string `form:"login" label:"E-mail or username" noun:"your e-mail or username" autocomplete:"username" validate:"required"`
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
	user, err := a.db.UserByLogin(c.Request.Context(), in.Login)
	nobody := errors.Is(err, models.ErrNotFound)
	if nobody {
		// Treated as somebody with another password, so that neither
		// the answer nor its time tells.
		user, err = &models.User{ID: uuid.NewHash(sha256.New(), uuid.Nil, []byte(models.Key(in.Login)), 8)}, nil
	}
	if err != nil {
		a.error(c, err)
		return
	}
	account, known, err := a.perAccount(c, user)
	if err != nil {
		a.error(c, err)
		return
	}
	tries := []attempt{account}
	if !known { // one that is known serves for no other account, and is not kept out by its neighbours
		tries = []attempt{perIP(c, "sign-in", a.config.LimitAddress), account}
	}
	if a.limited(c, "signin", form, nil, tries...) {
		return
	}
	match, err := a.authenticate(c, user, in.Password)
	switch {
	case err != nil:
		a.refund(c, tries...)
		a.error(c, err)
		return
	case !match:
		if nobody {
			user = nil
		}
		a.record(c, models.EventSignInFailed, user)
		form.Error = "The e-mail, username or password is wrong."
		form.Focus = "password"
		a.render(c, http.StatusUnprocessableEntity, "signin", form, nil)
		return
	case user.Disabled():
		a.record(c, models.EventSignInFailed, user)
		form.Error = "This account is disabled. Please contact the site's administrator."
		a.render(c, http.StatusUnprocessableEntity, "signin", form, nil)
		return
	}
	a.refund(c, tries[:len(tries)-1]...)
	a.resetAttempts(c, account)
	e, err := a.startSession(c, models.EventSignIn, false, func(*models.DB) (*models.User, error) { return user, nil })
	if errors.Is(err, models.ErrNotFound) { // disabled, deleted or given another password meanwhile
		a.flash(c, "changed")
		a.redirect(c, withNext("/sign-in", localPath(c.Query("next"))))
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	a.finishSignIn(c, e, "signed-in")
}

// authenticate tells whether the password is user's. A user without one, who is
// nobody, costs as much as a wrong password.
func (a *App) authenticate(c *gin.Context, user *models.User, password string) (bool, error) {
	match, outdated, err := a.verify(c, password, user.PasswordHash)
	if err != nil || !outdated {
		return match, err
	}
	hash, err := a.hash(c, password)
	if err == nil {
		err = a.db.RehashPassword(c.Request.Context(), user, hash)
	}
	if errors.Is(err, models.ErrChanged) { // by another sign-in meanwhile, or to another password
		fresh, err := a.db.UserByID(c.Request.Context(), user.ID)
		if err != nil {
			return false, err
		}
		*user = *fresh
		match, _, err = a.verify(c, password, user.PasswordHash)
		return match, err
	}
	if err != nil {
		current(c).Log().Warn("password hash not renewed", "err", err) // the next sign-in tries again
	}
	return match, nil
}

// newSession is what a sign-in leaves in the browser.
type newSession struct {
	session *models.Session
	token   string
	browser string // the mark by which that is known again
}

// startSession signs in, with a new session, the user that prepare returns. What prepare
// writes, the session, the browser and the event of that kind are kept or undone
// together. A new browser is noted quietly, without a mail, for a person who has
// proved more than a password.
func (a *App) startSession(c *gin.Context, kind string, quietly bool, prepare func(tx *models.DB) (*models.User, error)) (*newSession, error) {
	ctx, e := c.Request.Context(), new(newSession)
	return e, a.db.InTx(ctx, func(tx *models.DB) error {
		user, err := prepare(tx)
		if err != nil {
			return err
		}
		if e.session, e.token, err = tx.CreateSession(ctx, user, a.client(c), a.lifetime()); err != nil {
			return err
		}
		if e.browser, err = a.rememberBrowser(c, tx, user, quietly); err != nil {
			return err
		}
		entry := event(c, uuid.Nil, kind, user)
		entry.ActorID = user.ID
		return tx.Record(ctx, entry)
	})
}

// finishSignIn hands the new session to the browser, and leads on to where the person
// was heading.
func (a *App) finishSignIn(c *gin.Context, e *newSession, toast string) {
	r := current(c)
	r.User = e.session.User           // for the log
	if old := r.Session; old != nil { // its cookie is about to be replaced
		ctx, cancel := detached(c)
		defer cancel()
		if err := a.db.DeleteSession(ctx, old.UserID, old.ID); err != nil && !errors.Is(err, models.ErrNotFound) {
			r.Log().Error("replaced session not ended", "err", err)
		}
	}
	a.setSessionCookie(c, e.token, e.session)
	a.setBrowserCookie(c, e.browser)
	a.flash(c, toast)
	a.redirect(c, localPath(c.Query("next")))
}
