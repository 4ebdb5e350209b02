package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/components"
)

// SecondFactorOnly is middleware for a site that requires a second factor of everyone, or of
// its operators. Put it after SignedInOnly.
func (h Handlers) SecondFactorOnly(c *gin.Context) error {
	if !h.SitePolicy().Requires(web.Current(c).User) {
		return nil
	}
	return h.RequireSecondFactor(c, nil)
}

// RequireSecondFactor goes on if the session has two factors, as by requires; nil is the
// site. If the user has a second factor, it asks for that, and otherwise leads to set one
// up. It aborts c if it has answered.
func (h Handlers) RequireSecondFactor(c *gin.Context, by *models.Organization) error {
	return h.requireSecondFactor(c, by, h.Config.TrustBrowser > 0 && (by == nil || !by.NoTrust))
}

// OperatorSecondFactorOnly is middleware for the operator's pages, unless a setting lets them
// open without a second factor. A trusted browser doesn't stand in for one.
func (h Handlers) OperatorSecondFactorOnly(c *gin.Context) error {
	if !h.Config.AdminSecondFactor {
		return nil
	}
	return h.requireSecondFactor(c, nil, false)
}

// requireSecondFactor is RequireSecondFactor that accepts a trusted browser or doesn't.
func (h Handlers) requireSecondFactor(c *gin.Context, by *models.Organization, trusted bool) error {
	r := web.Current(c)
	if r.Operator == nil && r.Session.HasSecondFactor(trusted) {
		return nil
	}
	factors, err := h.Factors(c.Request.Context(), r.User)
	switch {
	case err != nil:
		return err
	case r.Operator != nil && factors.HasSecond(): // and sees what the person sees otherwise
		return nil
	case web.IsCheck(c):
		web.AnswerSilently(c, http.StatusForbidden)
		return nil
	case !factors.HasSecond():
		return h.askToSetUp(c, by)
	case c.Request.Method == http.MethodGet:
		return web.Redirect(c, view.ThenPath("/sign-in/step-up", ownPath(c)))
	}
	owner := components.OwnerOf(r.User)
	return h.askPassword(c, http.StatusForbidden, h.newSignInAgain(owner), owner)
}

// askToSetUp shows in place of a page how to set up the second factor that by requires. A
// form that was sent stays as it is.
func (h Handlers) askToSetUp(c *gin.Context, by *models.Organization) error {
	if c.Request.Method != http.MethodGet {
		return &web.Refusal{
			Status: http.StatusForbidden, Title: "Add a second step first",
			Text: view.WhoRequires(by) + " requires a second step. Add a passkey or an authenticator app, then try again.",
			On:   components.ButtonLink("/account/security", "Set it up"),
		}
	}
	c.Abort()
	f := h.Frame(c, http.StatusForbidden)
	required := view.SetUp{By: by, Passkeys: h.Passkeys != nil, Next: ownPath(c)}
	if web.IsHTMX(c) {
		web.Retarget(c, "#main")
	}
	return web.Render(c, f, view.SetUpPage(f, required), view.SetUpCard(required))
}

// StepUp asks for the second factor that a session lacks, and then leads on.
func (h Handlers) StepUp(c *gin.Context) error {
	if !web.Current(c).Session.HasSecondFactor(false) {
		if err := h.reauthenticate(c, false, true); err != nil || c.IsAborted() {
			return err
		}
	}
	return web.Redirect(c, web.LocalPath(c.Query("next")))
}
