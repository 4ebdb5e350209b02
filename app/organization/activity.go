package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
	view "vestibule/templates/organization"
)

// ShowActivity shows the events of the current organization. It leaves out IP addresses
// and devices, which only the user and operators may see.
func (h Handlers) ShowActivity(c *gin.Context) error {
	events, err := h.DB.OrganizationEvents(c.Request.Context(), web.Current(c).Member.OrganizationID, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	list := web.NewList(c, "before", events, func(e models.Event) uuid.UUID { return e.ID }, view.NewEventRow)
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.ActivityPage(f, list), components.Events(list))
}
