package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestOrganizations wants the organizations a page at a time, newest first, or those that a
// search finds by the beginning of a name or an address, or by an ID.
func TestOrganizations(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		v.Get("/admin/organizations").Wants(http.StatusOK).Page().Harmless().Says("There are no organizations yet.")
		owner := func(n int) *models.User {
			u := &models.User{Username: fmt.Sprintf("owner%d", n), Email: fmt.Sprintf("owner%d@example.com", n), FirstName: "O", LastName: fmt.Sprint(n), PasswordHash: "x", VerifiedAt: time.Now()}
			if err := db.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			return u
		}
		create := func(name, slug string, u *models.User) *models.Organization {
			o := &models.Organization{Name: name, Slug: slug}
			if err := db.CreateOrganization(t.Context(), o, u); err != nil {
				t.Fatal(err)
			}
			return o
		}
		first := owner(0)
		acme := create("Acme", "acme-tools", first)
		create("Ärzte ohne Namen", "doctors", first)
		create("Old Guard", "guard", first)
		former := create("Tools of Trade", "trade", first)
		// As an earlier version stored it.
		if _, err := db.Bun().NewUpdate().Model(former).WherePK().Set("name_key = NULL").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string][]string{
			"":                                   {"Tools of Trade", "Old Guard", "Ärzte ohne Namen", "Acme"},
			"q=ac":                               {"Acme"},
			"q=ACME-T":                           {"Acme"},
			"q=ä":                                {"Ärzte ohne Namen"},
			"q=doc":                              {"Ärzte ohne Namen"},
			"q=tools":                            {"Tools of Trade"},
			"q=" + acme.ID.String():              {"Acme"},
			"q=" + uuid.NewString():              nil,
			"q=guard":                            {"Old Guard"},
			"q=%25":                              nil,
			"q=" + "nothing+at+all":              nil,
			"before=" + "nonsense":               {"Tools of Trade", "Old Guard", "Ärzte ohne Namen", "Acme"},
			"q=" + url.QueryEscape("ÄRZTE OHNE"): {"Ärzte ohne Namen"},
		} {
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				page := v.Get("/admin/organizations?"+query, options...).Wants(http.StatusOK).Harmless()
				if got := names(page); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s finds %q, want %q", query, got, want)
				}
			}
		}
		v.Get("/admin/organizations?q=acme").Says("Acme /o/acme-tools 1 member Created ")

		for n := range 3 {
			u := owner(n + 1)
			for i := range 20 {
				create(fmt.Sprintf("Quincy %d", 20*n+i), fmt.Sprintf("quincy-%d", 20*n+i), u)
			}
		}
		seen, pages := map[string]bool{}, 0
		for path := "/admin/organizations"; path != ""; pages++ {
			page := v.Get(path).Wants(http.StatusOK)
			for _, name := range names(page) {
				seen[name] = true
			}
			path = page.Find("#organizations > li:last-child > a.quiet").AttrOr("href", "")
		}
		if len(seen) != 64 || pages != 4 {
			t.Errorf("%d pages show %d of 64 organizations", pages, len(seen))
		}
		if n := len(names(v.Get("/admin/organizations?q=quincy").Wants(http.StatusOK).Says("There are more."))); n != 50 {
			t.Errorf("a search shows %d organizations", n)
		}
	})
}

// TestOrganization wants an organization's page to say what the site has. Each look is
// recorded, and its members see none.
func TestOrganization(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		v := s.Operator(apptest.Nth(1), models.OperatorSupport)
		for n := range 24 {
			s.AddMember(fmt.Sprintf("member%d", n), "Member")
		}
		if err := s.DB.Invite(t.Context(), s.First, "invited@example.com", s.Role("Admin").ID); err != nil {
			t.Fatal(err)
		}
		path := "/admin/organizations/" + s.First.OrganizationID.String()
		page := v.Get(path).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store")
		page.Says("Address /o/acme").Says("Members 25").Says("Second factor required No").Says("invited@example.com Not sent yet To Acme as Admin, invited by").Says("Created the organization Acme")
		if got := rows(page, "#owners"); len(got) != 1 || !strings.HasPrefix(got[0], "Anna Smith Owner") {
			t.Errorf("the owners are %q", got)
		}
		if n := len(rows(page, "#members")); n != 20 {
			t.Errorf("the page shows %d members", n)
		}
		if page.Find(`#owners a[href="/admin/people/`+s.First.UserID.String()+`"]`).Length() != 1 || page.Find(`main a[href^="`+path+`/"]`).Length() != 0 {
			page.Failf("it doesn't lead to the owner, or offers actions to support")
		}
		more := page.Find("#members > li:last-child > a.quiet").AttrOr("href", "")
		if got := rows(v.Get(more), "#members"); len(got) != 5 {
			t.Errorf("the second page shows %d members", len(got))
		}
		v.Get(path+"?q=member7@", apptest.HTMX).Wants(http.StatusOK).Says("member7@example.com")
		v.Get(path + "?q=nobody").Wants(http.StatusOK).Says("No members found.")
		v.Get("/admin/organizations/" + uuid.NewString()).Wants(http.StatusNotFound)
		if a := v.Get("/admin/people/" + s.First.UserID.String()); a.Find(`a[href="`+path+`"]`).Length() != 1 {
			a.Failf("the owner's page doesn't lead to the organization")
		}

		looks := 0
		for _, e := range s.Events() {
			if e.Kind == models.EventLooked && e.OrganizationID != uuid.Nil {
				looks++
				if e.OrganizationID != s.First.OrganizationID || e.ActorID != s.User(apptest.Nth(1).Username).ID || e.OperatorRole != models.OperatorSupport || e.Detail.Organization != "Acme" {
					t.Errorf("the look is recorded as %+v", e)
				}
			}
		}
		if looks != 4 {
			t.Errorf("%d looks are recorded", looks)
		}
		for _, own := range []string{"/o/acme/activity", "/o/acme"} {
			if a := s.Owner.Get(own).Wants(http.StatusOK); strings.Contains(a.Body, "Looked at") {
				a.Failf("it shows that an operator looked")
			}
		}
	})
}

// recorded wants an event with the reason, the operator and the organization.
func recorded(t *testing.T, s *apptest.Company, kind string, user uuid.UUID) {
	t.Helper()
	for _, e := range s.Events() {
		if e.Kind == kind && e.UserID == user && e.OrganizationID == s.First.OrganizationID && e.ActorID == s.User(apptest.Nth(1).Username).ID &&
			e.OperatorRole == models.OperatorAdmin && e.Detail == (models.EventDetail{Organization: "Acme", Reason: reason}) {
			return
		}
	}
	t.Errorf("no event %s has the reason, the operator and the organization", kind)
}

// TestTransferOrganization makes a member an owner beside the others, and then in place of
// one, each with a reason that is recorded.
func TestTransferOrganization(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		s.AddMember("benjamin", "Member")
		s.AddMember("charlotte", "Member")
		path := "/admin/organizations/" + s.First.OrganizationID.String()
		transfer := func(username string) string {
			return path + "/transfer?member=" + s.Membership(username).ID.String()
		}
		role := func(username string, want models.RoleKind) {
			t.Helper()
			if got := s.Membership(username).Role.Kind; got != want {
				t.Errorf("%s is %s, want %s", username, got, want)
			}
		}
		if v.Get(path).Find(`#members a[href="`+transfer("benjamin")+`"]`).Length() != 1 {
			t.Error("the page doesn't offer to make a member an owner")
		}
		page := v.Get(transfer("benjamin")).Wants(http.StatusOK).Page().Harmless()
		v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo(path)
		role("benjamin", models.RoleOwner)
		role("anna.smith", models.RoleOwner)
		recorded(t, s, models.EventOwnershipTransferred, s.User("benjamin").ID)
		page = v.Get(transfer("charlotte")).Wants(http.StatusOK)
		v.Submit(page, "form#act", apptest.Fill("reason", reason, "from", s.First.ID.String()), options...).LeadsTo(path)
		role("charlotte", models.RoleOwner)
		role("anna.smith", models.RoleAdmin)
		recorded(t, s, models.EventOwnershipTransferred, s.User("charlotte").ID)
		if a := s.Owner.Get("/o/acme/activity").Wants(http.StatusOK).Says("by an operator"); strings.Contains(a.Body, reason) {
			a.Failf("members read the reason")
		}

		// Neither in place of who isn't an owner, nor to somebody who can't sign in.
		v.Post(transfer("anna.smith"), apptest.Fill("reason", reason, "from", s.First.ID.String()), options...).Wants(http.StatusUnprocessableEntity)
		if err := s.DB.DisableUser(t.Context(), s.User("anna.smith")); err != nil {
			t.Fatal(err)
		}
		v.Post(transfer("anna.smith"), apptest.Fill("reason", reason), options...).Wants(http.StatusUnprocessableEntity).Says("They can't become an owner")
		role("anna.smith", models.RoleAdmin)
		v.Get(path + "/transfer?member=" + uuid.NewString()).Wants(http.StatusNotFound)
	})
}

// TestDeleteOrganization deletes an organization with a reason that is recorded, after a
// dialog or a page asked.
func TestDeleteOrganization(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		path := "/admin/organizations/" + s.First.OrganizationID.String()
		page := v.Get(path + "/delete").Wants(http.StatusOK).Page().Harmless().Says("Acme (/o/acme)")
		if got := page.Find("[hx-confirm\\:inherited]").AttrOr("hx-confirm:inherited", ""); got != "Delete the organization?" {
			page.Failf("a dialog asks %q", got)
		}
		v.Post(path+"/delete", apptest.Fill("reason", reason, "confirm", "Sure?", "confirm_label", "Yes")).Wants(http.StatusOK).Says("Sure?")
		v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		s.Owner.Get("/o/acme").Wants(http.StatusOK)
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/admin/organizations")
		s.Owner.Get("/o/acme").Wants(http.StatusNotFound)
		v.Get(path).Wants(http.StatusNotFound)
		recorded(t, s, models.EventOrganizationDeleted, uuid.Nil)
	})
}
