package organization_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestCreateOrganization(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Get("/organizations").LeadsTo("/sign-in?next=%2Forganizations")
		s.Join(apptest.Anna)
		page := s.Get("/organizations").Wants(http.StatusOK).Page()
		s.Submit(page, "form#create-organization", apptest.Fill("name", "Käse & Söhne"), options...).LeadsTo("/o/kase-and-sohne")
		s.Get("/o/kase-and-sohne").Wants(http.StatusOK).Page().Says("Organization created").Says("Owner")
		s.Submit(page, "form#create-organization", apptest.Fill("name", "Two", "slug", "my-2nd"), options...).LeadsTo("/o/my-2nd")

		// Two tabs show two, and each leads to the other.
		for path, name := range map[string]string{"/o/kase-and-sohne": "Käse & Söhne", "/o/my-2nd": "Two"} {
			a := s.Get(path).Wants(http.StatusOK)
			if got := a.Text("header [popovertarget=switcher] [dir=auto]"); got != name {
				t.Errorf("%s is shown as %q", path, got)
			}
			menu := a.Find("#switcher")
			if all := menu.Find("a").AttrOr("href", ""); all != "/organizations" {
				t.Errorf("the menu of %s leads to %s without a script", path, all)
			}
			a = s.Get(menu.Find("[hx-get]").AttrOr("hx-get", ""), apptest.HTMX).Wants(http.StatusOK)
			var to []string
			a.Find("a").Each(func(_ int, link apptest.Selection) { to = append(to, link.AttrOr("href", "")) })
			if want := []string{"/o/kase-and-sohne", "/o/my-2nd"}; !slices.Equal(to, want) {
				t.Errorf("from %s one gets to %v", path, to)
			}
			if current := a.Find("[aria-current]").AttrOr("href", ""); current != path {
				t.Errorf("%s is marked as %s", path, current)
			}
		}
		s.Get("/organizations").Wants(http.StatusOK).Says("Käse & Söhne Owner Two Owner")
	})
}

func TestCreateOrganizationRefuses(t *testing.T) {
	t.Parallel()
	const shape = "Use only lowercase letters a to z, digits, and hyphens between them."
	tests := map[string]struct {
		name, slug string
		wrong      map[string]string
	}{
		"nothing":            {"", "", map[string]string{"name": "Enter the organization's name."}},
		"long name":          {strings.Repeat("a", 61), "fine", map[string]string{"name": "Use at most 60 characters."}},
		"reserved":           {"A", "settings", map[string]string{"slug": "This address is reserved. Choose another."}},
		"the site's name":    {"Vestibule", "", map[string]string{"slug": "This address is reserved. Choose another."}},
		"reserved proposal":  {"Admin", "", map[string]string{"slug": "This address is reserved. Choose another."}},
		"no proposal":        {"🙂", "", map[string]string{"slug": "Enter the organization's address."}},
		"taken":              {"A", "acme", map[string]string{"slug": "There's already an organization at this address."}},
		"taken proposal":     {"Acme!", "", map[string]string{"slug": "There's already an organization at this address."}},
		"upper case":         {"A", "Fine", map[string]string{"slug": shape}},
		"path":               {"A", "a/b", map[string]string{"slug": shape}},
		"hyphens at the end": {"A", "a-", map[string]string{"slug": shape}},
		"long address":       {"A", strings.Repeat("a", 41), map[string]string{"slug": "Use at most 40 characters."}},
		"a web address":      {"Look at https://evil.example", "fine", map[string]string{"name": "Leave out web addresses."}},
		"line break":         {"A\nB", "fine", map[string]string{"name": "This contains a character that can't be used here."}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Post("/organizations", apptest.Fill("name", "Acme")).LeadsTo("/o/acme")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				typed := apptest.Fill("name", tt.name, "slug", tt.slug)
				s.Post("/organizations", typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				s.Post("/organizations", typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#create-organization").WantsErrors(tt.wrong)
				for field := range tt.wrong {
					a := s.Post("/organizations/check?field="+field, typed, apptest.HTMX).Wants(http.StatusOK)
					if got := a.Text("#" + field + "-error"); got != tt.wrong[field] {
						a.Failf("it says %q, want %q", got, tt.wrong[field])
					}
				}
			})
		}
		if places, err := db.Memberships(t.Context(), s.User("anna.smith").ID); err != nil || len(places) != 1 {
			t.Errorf("there are %d organizations (%v)", len(places), err)
		}
		a := s.Post("/organizations/check?field=name", apptest.Fill("name", "Größe 42", "slug", ""), apptest.HTMX).Wants(http.StatusOK)
		if a.Value("slug") != "grosse-42" || a.Find("#slug-field").AttrOr("hx-swap-oob", "") == "" {
			a.Failf("proposed is %q", a.Value("slug"))
		}
		a = s.Post("/organizations/check?field=name", apptest.Fill("name", "Größe 42", "slug", "mine"), apptest.HTMX).Wants(http.StatusOK)
		if a.Find("#slug-field").Length() != 0 {
			a.Failf("what was typed is replaced by %q", a.Value("slug"))
		}
	})
}

func TestOrganizationsAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitSignUp = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		s.Join(apptest.Anna)
		s.Post("/organizations", apptest.Fill("name", "Acme")).LeadsTo("/o/acme")
		rename := func(from, to string) {
			t.Helper()
			if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE ? RENAME TO ?", bun.Ident(from), bun.Ident(to)); err != nil {
				t.Fatal(err)
			}
		}
		s.Log.MayFail()
		rename("memberships", "away")
		for range 3 { // which counts for nothing
			s.Post("/organizations", apptest.Fill("name", "Two")).Wants(http.StatusInternalServerError)
		}
		rename("away", "memberships")
		s.Post("/organizations", apptest.Fill("name", "Two")).LeadsTo("/o/two")
		typed := apptest.Fill("name", "Three", "slug", "number-3")
		a := s.Post("/organizations", typed).TooEarly().Page().Says("Your organizations Acme Owner Two Owner")
		if a.Value("name") != "Three" || a.Value("slug") != "number-3" {
			t.Errorf("the form holds %q and %q", a.Value("name"), a.Value("slug"))
		}
		s.Post("/organizations", typed, apptest.HTMX).TooEarly().Fragment("form#create-organization")
	})
}

func TestOrganizationFieldChecks(t *testing.T) {
	tests := map[string]struct {
		page, path, field string // below /o/acme
		typed             url.Values
		wrong             map[string]string
	}{
		"settings":            {"/settings", "/settings/check", "name", apptest.Fill("name", "Acme & Co"), nil},
		"settings, no name":   {"/settings", "/settings/check", "name", apptest.Fill("name", " "), map[string]string{"name": "Enter the organization's name."}},
		"settings, long name": {"/settings", "/settings/check", "name", apptest.Fill("name", strings.Repeat("a", 61)), map[string]string{"name": "Use at most 60 characters."}},
		"role":                {"/roles", "/roles/check", "name", url.Values{"name": {"Host"}, "permissions": {"own-organization"}}, nil},
		"role, no name":       {"/roles", "/roles/check", "name", apptest.Fill("name", ""), map[string]string{"name": "Enter the role's name."}},
		"guest":               {"/invitations", "/invitations/check", "email", apptest.Fill("email", "new@example.com"), nil},
		"guest, no address":   {"/invitations", "/invitations/check", "email", apptest.Fill("email", "new@"), map[string]string{"email": apptest.WantsAddress}},
	}
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				at := "/o/acme" + tt.path
				if got := s.Owner.Get("/o/acme"+tt.page).Find("#"+tt.field+"-field").AttrOr("hx-post", ""); got != at+"?field="+tt.field {
					t.Errorf("it is checked at %q", got)
				}
				s.Owner.Leaves(at, tt.field, tt.typed, tt.wrong)
				s.Owner.Post(at+"?field=permissions", tt.typed, apptest.HTMX).Wants(http.StatusNotFound)
			})
		}
		s.Owner.Get("/o/acme").Says("Acme Overview")
	})
}

// TestOrganizationNavigation wants each page to stand under one of the links.
func TestOrganizationNavigation(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		for path, want := range map[string]struct{ link, current string }{
			"":             {"Overview", "page"},
			"/members":     {"Members", "page"},
			"/invitations": {"Invitations", "page"},
			"/activity":    {"Activity", "page"},
			"/settings":    {"Settings", "page"},
			"/roles":       {"Roles", "page"},
			"/transfer":    {"Settings", "true"},
			"/dissolve":    {"Settings", "true"},
		} {
			link := s.Owner.Get("/o/acme" + path).Wants(http.StatusOK).Find("nav[aria-label=Organization] [aria-current]")
			if strings.TrimSpace(link.Text()) != want.link || link.AttrOr("aria-current", "") != want.current {
				t.Errorf("%s stands under %q as %q", path, link.Text(), link.AttrOr("aria-current", ""))
			}
		}
	})
}

// A page of an organization costs two queries before its own: the session, and
// the person's place.
func TestQueriesOfAnOrganization(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := apptest.NewCompany(t, db)
		if got := q.During(func() { s.Get("/o/acme/settings").Wants(http.StatusOK) }); len(got) != 2 {
			t.Errorf("%d queries, want 2: %q", len(got), got)
		}
		if got := q.During(func() { s.Get("/o/acme/settings", apptest.HTMX).Wants(http.StatusOK) }); len(got) != 2 {
			t.Errorf("%d queries, want 2: %q", len(got), got)
		}
	})
}

func TestSlugsOfNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		for _, slug := range []string{"%00", "acme%00", "%ff", "ACM%C3%89", "%20", "..%2f"} {
			s.Get("/o/" + slug).Wants(http.StatusNotFound)
		}
	})
}

func TestOrganizationsAreLimited(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for i := range models.MaxOwned {
			s.Post("/organizations", apptest.Fill("name", fmt.Sprint("Acme ", i))).LeadsTo(fmt.Sprint("/o/acme-", i))
		}
		before := len(s.Events())
		a := s.Post("/organizations", apptest.Fill("name", "One more")).Wants(http.StatusUnprocessableEntity).Page()
		a.Says("You can own up to 20 organizations and be a member of 100. Leave or delete one first.")
		if a.Value("name") != "One more" || len(s.Events()) != before {
			a.Failf("the form holds %q, and %d events are recorded", a.Value("name"), len(s.Events())-before)
		}
	})
}
