package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/templates/layouts"
)

// ShowSwitcher answers the menu in the header with the user's organizations. Without
// htmx it leads to the page that has them.
func (h Handlers) ShowSwitcher(c *gin.Context) error {
	if !web.IsHTMX(c) {
		return web.Redirect(c, "/organizations")
	}
	memberships, err := h.DB.Memberships(c.Request.Context(), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	return web.RenderFragment(c, http.StatusOK, layouts.SwitcherLinks(memberships, c.Query("current")))
}
