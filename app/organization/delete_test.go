package organization_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	view "vestibule/templates/organization"
)

func TestTransferAndDelete(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		member := s.AddMember("the.member", "Member")
		s.Age("authenticated_at", time.Now().Add(-time.Hour))
		s.Owner.Get("/o/acme/transfer").Wants(http.StatusForbidden).Says("Confirm it's you")
		s.Owner.Post("/o/acme/dissolve", apptest.Fill("name", "Acme"), options...).Wants(http.StatusForbidden)
		s.Age("authenticated_at", time.Now())

		page := s.Owner.Get("/o/acme/transfer").Wants(http.StatusOK).Page()
		if got := page.Text("form#transfer option"); got != "Choose a member Ben Jones (the.member)" {
			t.Errorf("the members to choose from are %q", got)
		}
		s.AddMember("the.disabled", "Member")
		if err := s.DB.DisableUser(t.Context(), s.User("the.disabled")); err != nil {
			t.Fatal(err)
		}
		s.Owner.Submit(page, "form#transfer", apptest.Fill("username", ""), options...).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"username": "Enter the new owner's username."})
		for _, nobody := range []string{"nobody", "anna.smith", "the.disabled"} {
			s.Owner.Submit(page, "form#transfer", apptest.Fill("username", nobody), options...).Wants(http.StatusUnprocessableEntity).
				WantsErrors(map[string]string{"username": "No other member has this username."})
		}
		s.Owner.Submit(page, "form#transfer", apptest.Fill("username", "THE.member"), options...).LeadsTo("/o/acme")
		s.Owner.Get("/o/acme").Says("Admin")
		s.Owner.Get("/o/acme/dissolve").Wants(http.StatusForbidden).Says("Your role in this organization doesn't allow this.")
		page = member.Get("/o/acme/dissolve").Wants(http.StatusOK).Page()
		member.Submit(page, "form#dissolve", apptest.Fill("name", "Acne"), options...).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"name": "That isn't the organization's name."})
		member.Submit(page, "form#dissolve", apptest.Fill("name", "acme"), options...).LeadsTo("/organizations")
		member.Get("/organizations").Says("Organization deleted")
		s.Owner.Get("/o/acme").Wants(http.StatusNotFound)
		for _, table := range []string{"organizations", "roles", "memberships", "invitations"} {
			if left := s.Dump(table); strings.Contains(left, s.First.OrganizationID.String()) {
				t.Errorf("in %s is left: %s", table, left)
			}
		}
		s.Owner.Post("/organizations", apptest.Fill("name", "Acme")).LeadsTo("/o/acme") // the address is free again
	})
}

func TestTransferOffersMembers(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		const reason = "You're the only member who can own Acme. Invite someone first."
		page := s.Owner.Get("/o/acme/transfer").Wants(http.StatusOK).Page().Says(reason)
		if button := page.Find("form#transfer button[aria-disabled=true]"); page.Text("#"+button.AttrOr("aria-describedby", "")) != reason {
			t.Error("the reason does not describe the button")
		}
		s.Owner.Post("/o/acme/transfer", apptest.Fill("username", "anna.smith")).Wants(http.StatusUnprocessableEntity)

		s.AddMember("the.disabled", "Member")
		if err := s.DB.DisableUser(t.Context(), s.User("the.disabled")); err != nil {
			t.Fatal(err)
		}
		s.Owner.Get("/o/acme/transfer").Says(reason)

		all := []string{"Choose a member"}
		for i := range view.MaxNewOwners {
			p := apptest.Nth(i)
			u := &models.User{Username: p.Username, Email: p.Email, FirstName: fmt.Sprintf("Anna %03d", i), LastName: "Smith", VerifiedAt: time.Now()}
			if err := s.DB.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			s.Admit(p.Username, "Member")
			all = append(all, u.FullName()+" ("+u.Username+")")
		}
		page = s.Owner.Get("/o/acme/transfer").Wants(http.StatusOK).Page()
		if got := page.Text("form#transfer option"); got != strings.Join(all, " ") {
			t.Errorf("the members to choose from are %q", got)
		}
		again := s.Owner.Post("/o/acme/transfer", apptest.Fill("username", "the.disabled")).Wants(http.StatusUnprocessableEntity)
		if again.Text("option[selected]") != "Choose a member" {
			t.Errorf("after an error %q is chosen", again.Text("option[selected]"))
		}
		s.AddMember("one.too.many", "Member")
		if field := s.Owner.Get("/o/acme/transfer").Wants(http.StatusOK).Find("form#transfer input[name=username]"); field.AttrOr("type", "") != "text" {
			t.Error("with more members, there is no field to type in")
		}
	})
}
