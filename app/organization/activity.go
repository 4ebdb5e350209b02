package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
)

// ShowActivity shows what happened in the organization in use. It leaves out where
// from: that is for the person themselves, and for operators.
func (h Handlers) ShowActivity(c *gin.Context) error {
	events, err := h.DB.OrganizationEvents(c.Request.Context(), web.Current(c).Member.OrganizationID, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	return h.Render(c, http.StatusOK, "organization-activity", nil, web.NewActivityPage(c, events))
}
