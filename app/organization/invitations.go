package organization

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type inviteForm struct {
	Email string `form:"email" label:"E-mail" noun:"the guest's e-mail" type:"email" autocomplete:"off" validate:"required,max=254,address"`
	Role  string `form:"role" label:"Role" type:"select" validate:"required"`
}

func (h Handlers) newInviteForm(c *gin.Context) (*inviteForm, *forms.Form, error) {
	in := new(inviteForm)
	form := forms.New(in)
	form.CheckURL = web.Within(c, "/invitations/check")
	roles, err := h.grantable(c)
	form.Offer("role", roleOptions(roles))
	for _, r := range roles {
		if r.Kind == models.RoleMember {
			in.Role = r.ID.String() // unless another is chosen
		}
	}
	return in, form, err
}

func (h Handlers) ShowInvitations(c *gin.Context) error {
	_, form, err := h.newInviteForm(c)
	if err != nil {
		return err
	}
	return h.renderInvitations(c, http.StatusOK, form, "rows")
}

// renderInvitations answers with the page, or under htmx with the named part of it.
func (h Handlers) renderInvitations(c *gin.Context, status int, form *forms.Form, part string) error {
	all, err := h.DB.Invitations(c.Request.Context(), web.Current(c).Member.OrganizationID, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	data := web.NewList(c, "before", all, func(i models.Invitation) uuid.UUID { return i.ID })
	return h.RenderPart(c, status, "invitations", part, form, data)
}

// renderInvite answers with the page, or under htmx with its form.
func (h Handlers) renderInvite(c *gin.Context, status int, form *forms.Form) error {
	return h.renderInvitations(c, status, form, "fragment")
}

func (h Handlers) Invite(c *gin.Context) error {
	in, form, err := h.newInviteForm(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderInvite(c, http.StatusUnprocessableEntity, form)
	}
	actor := web.Current(c).Member
	role, err := h.roleByID(c, in.Role)
	if err != nil {
		return err
	}
	if role.Kind == models.RoleOwner { // see confirmOwnerChange
		if err := h.auth().Reauthenticate(c); err != nil || c.IsAborted() {
			return err
		}
	}
	attempts := h.inviteAttempts(c, in.Email)
	if limited, err := h.Limited(c, form, attempts...); err != nil {
		return err
	} else if limited {
		return h.renderInvite(c, http.StatusTooManyRequests, form)
	}
	err = h.DB.Invite(c.Request.Context(), actor, in.Email, role.ID)
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail("email", invitedSentences[failed.Field])
		return h.renderInvite(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	h.Record(c, models.EventInvited, nil)
	return h.RedirectWith(c, "invited", web.Within(c, "/invitations"))
}

// CheckInvitation checks one field as the person leaves it.
func (h Handlers) CheckInvitation(c *gin.Context) error {
	_, form, err := h.newInviteForm(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, form); err != nil {
		return err
	}
	return h.CheckField(c, "invitations", form)
}

var invitedSentences = map[string]string{
	"email":  "This e-mail is invited already. Send the invitation again below.",
	"member": "This is the e-mail of a member.",
}

// inviteAttempts returns the attempts that an invitation to email counts as.
func (h Handlers) inviteAttempts(c *gin.Context, email string) []web.Attempt {
	return []web.Attempt{
		web.PerIP(c, "invite", h.Config.LimitSignUp),
		web.NewAttempt("invitation to "+models.Key(email), h.Config.LimitMail),
	}
}

func (h Handlers) ResendInvitation(c *gin.Context) error {
	actor := web.Current(c).Member
	i, err := h.DB.InvitationByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	if err := h.confirmOwnerChange(c, i.Role); err != nil || c.IsAborted() { // an owner may come of it
		return err
	}
	attempts := h.inviteAttempts(c, i.Email)
	if err := h.Attempt(c, attempts...); err != nil {
		return err
	}
	if err := h.DB.ResendInvitation(c.Request.Context(), actor, i); err != nil {
		h.Refund(c, attempts...)
		return err
	}
	h.Record(c, models.EventInvitationResent, nil)
	return h.RespondToast(c, http.StatusOK, "invited", web.Within(c, "/invitations"))
}

func (h Handlers) RevokeInvitation(c *gin.Context) error {
	actor := web.Current(c).Member
	i, err := h.DB.InvitationByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err == nil {
		err = h.DB.RevokeInvitation(c.Request.Context(), actor, i)
	}
	if err != nil {
		return err
	}
	h.Record(c, models.EventInvitationRevoked, nil)
	return h.RespondToast(c, http.StatusOK, "revoked", web.Within(c, "/invitations"))
}
