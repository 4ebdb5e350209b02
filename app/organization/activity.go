package organization

import (
	"context"
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
	actor := web.Current(c).Member
	read := func(ctx context.Context, db *models.DB, filter models.EventFilter, before uuid.UUID, limit int64) ([]models.Event, error) {
		return db.OrganizationEvents(ctx, actor.OrganizationID, filter, before, limit)
	}
	row := func(e models.Event) components.EventRow { return view.NewEventRow(e, seesEmails(actor)) }
	list, err := h.Events(c, components.EventFilter{Groups: components.OrganizationEvents()}, read, row)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.ActivityPage(f, list), components.EventsFound(list))
}
