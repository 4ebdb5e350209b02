package apptest

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// Invite sends an invitation and returns the path of its link.
func (s *Company) Invite(email, role string) string {
	s.T.Helper()
	page := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK)
	s.Owner.Submit(page, "form#invite", Fill("email", email, "role", s.Role(role).ID.String())).LeadsTo("/o/acme/invitations")
	return s.MailTo(email, "Anna Smith invited you to Vestibule").Link
}

// CompanyEachWay is EachWay with a company.
func CompanyEachWay(t *testing.T, test func(t *testing.T, s *Company, options ...Option), change ...func(*app.Config)) {
	t.Parallel()
	for name, options := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := NewCompany(t, db, change...)
				s.Deliver()
				test(t, s, options...)
			})
		})
	}
}

// EachCompany is modelstest.Each with a company whose mail is delivered.
func EachCompany(t *testing.T, test func(t *testing.T, s *Company)) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := NewCompany(t, db)
		s.Deliver()
		test(t, s)
	})
}

// Company is an organization and its owner. AddMember adds more.
type Company struct {
	*Site
	Owner *Visitor
	First *models.Membership // the owner's
	Roles map[string]*Visitor
}

// NewCompany creates an organization owned by the site's first visitor.
func NewCompany(t testing.TB, db *models.DB, change ...func(*app.Config)) *Company {
	t.Helper()
	s := NewSite(t, db, change...)
	s.Join(Anna)
	s.SetTime("users", "verified_at", s.User(Anna.Username).CreatedAt)
	s.Post("/organizations", Fill("name", "Acme")).LeadsTo("/o/acme")
	return &Company{Site: s, Owner: s.Visitor, First: s.Membership(Anna.Username), Roles: map[string]*Visitor{"Owner": s.Visitor}}
}

// Membership returns the user's membership in the company.
func (s *Site) Membership(username string) *models.Membership {
	s.T.Helper()
	m, err := s.DB.MembershipBySlug(s.T.Context(), "acme", s.User(username).ID)
	if err != nil {
		s.T.Fatal(err)
	}
	return m
}

// Role returns the role of that name.
func (s *Company) Role(name string) models.Role {
	s.T.Helper()
	roles, err := s.DB.Roles(s.T.Context(), s.First.OrganizationID)
	if err != nil {
		s.T.Fatal(err)
	}
	i := slices.IndexFunc(roles, func(r models.Role) bool { return r.Name == name })
	if i < 0 {
		s.T.Fatalf("there is no role %s", name)
	}
	return roles[i]
}

// AddMember signs someone up and makes them a member directly in the database.
func (s *Company) AddMember(username, role string) *Visitor {
	s.T.Helper()
	v := s.Visit(s.T)
	v.JoinAs(With(Ben.Form(), "username", username, "email", username+"@example.com"))
	s.Admit(username, role)
	s.Roles[role] = v
	return v
}

// Admit makes a user a member directly in the database.
func (s *Company) Admit(username, role string) {
	s.T.Helper()
	u := s.User(username)
	if err := s.DB.Invite(s.T.Context(), s.First, u.Email, s.Role(role).ID); err != nil {
		s.T.Fatal(err)
	}
	all, err := s.DB.Invitations(s.T.Context(), s.First.OrganizationID, uuid.Nil, 1)
	if err != nil {
		s.T.Fatal(err)
	}
	i, _, err := s.DB.SendInvitation(s.T.Context(), all[0].ID)
	if err == nil {
		err = s.DB.AcceptInvitation(s.T.Context(), i, u)
	}
	if err != nil {
		s.T.Fatal(err)
	}
}

// AddMemberWith creates a role with these permissions and a member who has it.
func (s *Company) AddMemberWith(username, role string, allowed ...models.Permission) *Visitor {
	s.T.Helper()
	if err := s.DB.CreateRole(s.T.Context(), s.First, role, allowed); err != nil {
		s.T.Fatal(err)
	}
	return s.AddMember(username, role)
}
