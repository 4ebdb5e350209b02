package admin

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
)

// ShowOrganizations lists the organizations of the site, or those that a search finds.
func (h Handlers) ShowOrganizations(c *gin.Context) error {
	organizations := view.Organizations{Path: c.Request.URL.Path, Search: web.Search(c)}
	search := models.OrganizationSearch{Text: organizations.Search, Before: web.PageStart(c, "before"), Limit: web.PageSize + 1}
	if organizations.Search != "" {
		search.Limit = maxFound + 1
	}
	var found []models.Organization
	var members map[uuid.UUID]int64
	err := h.Search(c, organizations.Search, func(ctx context.Context, db *models.DB) (err error) {
		if found, err = db.Organizations(ctx, search); err != nil {
			return err
		}
		members, err = db.MemberCounts(ctx, found...)
		return err
	})
	if err != nil {
		return err
	}
	row := func(o models.Organization) view.OrganizationRow {
		return view.OrganizationRow{Organization: o, Members: bounded(members[o.ID])}
	}
	organizations.List, organizations.Cut = listOrFound(c, found, func(o models.Organization) uuid.UUID { return o.ID }, row)
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.OrganizationsPage(f, organizations), view.OrganizationsFound(organizations))
}
