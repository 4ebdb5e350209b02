package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

// ShowOverview shows the start page of an organization.
func (h Handlers) ShowOverview(c *gin.Context) error {
	actor := web.Current(c).Member
	o := view.Overview{}
	var err error
	if o.Members, err = h.DB.CountMembers(c.Request.Context(), actor.OrganizationID); err != nil {
		return err
	}
	if o.Faces, err = h.DB.Members(c.Request.Context(), actor.OrganizationID, models.MemberSearch{Limit: 8}); err != nil {
		return err
	}
	if actor.Role.May(models.SeeActivity) {
		events, err := h.DB.OrganizationEvents(c.Request.Context(), actor.OrganizationID, models.EventFilter{}, uuid.Nil, 5)
		if err != nil {
			return err
		}
		for _, e := range events {
			o.Events = append(o.Events, view.NewEventRow(e, seesEmails(actor)))
		}
	}
	f := h.Frame(c, http.StatusOK)
	page := view.OverviewPage(f, o)
	return web.Render(c, f, page, page)
}

// Leave ends the user's own membership.
func (h Handlers) Leave(c *gin.Context) error {
	if err := h.confirmOwnerChange(c, web.Current(c).Member.Role); err != nil || c.IsAborted() {
		return err
	}
	detail := &models.EventDetail{Organization: web.Current(c).Member.Organization.Name}
	err := h.AuditedDetail(c, models.EventMemberLeft, web.Current(c).User, detail, func(tx *models.DB) error {
		return tx.Leave(c.Request.Context(), web.Current(c).Member)
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "left", "/organizations")
}
