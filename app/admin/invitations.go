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

// ShowInvitations lists the invitations to organizations and to the site: all, or those of an
// email address.
func (h Handlers) ShowInvitations(c *gin.Context) error {
	invitations := view.Invitations{Path: c.Request.URL.Path, Search: web.Search(c), MayRevoke: isAdmin(c)}
	var all []models.Invitation
	void := map[uuid.UUID]bool{}
	err := h.Search(c, invitations.Search, func(ctx context.Context, db *models.DB) (err error) {
		if all, err = db.AllInvitations(ctx, invitations.Search, web.PageStart(c, "before"), web.PageSize+1); err != nil {
			return err
		}
		for _, i := range all {
			if void[i.ID], err = db.Void(ctx, &i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	invitations.List = web.NewList(c, "before", all, func(i models.Invitation) uuid.UUID { return i.ID }, func(i models.Invitation) view.InvitationRow {
		return view.InvitationRow{Invitation: i, Void: void[i.ID]}
	})
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.InvitationsPage(f, invitations), view.InvitationsFound(invitations))
}

// RevokeInvitation asks for the reason to revoke an invitation or, with a reason, revokes it
// and records that.
func (h Handlers) RevokeInvitation(c *gin.Context) error {
	ctx := c.Request.Context()
	i, err := h.DB.AnyInvitation(ctx, web.ID(c))
	if err != nil {
		return err
	}
	r := view.Reasoned{
		Title: "Revoke the invitation", About: "Of " + i.ShownEmail() + " to " + view.InvitedTo(i), Button: "Revoke invitation", Grave: true,
		Means: "Its link stops working. Nobody gets mail about it.",
		Path:  view.RevokePath(i.ID), Back: "/admin/invitations", BackTo: "the invitations",
	}
	return h.withReason(c, r, "operator-did", r.Back, func(tx *models.DB, reason string) error {
		if err := tx.RemoveInvitation(ctx, i); err != nil {
			return err
		}
		kind, detail := models.EventSiteInviteRevoked, models.EventDetail{Email: i.Email, Reason: reason}
		if !i.ToSite() {
			kind, detail.Role = models.EventInvitationRevoked, i.Role.Name
		}
		return h.recordIn(c, tx, i.OrganizationID, kind, nil, detail)
	})
}
