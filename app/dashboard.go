package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// dashboardData says whether the session lives on when it is used, or has come
// to the end that none outlives.
type dashboardData struct{ Renews bool }

func (a *App) showDashboard(c *gin.Context) {
	s := current(c).Session
	a.render(c, http.StatusOK, "dashboard", nil, dashboardData{Renews: s.ExpiresAt.Before(s.CreatedAt.Add(a.config.SessionMax))})
}
