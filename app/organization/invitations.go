package organization

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
	view "vestibule/templates/organization"
)

func (h Handlers) newInvite(c *gin.Context) (*view.Invite, error) {
	form := forms.New(new(view.Invite))
	form.CheckURL = web.Within(c, "/invitations/check")
	actor := web.Current(c).Member
	all, err := h.DB.Roles(c.Request.Context(), actor.OrganizationID)
	roles := grantable(actor, all)
	form.Offer(&form.Role, optionsOf(roles))
	for _, r := range roles {
		if r.Kind == models.RoleMember {
			form.Role = r.ID.String() // unless another is chosen
		}
	}
	return form, err
}

// ShowInvitations shows the pending invitations, and the form of a new one.
func (h Handlers) ShowInvitations(c *gin.Context) error {
	form, err := h.newInvite(c)
	if err != nil {
		return err
	}
	list, err := h.invitations(c)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.InvitationsPage(f, form, list), view.InvitationRows(f, list))
}

// invitations returns the page of the list that the request asks for.
func (h Handlers) invitations(c *gin.Context) (components.List[view.InvitationRow], error) {
	all, err := h.DB.Invitations(c.Request.Context(), web.Current(c).Member.OrganizationID, web.PageStart(c, "before"), web.PageSize+1)
	return web.NewList(c, "before", all, func(i models.Invitation) uuid.UUID { return i.ID }, func(i models.Invitation) view.InvitationRow {
		return view.InvitationRow{
			ID:        i.ID.String(),
			Email:     i.ShownEmail(),
			Role:      i.Role.Name,
			Inviter:   i.Inviter.FullName(),
			ExpiresAt: i.ExpiresAt,
			Expired:   i.Expired(),
		}
	}), err
}

func (h Handlers) renderInvite(c *gin.Context, status int, form *view.Invite) error {
	list, err := h.invitations(c)
	if err != nil {
		return err
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.InvitationsPage(f, form, list), view.InviteForm(f, form))
}

// Invite mails an invitation.
func (h Handlers) Invite(c *gin.Context) error {
	form, err := h.newInvite(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	h.FailUnreachable(c.Request.Context(), &form.Form)
	if !form.Valid() {
		return h.renderInvite(c, http.StatusUnprocessableEntity, form)
	}
	actor := web.Current(c).Member
	role, err := h.roleByID(c, form.Role)
	if err != nil {
		return err
	}
	if role.Kind == models.RoleOwner { // see confirmOwnerChange
		if err := h.auth().Reauthenticate(c); err != nil || c.IsAborted() {
			return err
		}
	}
	attempts := h.inviteAttempts(c, form.Email)
	if limited, err := h.Limited(c, &form.Form, attempts...); err != nil {
		return err
	} else if limited {
		return h.renderInvite(c, http.StatusTooManyRequests, form)
	}
	err = h.Audited(c, models.EventInvited, nil, func(tx *models.DB) error {
		return tx.Invite(c.Request.Context(), actor, form.Email, role.ID)
	})
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail("email", invitedSentences[failed.Field])
		return h.renderInvite(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		h.Refund(c, attempts...)
	}
	if web.Full(&form.Form, err, "An organization can have up to %s invitations. Revoke some first.") {
		return h.renderInvite(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "invited", web.Within(c, "/invitations"))
}

// CheckInvitation checks one field as the user leaves it.
func (h Handlers) CheckInvitation(c *gin.Context) error {
	form, err := h.newInvite(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	h.FailUnreachable(c.Request.Context(), &form.Form)
	return web.CheckFields(c, form.Refresh(c.Query("field")))
}

var invitedSentences = map[string]string{
	"email":  "This address has already been invited. You can resend the invitation below.",
	"member": "This person is already a member.",
}

// inviteAttempts returns the attempts to count for an invitation to email. Those to a
// recipient count for each inviter alone, because a common limit would tell one what
// others do; the mail queue has that one (see app.toStranger).
func (h Handlers) inviteAttempts(c *gin.Context, email string) []web.Attempt {
	actor := web.Current(c).Member
	by, to := "invitations by "+actor.UserID.String(), "invitations of "+actor.OrganizationID.String()
	return []web.Attempt{
		web.PerIP(c, "invite", h.Config.LimitSignUp),
		web.NewAttempt("invitation to "+text.MailboxKey(email)+" by "+actor.UserID.String(), h.Config.LimitMail),
		web.NewAttempt(by, h.Config.LimitInvite),
		web.NewAttempt(by+" in a day", h.Config.LimitInviteDay),
		web.NewAttempt(to, h.Config.LimitInvite),
		web.NewAttempt(to+" in a day", h.Config.LimitInviteDay),
	}
}

// ResendInvitation mails an invitation once more.
func (h Handlers) ResendInvitation(c *gin.Context) error {
	actor := web.Current(c).Member
	i, err := h.DB.InvitationByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	if err := h.confirmOwnerChange(c, i.Role); err != nil || c.IsAborted() { // the invitation may create an owner
		return err
	}
	attempts := h.inviteAttempts(c, i.Email)
	if err := h.Attempt(c, attempts...); err != nil {
		return err
	}
	err = h.Audited(c, models.EventInvitationResent, nil, func(tx *models.DB) error {
		return tx.ResendInvitation(c.Request.Context(), actor, i)
	})
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	return h.RespondToast(c, http.StatusOK, "invited", web.Within(c, "/invitations"))
}

// RevokeInvitation ends an invitation that nobody has accepted.
func (h Handlers) RevokeInvitation(c *gin.Context) error {
	actor := web.Current(c).Member
	i, err := h.DB.InvitationByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	err = h.Audited(c, models.EventInvitationRevoked, nil, func(tx *models.DB) error {
		return tx.RevokeInvitation(c.Request.Context(), actor, i)
	})
	if err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "revoked", web.Within(c, "/invitations"))
}
