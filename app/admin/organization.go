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

// ShowOrganization shows what the site has about an organization, and its members or those
// that a search finds. It records that the operator looked.
func (h Handlers) ShowOrganization(c *gin.Context) error {
	ctx := c.Request.Context()
	o, err := h.DB.OrganizationByID(ctx, web.ID(c))
	if err != nil {
		return err
	}
	if err := h.recordIn(c, h.DB, o.ID, models.EventLooked, nil, models.EventDetail{Organization: o.Name}); err != nil {
		return err
	}
	page := view.Organization{Organization: o, MayAct: isAdmin(c)}
	roles, err := h.DB.Roles(ctx, o.ID)
	if err != nil {
		return err
	}
	if page.Found, err = h.members(c, o, roles); err != nil {
		return err
	}
	page.Found.MayAct = page.MayAct
	if err := h.organization(ctx, &page, roles); err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.OrganizationPage(f, page), view.MembersFound(page.Found))
}

// members reads the members that the request asks for.
func (h Handlers) members(c *gin.Context, o *models.Organization, roles []models.Role) (view.Members, error) {
	found := view.Members{Path: view.OrganizationPath(o.ID, ""), Search: web.Search(c)}
	var members []models.Membership
	err := h.Search(c, found.Search, func(ctx context.Context, db *models.DB) (err error) {
		members, err = db.Members(ctx, o.ID, models.MemberSearch{Text: found.Search, Emails: true, After: web.PageStart(c, "after"), Limit: web.PageSize + 1})
		return err
	})
	found.List = web.NewList(c, "after", withRoles(members, roles), func(m models.Membership) uuid.UUID { return m.ID }, func(m models.Membership) models.Membership { return m })
	return found, err
}

// organization reads what an organization's page shows besides its members.
func (h Handlers) organization(ctx context.Context, page *view.Organization, roles []models.Role) error {
	counts, err := h.DB.MemberCounts(ctx, *page.Organization)
	if err != nil {
		return err
	}
	page.Members = bounded(counts[page.ID])
	if page.Owners, err = h.owners(ctx, page.Organization, roles); err != nil {
		return err
	}
	invitations, err := h.DB.Invitations(ctx, page.ID, uuid.Nil, web.PageSize)
	if err != nil {
		return err
	}
	for _, i := range invitations {
		i.Organization = page.Organization
		void, err := h.DB.Void(ctx, &i)
		if err != nil {
			return err
		}
		page.Invitations = append(page.Invitations, view.InvitationRow{Invitation: i, Void: void})
	}
	page.Events, err = h.DB.OrganizationEvents(ctx, page.ID, models.EventFilter{}, uuid.Nil, recentEvents)
	return err
}

// maxOwners is how many owners a page lists.
const maxOwners = 100

// owners lists the owners of an organization that has these roles.
func (h Handlers) owners(ctx context.Context, o *models.Organization, roles []models.Role) ([]models.Membership, error) {
	search := models.MemberSearch{Limit: maxOwners}
	for _, r := range roles {
		if r.Kind == models.RoleOwner {
			search.Role = r.ID
		}
	}
	owners, err := h.DB.Members(ctx, o.ID, search)
	return withRoles(owners, roles), err
}

// withRoles fills in the role of each member, which is one of roles.
func withRoles(members []models.Membership, roles []models.Role) []models.Membership {
	byID := map[uuid.UUID]*models.Role{}
	for i := range roles {
		byID[roles[i].ID] = &roles[i]
	}
	for i, m := range members {
		members[i].Role = byID[m.RoleID]
	}
	return members
}
