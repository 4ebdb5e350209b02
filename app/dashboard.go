package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/templates/site"
)

// ShowDashboard shows a signed-in user their start page.
func (a *App) ShowDashboard(c *gin.Context) error {
	s := web.Current(c).Session
	renews := s.ExpiresAt.Before(s.CreatedAt.Add(a.config.SessionMax))
	f := a.Frame(c, http.StatusOK)
	page := site.DashboardPage(f, s.ExpiresAt, renews)
	return web.Render(c, f, page, page)
}
