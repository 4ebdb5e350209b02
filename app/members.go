package app

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
)

// membersData is one page of an organization's members.
type membersData struct {
	listPage[memberRow]
	Search string
}

// memberRow is a member as the person may see and change them.
type memberRow struct {
	*models.Membership
	Path  string         // of what changes them
	Self  bool           // it is the person
	Email bool           // the person may see it
	Focus bool           // the person goes on here: the first of a further page, or what was changed
	Roles []forms.Option // to choose from; none when the person may not
	Error string
}

type memberRoleForm struct {
	Role string `form:"role"`
}

func (a *App) showMembers(c *gin.Context) {
	actor := current(c).Member
	search := models.MemberSearch{Text: c.Query("q"), Emails: seesEmails(actor), After: pageStart(c, "after"), Limit: pageSize + 1}
	members, err := a.db.Members(c.Request.Context(), actor.OrganizationID, search)
	if err != nil {
		a.error(c, err)
		return
	}
	roles, err := a.grantable(c)
	if err != nil {
		a.error(c, err)
		return
	}
	var rows []memberRow
	for i := range members {
		rows = append(rows, newMemberRow(actor, &members[i], roles))
	}
	data := membersData{newListPage(c, "after", rows, func(r memberRow) uuid.UUID { return r.ID }), search.Text}
	if data.Focus && len(data.Rows) > 0 {
		data.Rows[0].Focus = true
	}
	a.renderPart(c, http.StatusOK, "members", "found", nil, data)
}

// seesEmails tells whether actor may see the addresses of other members.
func seesEmails(actor *models.Membership) bool {
	return actor.Role.May(models.ManageMembers) || actor.Role.May(models.InviteMembers)
}

func newMemberRow(actor, m *models.Membership, roles []models.Role) memberRow {
	row := memberRow{
		Membership: m,
		Path:       organizationPath(actor, "/members/"+m.ID.String()),
		Self:       m.ID == actor.ID,
		Email:      seesEmails(actor) || m.ID == actor.ID,
	}
	if !actor.Role.May(models.ManageMembers) || !actor.Role.Covers(m.Role) {
		return row
	}
	for _, o := range roleOptions(roles) {
		o.Chosen = o.Value == m.RoleID.String()
		row.Roles = append(row.Roles, o)
	}
	return row
}

// grantable lists the roles that the person may give.
func (a *App) grantable(c *gin.Context) ([]models.Role, error) {
	actor := current(c).Member
	roles, err := a.db.Roles(c.Request.Context(), actor.OrganizationID)
	return slices.DeleteFunc(roles, func(r models.Role) bool { return !actor.Role.Covers(&r) }), err
}

func roleOptions(roles []models.Role) []forms.Option {
	var options []forms.Option
	for _, r := range roles {
		options = append(options, forms.Option{Value: r.ID.String(), Label: r.Name})
	}
	return options
}

// roleByID finds the role of that id in the organization in use. It returns
// models.ErrNotFound when there is none.
func (a *App) roleByID(c *gin.Context, value string) (*models.Role, error) {
	id, err := uuid.Parse(value)
	if err != nil {
		return nil, models.ErrNotFound
	}
	return a.db.RoleByID(c.Request.Context(), current(c).Member.OrganizationID, id)
}

func (a *App) changeMemberRole(c *gin.Context) {
	in := new(memberRoleForm)
	if !a.bind(c, forms.New(in)) {
		return
	}
	actor := current(c).Member
	m, err := a.db.MemberByID(c.Request.Context(), actor.OrganizationID, id(c))
	if err != nil {
		a.error(c, err)
		return
	}
	role, err := a.roleByID(c, in.Role)
	if err != nil {
		a.error(c, err)
		return
	}
	if !a.mayMoveOwners(c, m.Role, role) {
		return
	}
	changed := role.ID != m.RoleID // else there is nothing to do, nor to record
	if changed {
		err = a.db.SetRole(c.Request.Context(), actor, m.ID, role.ID)
	}
	here := isHTMX(c) && !current(c).Reauthenticated // the row is on the page
	if last := new(models.LastOwnerError); errors.As(err, &last) && here {
		a.renderMember(c, http.StatusConflict, "member", lastOwnerSentence)
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	if changed {
		a.record(c, models.EventMemberRoleChanged, m.User)
	}
	if !here || m.ID == actor.ID { // whose whole page is another now
		a.flash(c, "saved")
		a.redirect(c, within(c, "/members"))
		return
	}
	a.renderMember(c, http.StatusOK, "member-saved", "")
}

// mayMoveOwners asks an owner for the password before a member becomes an owner or
// is one no more, as before a transfer: a session that somebody else has must not
// suffice to take an organization. It returns false when it has answered.
func (a *App) mayMoveOwners(c *gin.Context, roles ...*models.Role) bool {
	isOwner := func(r *models.Role) bool { return r.Kind == models.RoleOwner }
	if isOwner(current(c).Member.Role) && slices.ContainsFunc(roles, isOwner) {
		a.sudoFromRow(c)
	}
	return !c.IsAborted()
}

// renderMember answers with the row of the member in the path.
func (a *App) renderMember(c *gin.Context, status int, name, sentence string) {
	actor := current(c).Member
	m, err := a.db.MemberByID(c.Request.Context(), actor.OrganizationID, id(c))
	if err != nil {
		a.error(c, err)
		return
	}
	roles, err := a.grantable(c)
	if err != nil {
		a.error(c, err)
		return
	}
	row := newMemberRow(actor, m, roles)
	row.Error, row.Focus = sentence, true
	a.fragment(c, status, "members", name, row)
}

func (a *App) removeMember(c *gin.Context) {
	actor := current(c).Member
	if id(c) == actor.ID {
		a.leaveOrganization(c)
		return
	}
	m, err := a.db.MemberByID(c.Request.Context(), actor.OrganizationID, id(c))
	if err != nil {
		a.error(c, err)
		return
	}
	if !a.mayMoveOwners(c, m.Role) {
		return
	}
	if err := a.db.RemoveMember(c.Request.Context(), actor, m.ID); err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventMemberRemoved, m.User)
	a.respondToast(c, http.StatusOK, "removed", within(c, "/members"))
}
