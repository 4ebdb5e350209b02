package site_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
	"vestibule/templates/organization"
	"vestibule/templates/site"
)

// BenchmarkPages draws a page with little on it, and a long list.
func BenchmarkPages(b *testing.B) {
	now := time.Now()
	ada := &models.User{ID: uuid.New(), Username: "ada", FirstName: "Ada", LastName: "Lovelace", Email: "ada@example.com", VerifiedAt: now, CreatedAt: now}
	f := layouts.Frame{Path: "/dashboard", User: ada}
	draw(b, "dashboard", func() templ.Component {
		return site.DashboardPage(f, site.Dashboard{Ends: now.Add(700 * time.Hour), Renews: true})
	})

	acme := &models.Organization{ID: uuid.New(), Name: "Acme", Slug: "acme"}
	owner := &models.Role{ID: uuid.New(), Kind: models.RoleOwner, Name: "Owner"}
	m := &models.Membership{ID: uuid.New(), OrganizationID: acme.ID, Organization: acme, User: ada, Role: owner, RoleID: owner.ID}
	f = layouts.Frame{Path: "/o/acme/members", User: ada, Member: m}
	roles := []forms.Option{{Value: uuid.NewString(), Label: "Owner"}, {Value: uuid.NewString(), Label: "Admin"}, {Value: uuid.NewString(), Label: "Member"}}
	list := organization.Members{List: components.List[organization.MemberRow]{More: "/o/acme/members?after=x"}}
	for range 20 {
		list.Rows = append(list.Rows, organization.MemberRow{
			ID: uuid.NewString(), Name: "Grace Hopper", Username: "grace", Email: "grace@example.com", Role: "Member", RoleID: roles[2].Value, Roles: roles,
		})
	}
	draw(b, "members", func() templ.Component { return organization.MembersPage(f, list) })
}

func draw(b *testing.B, name string, page func() templ.Component) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			if err := page().Render(b.Context(), &buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
