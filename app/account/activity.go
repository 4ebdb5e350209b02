package account

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
	"vestibule/templates/components"
)

// ShowActivity shows the user the events of their account.
func (h Handlers) ShowActivity(c *gin.Context) error {
	read := func(ctx context.Context, db *models.DB, filter models.EventFilter, before uuid.UUID, limit int64) ([]models.Event, error) {
		return db.Events(ctx, web.Current(c).User.ID, filter, before, limit)
	}
	list, err := h.Events(c, components.EventFilter{Groups: components.AccountEvents()}, read, view.NewEventRow)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.ActivityPage(f, list), components.EventsFound(list))
}
