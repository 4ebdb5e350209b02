package web

import (
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// Record adds an event of user's account to the audit log. User is nil if unknown.
func (k *Kit) Record(c *gin.Context, kind string, user *models.User) {
	var organization uuid.UUID // zero outside an organization's pages
	if m := Current(c).Member; m != nil {
		organization = m.OrganizationID
	}
	k.RecordIn(c, organization, kind, user)
}

// RecordIn is Record for an event in an organization.
func (k *Kit) RecordIn(c *gin.Context, organization uuid.UUID, kind string, user *models.User) {
	ctx, cancel := Detached(c)
	defer cancel()
	if err := k.DB.Record(ctx, Event(c, organization, kind, user)); err != nil {
		Current(c).Log().Error("event not recorded", "kind", kind, "err", err)
	}
}

// Event returns an event of that kind, caused by the user of this request.
func Event(c *gin.Context, organization uuid.UUID, kind string, user *models.User) models.Event {
	r := Current(c)
	e := models.Event{OrganizationID: organization, Kind: kind, IP: c.ClientIP(), UserAgent: c.Request.UserAgent(), RequestID: r.ID}
	if user != nil {
		e.UserID = user.ID
	}
	if r.User != nil {
		e.ActorID = r.User.ID
	}
	return e
}
