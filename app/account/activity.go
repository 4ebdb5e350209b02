package account

import (
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
	events, err := h.DB.Events(c.Request.Context(), web.Current(c).User.ID, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	list := web.NewList(c, "before", events, func(e models.Event) uuid.UUID { return e.ID }, view.NewEventRow)
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.ActivityPage(f, list), components.Events(list))
}
