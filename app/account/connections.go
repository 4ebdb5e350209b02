package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth/oauth"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
	"vestibule/templates/components"
)

// ShowConnections shows the accounts elsewhere by which the user signs in.
func (h Handlers) ShowConnections(c *gin.Context) error {
	user := web.Current(c).User
	identities, err := h.DB.Identities(c.Request.Context(), user.ID)
	if err != nil {
		return err
	}
	if len(h.Providers)+len(identities) == 0 {
		return web.NotFound(c)
	}
	factors, err := h.DB.Factors(c.Request.Context(), user)
	if err != nil {
		return err
	}
	factors.Identities-- // without the one that is removed
	rows := make([]view.ConnectionRow, 0, len(identities))
	for _, i := range identities {
		provider := components.Provider{Name: i.Provider, Label: h.ProviderLabel(i.Provider)}
		rows = append(rows, view.ConnectionRow{ID: i.ID.String(), Provider: provider, Name: i.Name, CreatedAt: i.CreatedAt, LastUsedAt: i.LastUsedAt})
	}
	f := h.Frame(c, http.StatusOK)
	page := view.ConnectionsPage(f, rows, factors.WayIn(), h.ProviderButtons())
	return web.Render(c, f, page, page)
}

// Connect leads to a provider, whose account the user adds.
func (h Handlers) Connect(c *gin.Context) error {
	if err := web.ReadForm(c); err != nil {
		return err
	}
	return oauth.Handlers{Kit: h.Kit}.Authorize(c, c.Request.PostForm.Get("provider"), models.AuthorizeConnect, "/account/connections")
}

// RemoveConnection removes an account elsewhere, unless the user could not sign in without
// it.
func (h Handlers) RemoveConnection(c *gin.Context) error {
	user := web.Current(c).User
	identity, err := h.DB.IdentityByID(c.Request.Context(), user.ID, web.ID(c))
	if err != nil {
		return err
	}
	label := h.ProviderLabel(identity.Provider)
	err = h.AuditedDetail(c, models.EventConnectionRemoved, user, &models.EventDetail{Connection: label}, func(tx *models.DB) error {
		return tx.RemoveIdentity(c.Request.Context(), user, identity.ID, label)
	})
	if errors.Is(err, models.ErrLastWayIn) {
		return lastWayIn("You can't sign in without this connection. Set a password or add a passkey first.")
	}
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "disconnected", "/account/connections")
}
