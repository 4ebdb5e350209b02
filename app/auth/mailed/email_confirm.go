package mailed

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
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
	form := forms.New(&view.VerifyEmail{Token: c.Query("token"), Passkeys: h.Passkeys != nil})
	form.Focus = &form.Password
	token, err := h.linkToken(c, form.Token, models.VerifyEmail, models.ChangeEmail)
	if err != nil {
		return err
	}
	if isAnothers(c, token) {
		return h.renderAnotherAccount(c, http.StatusOK, token, view.VerifyEmailPath(form.Token))
	}
	return h.renderVerifyEmail(c, http.StatusOK, form, token)
}

func (h Handlers) renderVerifyEmail(c *gin.Context, status int, form *view.VerifyEmail, token *models.Token) error {
	if web.Current(c).User == nil {
		h.ProbeCookies(c)
	}
	form.Providers = h.ProviderButtons()
	f := h.Frame(c, status)
	f.Next = view.VerifyEmailPath(form.Token) // by a provider, one signs in first
	return web.Render(c, f, view.VerifyEmailPage(f, form, token), view.VerifyEmailForm(f, form, token))
}

// VerifyEmail confirms the address that the token was mailed to. The link alone proves
// only that its user reads mail there, not that the account is theirs: whoever created
// the account, or asked for the change, may have typed another's address. So the user is
// signed in to the account, or enters its password.
func (h Handlers) VerifyEmail(c *gin.Context) error {
	form := forms.New(&view.VerifyEmail{Passkeys: h.Passkeys != nil})
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.linkToken(c, form.Token, models.VerifyEmail, models.ChangeEmail)
	switch {
	case err != nil:
		return err
	case isAnothers(c, token):
		return h.renderAnotherAccount(c, http.StatusConflict, token, view.VerifyEmailPath(form.Token))
	case web.Current(c).User == nil && !form.PasskeyAnswer.Empty():
		return h.verifyEmailByPasskey(c, form, token)
	case web.Current(c).User == nil:
		return h.verifyEmailByPassword(c, form, token)
	}
	err = h.DB.InTx(c.Request.Context(), func(tx *models.DB) error { return confirmEmail(c, tx, token) })
	if err != nil {
		return asConfirmFailure(c, err)
	}
	return h.RedirectWith(c, "verified", layouts.Home)
}

// verifyEmailByPassword confirms the address if the password is right, and signs the
// user in. If a second factor is missing, it asks for that first, and leads back.
func (h Handlers) verifyEmailByPassword(c *gin.Context, form *view.VerifyEmail, token *models.Token) error {
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderVerifyEmail(c, http.StatusUnprocessableEntity, form, token)
	}
	user := token.User
	match, limited, err := h.auth().AttemptSignIn(c, &form.Form, user, form.Password)
	switch {
	case err != nil:
		return err
	case limited:
		return h.renderVerifyEmail(c, http.StatusTooManyRequests, form, token)
	case !match:
		h.auth().RecordRefused(c, models.FactorPassword, models.EventSignInFailed, user)
		form.Fail("password", "That isn't the password of this account.")
		return h.renderVerifyEmail(c, http.StatusUnprocessableEntity, form, token)
	}
	p, err := h.auth().Prove(c, auth.Step{
		Factor:  models.FactorPassword,
		Kind:    models.EventSignIn,
		Quietly: true,
		Prepare: func(*models.DB) (*models.User, error) { return user, nil },
		Then:    func(tx *models.DB) error { return confirmEmail(c, tx, token) },
	})
	switch {
	case err != nil:
		return asConfirmFailure(c, err)
	case p.Session == nil: // the link works once they are signed in
		return h.auth().FinishSignIn(c, p, "signed-in", view.VerifyEmailPath(form.Token))
	default:
		return h.auth().FinishSignIn(c, p, "verified", c.Query("next"))
	}
}

// verifyEmailByPasskey is verifyEmailByPassword for a form that was sent with a passkey.
func (h Handlers) verifyEmailByPasskey(c *gin.Context, form *view.VerifyEmail, token *models.Token) error {
	form.Excuse("password")
	if form.Error = h.CookieProblem(c); !form.Valid() {
		return h.renderVerifyEmail(c, http.StatusUnprocessableEntity, form, token)
	}
	p, err := h.auth().ProvePasskey(c, form.PasskeyAnswer, token.UserID, auth.Step{
		Quietly: true,
		Then:    func(tx *models.DB) error { return asConfirmFailure(c, confirmEmail(c, tx, token)) },
	})
	if auth.Refused(&form.Form, err) {
		return h.renderVerifyEmail(c, http.StatusUnprocessableEntity, form, token)
	}
	if err != nil {
		return err
	}
	return h.auth().FinishSignIn(c, p, "verified", c.Query("next"))
}

// confirmEmail confirms the address of token, and records it.
func confirmEmail(c *gin.Context, tx *models.DB, token *models.Token) error {
	if err := tx.ConfirmEmail(c.Request.Context(), token); err != nil {
		return err
	}
	return recordConfirmed(c, tx, token)
}

// recordConfirmed records that the token's user confirmed its address.
func recordConfirmed(c *gin.Context, tx *models.DB, token *models.Token) error {
	detail := models.EventDetail{Email: token.Email}
	if token.Purpose == models.ChangeEmail {
		detail.EmailFrom = token.User.Email
	}
	return auth.RecordOwn(c, tx, models.EventEmailConfirmed, token.User, detail)
}

// asConfirmFailure returns the [web.Refusal] for an address that wasn't confirmed.
func asConfirmFailure(c *gin.Context, err error) error {
	switch {
	case errors.Is(err, models.ErrChanged):
		return err
	case errors.Is(err, models.ErrNotFound):
		return goneLink(c, models.VerifyEmail)
	case errors.As(err, new(*models.FullError)):
		return web.Refuse(http.StatusConflict, "Too many changes", "Your email address was changed many times within a week. Try again in a few days.")
	case errors.As(err, new(*models.TakenError)):
		return web.Refuse(http.StatusConflict, "This email address is taken", "Another account now uses this email address, so yours wasn't changed.")
	}
	return err
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
	switch {
	case errors.Is(err, models.ErrTooSoon):
		c.Header("Retry-After", "60")
		return h.RespondToast(c, http.StatusTooManyRequests, "too-soon", web.Origin(c))
	case err != nil: // a throttle's error says how long to wait
		return err
	default:
		return h.RespondToast(c, http.StatusOK, "link-sent", web.Origin(c))
	}
}
