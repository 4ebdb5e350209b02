package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
)

// dashboardData says whether the session lives on when it is used, or has come
// to the end that none outlives.
type dashboardData struct{ Renews bool }

// ShowDashboard shows a signed-in person their own start page.
func (a *App) ShowDashboard(c *gin.Context) error {
	s := web.Current(c).Session
	return a.Render(c, http.StatusOK, "dashboard", nil, dashboardData{Renews: s.ExpiresAt.Before(s.CreatedAt.Add(a.config.SessionMax))})
}
