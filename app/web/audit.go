package web

import (
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// Record adds to the audit log what happened to user's account in this request.
// User is nil when it is not known whose.
func (k *Kit) Record(c *gin.Context, kind string, user *models.User) {
	var organization uuid.UUID // none, on a page of no organization
	if m := Current(c).Member; m != nil {
		organization = m.OrganizationID
	}
	k.RecordIn(c, organization, kind, user)
}

// RecordIn is Record for what happened in an organization.
func (k *Kit) RecordIn(c *gin.Context, organization uuid.UUID, kind string, user *models.User) {
	ctx, cancel := Detached(c)
	defer cancel()
	if err := k.DB.Record(ctx, Event(c, organization, kind, user)); err != nil {
		Current(c).Log().Error("event not recorded", "kind", kind, "err", err)
	}
}

// Event returns the event of that kind, done by the person of this request.
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
