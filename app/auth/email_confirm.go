package auth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/layouts"
)

// ShowVerifyEmail shows what a mailed link is for. Only the button confirms it, because
// mail scanners open links.
func (h Handlers) ShowVerifyEmail(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := forms.New(&view.VerifyEmail{Token: c.Query("token")})
	token, err := h.linkToken(c, form.Token, models.VerifyEmail, models.ChangeEmail)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	page := view.VerifyEmailPage(f, form, token.Email, token.Purpose == models.ChangeEmail)
	return web.Render(c, f, page, page)
}

// VerifyEmail confirms the address that the token was mailed to.
func (h Handlers) VerifyEmail(c *gin.Context) error {
	form := forms.New(new(view.VerifyEmail))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.linkToken(c, form.Token, models.VerifyEmail, models.ChangeEmail)
	if err != nil {
		return err
	}
	err = h.DB.ConfirmEmail(c.Request.Context(), token)
	taken := new(models.TakenError)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return web.Fail(http.StatusGone)
	case errors.As(err, &taken):
		return web.Refuse(http.StatusConflict, "This email address is taken", "Another account now uses this email address, so yours wasn't changed.")
	case err != nil:
		return err
	default:
		h.Record(c, models.EventEmailConfirmed, token.User)
		next := "/sign-in"
		if web.Current(c).User != nil {
			next = layouts.Home
		}
		return h.RedirectWith(c, "verified", next)
	}
}

// linkToken returns the token of a mailed link, or a [web.Refusal] if the link was used
// or replaced, has expired or is wrong.
func (h Handlers) linkToken(c *gin.Context, secret string, purposes ...models.Purpose) (*models.Token, error) {
	token, err := h.DB.TokenBySecret(c.Request.Context(), secret, purposes...)
	if errors.Is(err, models.ErrNotFound) {
		err = web.Fail(http.StatusGone)
	}
	return token, err
}

// ResendVerification mails the verification link again.
func (h Handlers) ResendVerification(c *gin.Context) error {
	user := web.Current(c).User
	if user.Verified() {
		return h.RespondToast(c, http.StatusOK, "verified", web.Origin(c))
	}
	again := web.NewAttempt("verification of "+user.ID.String(), h.Config.LimitMail)
	err := h.Attempt(c, again)
	if err == nil {
		if err = h.DB.ResendVerification(c.Request.Context(), user); err != nil && !errors.Is(err, models.ErrTooSoon) {
			h.Refund(c, again)
		}
	}
	early := new(models.ThrottledError)
	switch {
	case errors.Is(err, models.ErrTooSoon):
		c.Header("Retry-After", "60")
		return h.RespondToast(c, http.StatusTooManyRequests, "too-soon", web.Origin(c))
	case errors.As(err, &early):
		web.TooMany(c, early)
		return h.RespondToast(c, http.StatusTooManyRequests, "too-soon", web.Origin(c))
	case err != nil:
		return err
	default:
		return h.RespondToast(c, http.StatusOK, "link-sent", web.Origin(c))
	}
}
