package account

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
	"vestibule/templates/components"
)

// securityEvents are the kinds of events that the page lists.
var securityEvents = []string{
	models.EventPasswordChanged, models.EventPasswordRemoved, models.EventPasswordReset, models.EventPasskeyAdded, models.EventPasskeyRemoved, models.EventPasskeyRefused,
	models.EventEmailRequested, models.EventEmailConfirmed,
	models.EventAuthenticatorAdded, models.EventAuthenticatorRemoved, models.EventRecoveryCodesCreated, models.EventRecoveryCodeUsed,
	models.EventRecoveryAsked, models.EventRecoveryBegun, models.EventRecoveryCanceled, models.EventRecoveryFinished, models.EventChangeReported,
	models.EventConnectionAdded, models.EventConnectionRemoved, models.EventFactorsReset, models.EventBrowserTrusted, models.EventBrowserRevoked, models.EventCodeFailed,
}

// recentEvents is how many events the page lists.
const recentEvents = 5

// ShowSecurity shows how the user signs in, what is missing, and what changed lately.
func (h Handlers) ShowSecurity(c *gin.Context) error {
	ctx, user := c.Request.Context(), web.Current(c).User
	factors, err := h.Factors(ctx, user)
	if err != nil {
		return err
	}
	required, err := h.DB.RequiringOrganizations(ctx, user.ID)
	if err != nil {
		return err
	}
	trusted, err := h.DB.TrustedBrowsers(ctx, user.ID)
	if err != nil {
		return err
	}
	events, err := h.DB.Events(ctx, user.ID, models.EventFilter{Kinds: securityEvents}, uuid.Nil, recentEvents)
	if err != nil {
		return err
	}
	list := components.EventList{Below: true}
	for _, e := range events {
		list.Rows = append(list.Rows, view.NewEventRow(e))
	}
	var site models.Whom
	if h.SitePolicy().Requires(user) {
		site = h.Config.SecondFactor
	}
	f := h.Frame(c, http.StatusOK)
	page := view.SecurityPage(f, view.Security{Factors: factors, Passkeys: h.Passkeys != nil, Trusted: len(trusted), Site: site, Required: required, Changes: list})
	return web.Render(c, f, page, page)
}
