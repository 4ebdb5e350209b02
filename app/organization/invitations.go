package organization

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

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
			CreatedAt: i.CreatedAt,
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
	return web.Render(c, f, view.InvitationsPage(f, form, list), view.InviteAnswered(f, form, list))
}

// maxInvitees is how many people one form invites.
const maxInvitees = 50

var (
	betweenAddresses = regexp.MustCompile(`[\s\p{Z},;]+`)
	namedAddress     = regexp.MustCompile(`[^,;\n<>]*<([^<>]*)>`) // as mail programs copy it
)

// invitees returns the addresses that form holds, each once, and checks them.
func (h Handlers) invitees(c *gin.Context, form *view.Invite) []*view.Invitee {
	var all []*view.Invitee
	seen := map[string]bool{}
	for _, email := range betweenAddresses.Split(namedAddress.ReplaceAllString(form.Email, " $1 "), -1) {
		if key := text.EmailKey(email); key == "" || seen[key] {
			continue
		}
		seen[text.EmailKey(email)] = true
		i := forms.New(&view.Invitee{Email: email})
		_ = i.Validate() // its field says what is wrong
		h.FailUnreachable(c.Request.Context(), &i.Form)
		if all = append(all, i); len(all) > maxInvitees {
			form.Fail("email", fmt.Sprintf("Invite at most %d people at a time.", maxInvitees))
			break
		}
	}
	switch {
	case len(all) == 1 && !all[0].Valid():
		form.Fail("email", problem(all[0]))
	case len(all) == 0:
		form.Fail("email", "Enter an email address.")
	}
	return all
}

// problem returns the error of an address.
func problem(i *view.Invitee) string { return i.Field(&i.Email).Error }

// Invite mails an invitation to each address. One that can't be invited keeps no other
// from it, and stays in the form.
func (h Handlers) Invite(c *gin.Context) error {
	form, err := h.newInvite(c)
	if err != nil {
		return err
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	invitees := h.invitees(c, form)
	if !form.Valid() {
		return h.renderInvite(c, http.StatusUnprocessableEntity, form)
	}
	role, err := h.roleByID(c, form.Role)
	if err != nil {
		return err
	}
	if role.Kind == models.RoleOwner { // see confirmOwnerChange
		if err := h.auth().Reauthenticate(c); err != nil || c.IsAborted() {
			return err
		}
	}
	status, invited := http.StatusUnprocessableEntity, 0
	var left []string
	for _, i := range invitees {
		if i.Valid() {
			if err := h.invite(c, i, role); err != nil {
				if invited == 0 {
					return err
				}
				web.Current(c).Log().Error("invitation failed", "err", err)
				i.Error = "Something went wrong. Please try again in a moment."
				status = http.StatusInternalServerError
			}
		}
		if i.Valid() {
			invited++
		} else {
			left = append(left, i.Email)
		}
		if c.Writer.Header().Get("Retry-After") != "" {
			status = http.StatusTooManyRequests
		}
		form.Answers = append(form.Answers, view.InviteAnswer{Email: text.ShowEmail(i.Email), Problem: cmp.Or(i.Error, problem(i))})
	}
	switch {
	case len(left) == 0 && invited == 1:
		return h.RedirectWith(c, "invited", web.Within(c, "/invitations"))
	case len(left) == 0:
		return h.RedirectWith(c, "invited-all", web.Within(c, "/invitations"))
	case len(invitees) == 1:
		form.Answers, form.Error = nil, invitees[0].Error
		if sentence := problem(invitees[0]); sentence != "" {
			form.Fail("email", sentence)
		}
	default:
		form.Email = strings.Join(left, ", ")
		form.Fail("email", leftSentence(len(left), len(invitees)))
	}
	return h.renderInvite(c, status, form)
}

// leftSentence says how many of the addresses couldn't be invited.
func leftSentence(left, all int) string {
	switch left {
	case all:
		return fmt.Sprintf("None of the %d addresses could be invited.", all)
	case 1:
		return fmt.Sprintf("1 of %d addresses couldn't be invited. It's still in the field.", all)
	}
	return fmt.Sprintf("%d of %d addresses couldn't be invited. They're still in the field.", left, all)
}

// invite invites one address, or sets an error in its form.
func (h Handlers) invite(c *gin.Context, i *view.Invitee, role *models.Role) error {
	attempts := h.inviteAttempts(c, i.Email)
	if limited, err := h.Limited(c, &i.Form, attempts...); err != nil || limited {
		return err
	}
	err := h.AuditedDetail(c, models.EventInvited, nil, &models.EventDetail{Email: i.Email, Role: role.Name}, func(tx *models.DB) error {
		return tx.Invite(c.Request.Context(), web.Current(c).Member, i.Email, role.ID)
	})
	if failed := new(models.TakenError); errors.As(err, &failed) {
		i.Fail("email", invitedSentences[failed.Field])
		return nil
	}
	if err != nil {
		h.Refund(c, attempts...)
	}
	if web.Full(&i.Form, err, "An organization can have up to %s invitations. Revoke some first.") {
		return nil
	}
	return err
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
	for _, i := range h.invitees(c, form) {
		if !i.Valid() { // the first one is enough
			form.Fail("email", i.Email+": "+problem(i))
		}
	}
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
	by, of := " by "+actor.UserID.String(), " of "+actor.OrganizationID.String()
	return []web.Attempt{
		web.PerIP(c, "invite", h.Config.LimitSignUp),
		web.NewAttempt("invitation to "+text.MailboxKey(email)+by, h.Config.LimitMail),
		web.NewAttempt("invitations"+by, h.Config.LimitInvite),
		web.NewAttempt("daily invitations"+by, h.Config.LimitInviteDay),
		web.NewAttempt("invitations"+of, h.Config.LimitInvite),
		web.NewAttempt("daily invitations"+of, h.Config.LimitInviteDay),
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
	err = h.AuditedDetail(c, models.EventInvitationResent, nil, &models.EventDetail{Email: i.Email, Role: i.Role.Name}, func(tx *models.DB) error {
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
	err = h.AuditedDetail(c, models.EventInvitationRevoked, nil, &models.EventDetail{Email: i.Email, Role: i.Role.Name}, func(tx *models.DB) error {
		return tx.RevokeInvitation(c.Request.Context(), actor, i)
	})
	if err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "revoked", web.Within(c, "/invitations"))
}
