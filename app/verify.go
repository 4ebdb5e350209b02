package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type verifyForm struct {
	Token string `form:"token"`
}

// showVerifyEmail shows what a link from a mail is about to do. Only the button
// does it: programs that look at mail open links.
func (a *App) showVerifyEmail(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	form := forms.New(&verifyForm{Token: c.Query("token")})
	token, ok := a.linkToken(c, c.Query("token"), models.VerifyEmail, models.ChangeEmail)
	if !ok {
		return
	}
	a.render(c, http.StatusOK, "verify", form, token)
}

func (a *App) verifyEmail(c *gin.Context) {
	in := new(verifyForm)
	if !a.bind(c, forms.New(in)) {
		return
	}
	token, ok := a.linkToken(c, in.Token, models.VerifyEmail, models.ChangeEmail)
	if !ok {
		return
	}
	err := a.db.ConfirmEmail(c.Request.Context(), token)
	taken := new(models.TakenError)
	switch {
	case errors.Is(err, models.ErrNotFound):
		a.fail(c, http.StatusGone)
	case errors.As(err, &taken):
		a.refuse(c, http.StatusConflict, "This e-mail is taken", "Another account has this e-mail by now, so yours was not changed.")
	case err != nil:
		a.error(c, err)
	default:
		a.record(c, models.EventEmailConfirmed, token.User)
		a.flash(c, "verified")
		if current(c).User != nil {
			a.redirect(c, home)
		} else {
			a.redirect(c, "/sign-in")
		}
	}
}

// linkToken finds the token of a mailed link. It answers the request itself, and
// returns false, when the link is used up, too old or wrong.
func (a *App) linkToken(c *gin.Context, secret string, purposes ...models.Purpose) (*models.Token, bool) {
	token, err := a.db.TokenBySecret(c.Request.Context(), secret, purposes...)
	switch {
	case errors.Is(err, models.ErrNotFound):
		a.fail(c, http.StatusGone)
		return nil, false
	case err != nil:
		a.error(c, err)
		return nil, false
	}
	return token, true
}

// resendVerification mails the link to a new person once more.
func (a *App) resendVerification(c *gin.Context) {
	user := current(c).User
	if user.Verified() {
		a.respondToast(c, http.StatusOK, "verified", origin(c))
		return
	}
	again := attempt{"verification of " + user.ID.String(), a.config.LimitMail}
	err := a.attempt(c, again)
	if err == nil {
		if err = a.db.ResendVerification(c.Request.Context(), user); err != nil && !errors.Is(err, models.ErrTooSoon) {
			a.refund(c, again)
		}
	}
	early := new(models.ThrottledError)
	switch {
	case errors.Is(err, models.ErrTooSoon):
		c.Header("Retry-After", "60")
		a.respondToast(c, http.StatusTooManyRequests, "too-soon", origin(c))
	case errors.As(err, &early):
		tooMany(c, early)
		a.respondToast(c, http.StatusTooManyRequests, "too-soon", origin(c))
	case err != nil:
		a.error(c, err)
	default:
		a.respondToast(c, http.StatusOK, "link-sent", origin(c))
	}
}

// verifiedOnly is middleware for routes that want a person whose e-mail is
// verified. It goes behind signedInOnly.
func (a *App) verifiedOnly(c *gin.Context) {
	if !current(c).User.Verified() {
		a.refuse(c, http.StatusForbidden, "Confirm your e-mail first", "This is for people whose e-mail is confirmed. Open the link that we sent you, and come back.")
	}
}
