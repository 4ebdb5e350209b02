package mailed

import (
	"errors"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
)

// linkToken returns the token of a mailed link, or a [web.Refusal] if the link was used
// or replaced, has expired or is wrong, or its user is disabled.
func (h Handlers) linkToken(c *gin.Context, secret string, purposes ...models.Purpose) (*models.Token, error) {
	token, err := h.DB.TokenBySecret(c.Request.Context(), secret, purposes...)
	if errors.Is(err, models.ErrNotFound) || err == nil && token.User.Disabled() {
		return nil, goneLink(c, purposes[0])
	}
	return token, err
}

// goneLink returns the [web.Refusal] for a mailed link that no longer works, with the way
// to a new one.
func goneLink(c *gin.Context, purpose models.Purpose) error {
	user := web.Current(c).User
	switch {
	case purpose == models.ResetPassword:
		return web.Gone("Ask for a new one.", components.ButtonLink("/forgot-password", "Ask for a new link"))
	case purpose == models.Recover, purpose == models.FinishRecovery:
		return web.Gone("Ask for a new one.", components.ButtonLink("/recover", "Ask for a new link"))
	case purpose == models.CancelRecovery:
		return web.Gone("Sign in to be sure: that cancels every recovery of your account.", components.ButtonLink("/sign-in", "Sign in"))
	case purpose == models.ReportChange:
		return web.Gone("If you think that someone else uses your account, reset its password.", components.ButtonLink("/forgot-password", "Reset password"))
	case user == nil:
		return web.Gone("Sign in to ask for a new one.", components.ButtonLink(layouts.WithNext("/sign-in", "/account/email"), "Sign in"))
	case !user.Verified():
		return web.Gone("Ask for a new one.", components.ActionForm(components.Action{Path: "/account/verify", Label: "Send a new link", Main: true, Swap: "none"}))
	default:
		return web.Gone("See which address your account has.", components.ButtonLink("/account/email", "Your email address"))
	}
}

// renderAnotherAccount says that a link is for another account. It leads back to path
// after signing out.
func (h Handlers) renderAnotherAccount(c *gin.Context, status int, token *models.Token, path string) error {
	f := h.Frame(c, status)
	if web.IsHTMX(c) {
		web.Retarget(c, "#main")
	}
	return web.Render(c, f, view.AnotherAccountPage(f, token, path), view.AnotherAccountCard(f, token, path))
}

// isAnothers reports whether somebody is signed in who isn't the token's user.
func isAnothers(c *gin.Context, token *models.Token) bool {
	user := web.Current(c).User
	return user != nil && user.ID != token.UserID
}
