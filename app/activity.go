package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// record adds to the audit log what happened to user's account in this request.
// User is nil when it is not known whose.
func (a *App) record(c *gin.Context, kind string, user *models.User) {
	var organization uuid.UUID // none, on a page of no organization
	if m := current(c).Member; m != nil {
		organization = m.OrganizationID
	}
	a.recordIn(c, organization, kind, user)
}

// recordIn is record for what happened in an organization.
func (a *App) recordIn(c *gin.Context, organization uuid.UUID, kind string, user *models.User) {
	ctx, cancel := detached(c)
	defer cancel()
	if err := a.db.Record(ctx, event(c, organization, kind, user)); err != nil {
		current(c).Log().Error("event not recorded", "kind", kind, "err", err)
	}
}

func event(c *gin.Context, organization uuid.UUID, kind string, user *models.User) models.Event {
	r := current(c)
	e := models.Event{OrganizationID: organization, Kind: kind, IP: c.ClientIP(), UserAgent: c.Request.UserAgent(), RequestID: r.ID}
	if user != nil {
		e.UserID = user.ID
	}
	if r.User != nil {
		e.ActorID = r.User.ID
	}
	return e
}

func newActivityPage(c *gin.Context, events []models.Event) listPage[models.Event] {
	return newListPage(c, "before", events, func(e models.Event) uuid.UUID { return e.ID })
}

// showActivity shows a person what happened to their account.
func (a *App) showActivity(c *gin.Context) {
	events, err := a.db.Events(c.Request.Context(), current(c).User.ID, pageStart(c, "before"), pageSize+1)
	if err != nil {
		a.error(c, err)
		return
	}
	a.render(c, http.StatusOK, "activity", nil, newActivityPage(c, events))
}

// showOrganizationActivity shows what happened in the organization in use. Where
// from is left out: that is for the person themselves, and for operators.
func (a *App) showOrganizationActivity(c *gin.Context) {
	events, err := a.db.OrganizationEvents(c.Request.Context(), current(c).Member.OrganizationID, pageStart(c, "before"), pageSize+1)
	if err != nil {
		a.error(c, err)
		return
	}
	a.render(c, http.StatusOK, "organization-activity", nil, newActivityPage(c, events))
}
