package organization

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

// membersData is one page of an organization's members.
type membersData struct {
	web.List[memberRow]
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

func (h Handlers) ShowMembers(c *gin.Context) error {
	actor := web.Current(c).Member
	search := models.MemberSearch{Text: c.Query("q"), Emails: seesEmails(actor), After: web.PageStart(c, "after"), Limit: web.PageSize + 1}
	members, err := h.DB.Members(c.Request.Context(), actor.OrganizationID, search)
	if err != nil {
		return err
	}
	roles, err := h.grantable(c)
	if err != nil {
		return err
	}
	var rows []memberRow
	for i := range members {
		rows = append(rows, newMemberRow(actor, &members[i], roles))
	}
	data := membersData{web.NewList(c, "after", rows, func(r memberRow) uuid.UUID { return r.ID }), search.Text}
	if data.Focus && len(data.Rows) > 0 {
		data.Rows[0].Focus = true
	}
	return h.RenderPart(c, http.StatusOK, "members", "found", nil, data)
}

// seesEmails tells whether actor may see the addresses of other members.
func seesEmails(actor *models.Membership) bool {
	return actor.Role.May(models.ManageMembers) || actor.Role.May(models.InviteMembers)
}

func newMemberRow(actor, m *models.Membership, roles []models.Role) memberRow {
	row := memberRow{
		Membership: m,
		Path:       web.OrganizationPath(actor, "/members/"+m.ID.String()),
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
func (h Handlers) grantable(c *gin.Context) ([]models.Role, error) {
	actor := web.Current(c).Member
	roles, err := h.DB.Roles(c.Request.Context(), actor.OrganizationID)
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
func (h Handlers) roleByID(c *gin.Context, value string) (*models.Role, error) {
	id, err := uuid.Parse(value)
	if err != nil {
		return nil, models.ErrNotFound
	}
	return h.DB.RoleByID(c.Request.Context(), web.Current(c).Member.OrganizationID, id)
}

func (h Handlers) ChangeMemberRole(c *gin.Context) error {
	in := new(memberRoleForm)
	if err := web.Bind(c, forms.New(in)); err != nil {
		return err
	}
	actor := web.Current(c).Member
	m, err := h.DB.MemberByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	role, err := h.roleByID(c, in.Role)
	if err != nil {
		return err
	}
	if err := h.confirmOwnerChange(c, m.Role, role); err != nil || c.IsAborted() {
		return err
	}
	changed := role.ID != m.RoleID // else there is nothing to do, nor to record
	if changed {
		err = h.DB.SetRole(c.Request.Context(), actor, m.ID, role.ID)
	}
	here := web.IsHTMX(c) && !web.Current(c).Reauthenticated // the row is on the page
	if last := new(models.LastOwnerError); errors.As(err, &last) && here {
		return h.renderMember(c, http.StatusConflict, "member", web.LastOwner)
	}
	if err != nil {
		return err
	}
	if changed {
		h.Record(c, models.EventMemberRoleChanged, m.User)
	}
	if !here || m.ID == actor.ID { // whose whole page is another now
		return h.RedirectWith(c, "saved", web.Within(c, "/members"))
	}
	return h.renderMember(c, http.StatusOK, "member-saved", "")
}

// confirmOwnerChange asks an owner for the password before a member becomes or stops
// being an owner, as before a transfer: a stolen session alone must not suffice to
// take an organization. It aborts c when it has answered.
func (h Handlers) confirmOwnerChange(c *gin.Context, roles ...*models.Role) error {
	isOwner := func(r *models.Role) bool { return r.Kind == models.RoleOwner }
	if isOwner(web.Current(c).Member.Role) && slices.ContainsFunc(roles, isOwner) {
		return h.auth().ReauthenticateFromRow(c)
	}
	return nil
}

// renderMember answers with the row of the member in the path.
func (h Handlers) renderMember(c *gin.Context, status int, name, sentence string) error {
	actor := web.Current(c).Member
	m, err := h.DB.MemberByID(c.Request.Context(), actor.OrganizationID, web.ID(c))
	if err != nil {
		return err
	}
	roles, err := h.grantable(c)
	if err != nil {
		return err
	}
	row := newMemberRow(actor, m, roles)
	row.Error, row.Focus = sentence, true
	return h.Fragment(c, status, "members", name, row)
}

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
	if err := h.DB.RemoveMember(c.Request.Context(), actor, m.ID); err != nil {
		return err
	}
	h.Record(c, models.EventMemberRemoved, m.User)
	return h.RespondToast(c, http.StatusOK, "removed", web.Within(c, "/members"))
}
