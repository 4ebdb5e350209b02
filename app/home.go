package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/templates/site"
)

// ShowHome shows the site's start page.
func (a *App) ShowHome(c *gin.Context) error {
	f := a.Frame(c, http.StatusOK)
	page := site.HomePage(f)
	return web.Render(c, f, page, page)
}
