package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
)

func (h Handlers) ShowOverview(c *gin.Context) error {
	return h.Render(c, http.StatusOK, "organization", nil, nil)
}

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
