package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// ShowHome shows the site's start page.
func (a *App) ShowHome(c *gin.Context) error {
	return a.Render(c, http.StatusOK, "home", nil, nil)
}
