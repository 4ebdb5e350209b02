package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

// ShowOverview shows the start page of an organization.
func (h Handlers) ShowOverview(c *gin.Context) error {
	f := h.Frame(c, http.StatusOK)
	page := view.OverviewPage(f)
	return web.Render(c, f, page, page)
}

// Leave ends the user's own membership.
func (h Handlers) Leave(c *gin.Context) error {
	if err := h.confirmOwnerChange(c, web.Current(c).Member.Role); err != nil || c.IsAborted() {
		return err
	}
	if err := h.DB.Leave(c.Request.Context(), web.Current(c).Member); err != nil {
		return err
	}
	h.Record(c, models.EventMemberLeft, web.Current(c).User)
	return h.RedirectWith(c, "left", "/organizations")
}
