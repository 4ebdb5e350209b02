package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
)

// ShowActivity shows a person what happened to their account.
func (h Handlers) ShowActivity(c *gin.Context) error {
	events, err := h.DB.Events(c.Request.Context(), web.Current(c).User.ID, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	return h.Render(c, http.StatusOK, "activity", nil, web.NewActivityPage(c, events))
}
