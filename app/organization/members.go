package organization

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

// ShowMembers shows the members of an organization, or those that a search finds.
func (h Handlers) ShowMembers(c *gin.Context) error {
	actor := web.Current(c).Member
	roles, count, err := h.DB.RolesAndMembers(c.Request.Context(), actor.OrganizationID)
	if err != nil {
		return err
	}
	found := view.Members{Path: c.Request.URL.Path, Count: count, Search: web.Search(c), Roles: optionsOf(roles), Sort: view.MembersBySince}
	if slices.Contains(view.MemberOrders(), c.Query("sort")) {
		found.Sort = c.Query("sort")
	}
	search := models.MemberSearch{Text: found.Search, Emails: seesEmails(actor), After: web.PageStart(c, "after"), AfterName: text.Printable(c.Query("name")), Limit: web.PageSize + 1}
	search.ByName = found.Sort == view.MembersByName || found.Sort == view.MembersByNameDown
	search.Descending = found.Sort == view.MembersByNameDown || found.Sort == view.MembersBySinceDown
	if i := slices.IndexFunc(roles, func(r models.Role) bool { return r.ID.String() == c.Query("role") }); i >= 0 {
		found.Role, search.Role = roles[i].ID.String(), roles[i].ID
	}
	kept := found.Query(found.Sort)
	limited := found.Search + found.Role // what may have to look at every member
	if search.ByName {
		limited += found.Sort
	}
	var members []models.Membership
	err = h.Search(c, limited, func(ctx context.Context, db *models.DB) (err error) {
		members, err = db.Members(ctx, actor.OrganizationID, search)
		return err
	})
	if err != nil {
		return err
	}
	if search.ByName && len(members) > web.PageSize {
		kept.Set("name", members[web.PageSize-1].User.NameKey)
	}
	options := optionsOf(grantable(actor, roles))
	found.List = web.NewList(c, "after", members, func(m models.Membership) uuid.UUID { return m.ID }, func(m models.Membership) view.MemberRow {
		m.Role = roleOf(m, roles)
		return newMemberRow(actor, &m, options)
	}, kept)
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.MembersPage(f, found), view.MembersFound(f, found))
}

// seesEmails reports whether actor may see the addresses of other members.
func seesEmails(actor *models.Membership) bool {
	return actor.Role.May(models.ManageMembers) || actor.Role.May(models.InviteMembers)
}

func newMemberRow(actor, m *models.Membership, roles []forms.Option) view.MemberRow {
	row := view.MemberRow{
		ID:       m.ID.String(),
		UserID:   m.UserID,
		Name:     m.User.FullName(),
		Username: m.User.Username,
		Self:     m.ID == actor.ID,
		Since:    m.CreatedAt,
		Owner:    m.Role.Kind == models.RoleOwner,
		Role:     m.Role.Name,
		RoleID:   m.RoleID.String(),
	}
	if seesEmails(actor) || row.Self {
		row.Email = m.User.ShownEmail()
	}
	if actor.Role.May(models.ManageMembers) && actor.Role.Covers(m.Role) {
		row.Roles = roles
	}
	return row
}

// roleOf finds the role of m. It returns an empty one if the role was deleted a moment
// ago.
func roleOf(m models.Membership, roles []models.Role) *models.Role {
	i := slices.IndexFunc(roles, func(r models.Role) bool { return r.ID == m.RoleID })
	if i < 0 {
		return new(models.Role)
	}
	return &roles[i]
}

// grantable returns those of roles that actor may assign.
func grantable(actor *models.Membership, roles []models.Role) (granted []models.Role) {
	for _, r := range roles {
		if actor.Role.Covers(&r) {
			granted = append(granted, r)
		}
	}
	return granted
}

func optionsOf(roles []models.Role) []forms.Option {
	var options []forms.Option
	for _, r := range roles {
		options = append(options, forms.Option{Value: r.ID.String(), Label: r.Name})
	}
	return options
}

// roleByID returns the role of that id in the current organization, or
// models.ErrNotFound.
func (h Handlers) roleByID(c *gin.Context, value string) (*models.Role, error) {
	id, err := uuid.Parse(value)
	if err != nil {
		return nil, models.ErrNotFound
	}
	return h.DB.RoleByID(c.Request.Context(), web.Current(c).Member.OrganizationID, id)
}

// ChangeMemberRole changes a member's role.
func (h Handlers) ChangeMemberRole(c *gin.Context) error {
	form := forms.New(new(view.MemberRole))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	actor := web.Current(c).Member
	m, err := h.DB.MemberByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	role, err := h.roleByID(c, form.Role)
	if err != nil {
		return err
	}
	if err := h.confirmOwnerChange(c, m.Role, role); err != nil || c.IsAborted() {
		return err
	}
	if role.ID != m.RoleID {
		detail := &models.EventDetail{Organization: m.Organization.Name, Role: role.Name, RoleFrom: m.Role.Name}
		err = h.AuditedDetail(c, models.EventMemberRoleChanged, m.User, detail, func(tx *models.DB) error {
			return tx.SetRole(c.Request.Context(), actor, m.ID, role.ID)
		})
	}
	here := web.IsHTMX(c) && !web.Current(c).Reauthenticated // the row is on the page
	if last := new(models.LastOwnerError); errors.As(err, &last) && here {
		return h.renderMember(c, web.LastOwner)
	}
	if err != nil {
		return err
	}
	if !here || m.ID == actor.ID { // whose whole page is another now
		return h.RedirectWith(c, "role-changed", web.Within(c, "/members"))
	}
	return h.renderMember(c, "")
}

// confirmOwnerChange asks an owner for the password before a member becomes or stops
// being an owner, as before a transfer. A stolen session alone must not be enough to
// take over an organization. It aborts c if it has answered.
func (h Handlers) confirmOwnerChange(c *gin.Context, roles ...*models.Role) error {
	isOwner := func(r *models.Role) bool { return r.Kind == models.RoleOwner }
	if isOwner(web.Current(c).Member.Role) && slices.ContainsFunc(roles, isOwner) {
		return h.auth().ReauthenticateForButton(c)
	}
	return nil
}

// renderMember answers with the row of the member in the path: with the sentence and
// 409 if there is one, otherwise with a toast.
func (h Handlers) renderMember(c *gin.Context, sentence string) error {
	actor := web.Current(c).Member
	m, err := h.DB.MemberByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	roles, err := h.DB.Roles(c.Request.Context(), actor.OrganizationID)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	row := newMemberRow(actor, m, optionsOf(grantable(actor, roles)))
	row.Changed = true
	if row.Error = sentence; sentence != "" {
		return web.RenderFragment(c, http.StatusConflict, view.Member(f, row, false))
	}
	return h.RenderSaved(c, view.Member(f, row, false), "role-changed")
}

// RemoveMember ends a membership.
func (h Handlers) RemoveMember(c *gin.Context) error {
	actor := web.Current(c).Member
	if web.ID(c) == actor.ID {
		return h.Leave(c)
	}
	m, err := h.DB.MemberByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	if err := h.confirmOwnerChange(c, m.Role); err != nil || c.IsAborted() {
		return err
	}
	detail := &models.EventDetail{Organization: m.Organization.Name, Role: m.Role.Name}
	err = h.AuditedDetail(c, models.EventMemberRemoved, m.User, detail, func(tx *models.DB) error {
		return tx.RemoveMember(c.Request.Context(), actor, m.ID)
	})
	if err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "removed", web.Within(c, "/members"))
}
