package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
)

// ShowAudit shows the audit log of the site, or what a filter finds of it. Choosing a person
// is recorded, as the operator looks at what they did.
func (h Handlers) ShowAudit(c *gin.Context) error {
	audit, filter, err := h.auditFilter(c)
	if err != nil {
		return err
	}
	if filter.Person != uuid.Nil {
		if err := h.record(c, h.DB, models.EventLooked, &models.User{ID: filter.Person}, models.EventDetail{}); err != nil {
			return err
		}
	}
	read := func(ctx context.Context, db *models.DB, chosen models.EventFilter, before uuid.UUID, limit int64) ([]models.Event, error) {
		if audit.None != "" {
			return nil, nil
		}
		filter.Kinds, filter.Since = chosen.Kinds, chosen.Since
		return db.AuditEvents(ctx, filter, before, limit)
	}
	list, err := h.Events(c, audit.Filter, read, view.NewAuditRow)
	if err != nil {
		return err
	}
	list.None = audit.None
	audit.EventList = list
	audit.MayExport = isAdmin(c)
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.AuditPage(f, audit), view.AuditFound(audit))
}

// auditFilter returns what the request asks to see of the audit log. If there is no such
// person or organization, None says so.
func (h Handlers) auditFilter(c *gin.Context) (audit view.Audit, filter models.EventFilter, err error) {
	ctx := c.Request.Context()
	audit.By = web.Choice(c, "by", view.AuditBy())
	audit.Person, audit.Organization = text.Printable(c.Query("person")), text.Printable(c.Query("organization"))
	chosen := components.EventFilter{Groups: components.AuditEvents(), More: components.Query("by", audit.By, "person", audit.Person, "organization", audit.Organization)}
	audit.Filter, filter = web.EventFilter(c, chosen)
	filter.By = models.EventBy(audit.By)
	if audit.Organization != "" {
		filter.Organization, err = find(audit.Organization, func() (uuid.UUID, error) {
			o, err := h.DB.OrganizationBySlug(ctx, audit.Organization)
			if err != nil {
				return uuid.Nil, err
			}
			return o.ID, nil
		})
		if errors.Is(err, models.ErrNotFound) {
			audit.None, err = "No organization has this address or ID.", nil
		}
	}
	if audit.Person != "" && err == nil {
		filter.Person, err = find(audit.Person, func() (uuid.UUID, error) {
			u, err := h.DB.UserByLogin(ctx, audit.Person)
			if err != nil {
				return uuid.Nil, err
			}
			return u.ID, nil
		})
		if errors.Is(err, models.ErrNotFound) {
			audit.None, err = "No account has this username, email address or ID. Type all of it.", nil
		}
	}
	return audit, filter, err
}

// find returns the id that was typed, also of what was deleted since, or else what byName
// finds.
func find(typed string, byName func() (uuid.UUID, error)) (uuid.UUID, error) {
	if id, err := models.ParseID(typed); err == nil {
		return id, nil
	}
	return byName()
}
