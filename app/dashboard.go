package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/templates/site"
)

// ShowDashboard shows a signed-in user their start page.
func (a *App) ShowDashboard(c *gin.Context) error {
	r := web.Current(c)
	invitations, err := a.DB.InvitationsFor(c.Request.Context(), r.User)
	if err != nil {
		return err
	}
	memberships, err := a.DB.Memberships(c.Request.Context(), r.User.ID)
	if err != nil {
		return err
	}
	passkeys, err := a.DB.HasPasskey(c.Request.Context(), r.User.ID)
	if err != nil {
		return err
	}
	f := a.Frame(c, http.StatusOK)
	page := site.DashboardPage(f, site.Dashboard{
		Ends:        r.Session.ExpiresAt,
		Renews:      r.Session.ExpiresAt.Before(r.Session.CreatedAt.Add(a.config.SessionMax)),
		Memberships: memberships,
		Invitations: invitations,
		Passkeys:    a.Passkeys != nil,
		HasPasskey:  passkeys,
	})
	return web.Render(c, f, page, page)
}
