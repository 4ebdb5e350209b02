package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func (a *App) showDashboard(c *gin.Context) { a.render(c, http.StatusOK, "dashboard", nil, nil) }
