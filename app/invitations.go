package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
)

type inviteForm struct {
	Email string `form:"email" label:"E-mail" noun:"the guest's e-mail" type:"email" autocomplete:"off" validate:"required,max=254,address"`
	Role  string `form:"role" label:"Role" type:"select" validate:"required"`
}

func (a *App) newInviteForm(c *gin.Context) (*inviteForm, *forms.Form, error) {
	in := new(inviteForm)
	form := forms.New(in)
	form.CheckURL = within(c, "/invitations/check")
	roles, err := a.grantable(c)
	form.Offer("role", roleOptions(roles))
	for _, r := range roles {
		if r.Kind == models.RoleMember {
			in.Role = r.ID.String() // unless another is chosen
		}
	}
	return in, form, err
}

func (a *App) showInvitations(c *gin.Context) {
	_, form, err := a.newInviteForm(c)
	if err != nil {
		a.error(c, err)
		return
	}
	a.renderInvitations(c, http.StatusOK, form, "rows")
}

// renderInvitations answers with the page, or under htmx with the named part of it.
func (a *App) renderInvitations(c *gin.Context, status int, form *forms.Form, part string) {
	all, err := a.db.Invitations(c.Request.Context(), current(c).Member.OrganizationID, pageStart(c, "before"), pageSize+1)
	if err != nil {
		a.error(c, err)
		return
	}
	data := newListPage(c, "before", all, func(i models.Invitation) uuid.UUID { return i.ID })
	a.renderPart(c, status, "invitations", part, form, data)
}

// renderInvite answers with the page, or under htmx with its form.
func (a *App) renderInvite(c *gin.Context, status int, form *forms.Form) {
	a.renderInvitations(c, status, form, "fragment")
}

func (a *App) invite(c *gin.Context) {
	in, form, err := a.newInviteForm(c)
	if err != nil {
		a.error(c, err)
		return
	}
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.renderInvite(c, http.StatusUnprocessableEntity, form)
		return
	}
	actor := current(c).Member
	role, err := a.roleByID(c, in.Role)
	if err != nil {
		a.error(c, err)
		return
	}
	if role.Kind == models.RoleOwner { // see mayMoveOwners
		if a.sudo(c); c.IsAborted() {
			return
		}
	}
	tries := a.inviting(c, in.Email)
	if a.limitedOn(c, form, a.renderInvite, tries...) {
		return
	}
	err = a.db.Invite(c.Request.Context(), actor, in.Email, role.ID)
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail("email", invitedSentences[failed.Field])
		a.renderInvite(c, http.StatusUnprocessableEntity, form)
		return
	}
	if err != nil {
		a.refund(c, tries...)
		a.error(c, err)
		return
	}
	a.record(c, models.EventInvited, nil)
	a.flash(c, "invited")
	a.redirect(c, within(c, "/invitations"))
}

// checkInvitation checks one field as the person leaves it.
func (a *App) checkInvitation(c *gin.Context) {
	_, form, err := a.newInviteForm(c)
	if err != nil {
		a.error(c, err)
		return
	}
	if a.bind(c, form) {
		a.checkField(c, "invitations", form)
	}
}

var invitedSentences = map[string]string{
	"email":  "This e-mail is invited already. Send the invitation again below.",
	"member": "This is the e-mail of a member.",
}

// inviting are the tries that an invitation to email counts as.
func (a *App) inviting(c *gin.Context, email string) []attempt {
	return []attempt{
		perIP(c, "invite", a.config.LimitSignUp),
		{"invitation to " + models.Key(email), a.config.LimitMail},
	}
}

func (a *App) resendInvitation(c *gin.Context) {
	actor := current(c).Member
	i, err := a.db.InvitationByID(c.Request.Context(), actor.OrganizationID, id(c))
	if err != nil {
		a.error(c, err)
		return
	}
	if !a.mayMoveOwners(c, i.Role) { // who gets it becomes an owner
		return
	}
	tries := a.inviting(c, i.Email)
	if err := a.attempt(c, tries...); err != nil {
		a.error(c, err)
		return
	}
	if err := a.db.ResendInvitation(c.Request.Context(), actor, i); err != nil {
		a.refund(c, tries...)
		a.error(c, err)
		return
	}
	a.record(c, models.EventInvitationResent, nil)
	a.respondToast(c, http.StatusOK, "invited", within(c, "/invitations"))
}

func (a *App) revokeInvitation(c *gin.Context) {
	actor := current(c).Member
	i, err := a.db.InvitationByID(c.Request.Context(), actor.OrganizationID, id(c))
	if err == nil {
		err = a.db.RevokeInvitation(c.Request.Context(), actor, i)
	}
	if err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventInvitationRevoked, nil)
	a.respondToast(c, http.StatusOK, "revoked", within(c, "/invitations"))
}
