package web

import (
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// NewActivityPage returns the page of events that the request asks for.
func NewActivityPage(c *gin.Context, events []models.Event) List[models.Event] {
	return NewList(c, "before", events, func(e models.Event) uuid.UUID { return e.ID })
}
