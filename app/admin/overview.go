package admin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	view "vestibule/templates/admin"
)

// ShowOverview shows how the site is.
func (h Handlers) ShowOverview(c *gin.Context) error {
	f := h.Frame(c, http.StatusOK)
	page := view.OverviewPage(f)
	return web.Render(c, f, page, page)
}
