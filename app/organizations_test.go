package app_test

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
			if got := a.Text(".switcher summary"); got != "Change organization: "+name {
				t.Errorf("%s is shown as %q", path, got)
			}
			var to []string
			a.Find(".switcher a").Each(func(_ int, link apptest.Selection) { to = append(to, link.AttrOr("href", "")) })
			if want := []string{"/o/kase-and-sohne", "/o/my-2nd", "/organizations"}; !slices.Equal(to, want) {
				t.Errorf("from %s one gets to %v", path, to)
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

// Somebody unknown follows the link, signs up on the way, and is in: the mail
// that brought the link has proved the address.
func TestInvitationOfSomebodyNew(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		link := s.Invite("ben@example.com", "Admin")
		guest := s.Visit(t)
		page := guest.Get(link).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("Anna Smith").Says("Acme").Says("Admin")
		to := page.Find("a.quiet").AttrOr("href", "")
		if typed := guest.Get(to).Wants(http.StatusOK).Page(); typed.Value("email") != "ben@example.com" {
			t.Errorf("the email is %q", typed.Value("email"))
		}
		guest.Post(to, apptest.Ben.Form(), options...).LeadsTo(link)
		page = guest.Get(link).Wants(http.StatusOK)
		if s.User("benjamin").Verified() {
			t.Error("the address is verified before the button is pressed")
		}
		guest.Submit(page, "form#accept", nil, options...).LeadsTo("/o/acme")
		guest.Get("/o/acme").Wants(http.StatusOK).Says("Invitation accepted").Says("Admin")
		if !s.User("benjamin").Verified() {
			t.Error("the address is not verified")
		}
		if sent := s.Deliver(); len(sent) > 0 {
			t.Errorf("sent are %+v: there is nothing to verify", sent)
		}
		guest.Get(link).Gone()
		guest.Post("/invitation", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link})), options...).Gone()
	})
}

// Somebody known signs in on the way.
func TestInvitationOfSomebodyKnown(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Ben)
		s.SetTime("users", "verified_at", time.Now())
		s.Deliver()
		link := s.Invite("BEN@example.com", "Member")
		guest := s.Visit(t)
		to := guest.Get(link).Wants(http.StatusOK).Find("main a:not(.quiet)").AttrOr("href", "")
		guest.Post(to, apptest.Credentials("benjamin", apptest.Ben.Form().Get("password")), options...).LeadsTo(link)
		guest.Submit(guest.Get(link), "form#accept", nil, options...).LeadsTo("/o/acme")
		guest.Get("/o/acme/members").Wants(http.StatusOK).Says("Ben Jones You Member")
	})
}

func TestInvitationIsForItsAddressAlone(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		link := s.Invite("ben@example.com", "Member")
		token := apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link}))
		s.Visit(t).Post("/invitation", token).LeadsTo("/sign-in?next=" + url.QueryEscape(link))

		other := s.Visit(t)
		other.JoinAs(apptest.With(apptest.Ben.Form(), "email", "else@example.com"))
		s.SetTime("users", "verified_at", time.Now())
		a := other.Get(link).Wants(http.StatusOK).Says("You're signed in as else@example.com, but this invitation is for a different address.")
		if a.Find("form#accept").Length() != 0 {
			t.Error("there is a button")
		}
		other.Post("/invitation", token).LeadsTo(link)
		other.Get("/o/acme").Wants(http.StatusNotFound)

		// Not verified, and the token was sent to another spelling.
		shouted := s.Visit(t)
		shouted.JoinAs(apptest.With(apptest.Ben.Form(), "username", "shouted", "email", "BEN@example.com"))
		shouted.Get(link).Wants(http.StatusOK).Says("Confirm your email address first")
		shouted.Post("/invitation", token).LeadsTo(link)
		shouted.Get("/o/acme").Wants(http.StatusNotFound)
		for _, secret := range []string{"", "x", strings.Repeat("A", 43)} {
			s.Visit(t).Get("/invitation?token=" + secret).Gone()
			other.Post("/invitation", apptest.Fill("token", secret)).Gone()
		}
	})
}

func TestInvitationRefuses(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		admin := s.AddMember("the.admin", "Admin")
		s.Invite("ben@example.com", "Member")
		member, owner := s.Role("Member").ID.String(), s.Role("Owner").ID.String()
		for name, tt := range map[string]struct {
			email, role string
			wrong       map[string]string
		}{
			"nothing":      {"", "", map[string]string{"email": "Enter an email address.", "role": "Choose one of the options."}},
			"no address":   {"ben", member, map[string]string{"email": "Enter an email address such as name@example.com."}},
			"invited":      {"Ben@Example.com", member, map[string]string{"email": "This address has already been invited. You can resend the invitation below."}},
			"a member":     {"ANNA@example.com", member, map[string]string{"email": "This person is already a member."}},
			"more than it": {"new@example.com", owner, map[string]string{"role": "Choose one of the options."}},
		} {
			t.Run(name, func(t *testing.T) {
				typed := apptest.Fill("email", tt.email, "role", tt.role)
				admin.Post("/o/acme/invitations", typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				admin.Post("/o/acme/invitations", typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#invite").WantsErrors(tt.wrong)
			})
		}
		s.NoMail()
		if _, err := s.DB.Bun().ExecContext(t.Context(), "UPDATE users SET verified_at = NULL"); err != nil {
			t.Fatal(err)
		}
		s.Owner.Post("/o/acme/invitations", apptest.Fill("email", "new@example.com", "role", member)).Wants(http.StatusForbidden).Says("Confirm your email address first")
		// The page says so at once, and keeps what can still be done.
		a := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Page().
			Says("Confirm your email address before you invite anyone. Open the link we sent to " + apptest.Anna.Email).Says("ben@example.com Member")
		for selector, want := range map[string]int{"form#invite": 0, `form[action$="/resend"]`: 0, `form[action$="/revoke"]`: 1, `form[action="/account/verify"]`: 1} {
			if got := a.Find(selector).Length(); got != want {
				t.Errorf("there are %d %s, want %d", got, selector, want)
			}
		}
	})
}

func TestInvitationSentAgainAndTakenBack(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		link := s.Invite("ben@example.com", "Member")
		s.SetTime("invitations", "expires_at", time.Now().Add(-time.Minute))
		s.Visit(t).Get(link).Gone()
		page := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("Expired")
		s.Owner.Submit(page, `form[action$="/resend"]`, nil, options...)
		again := s.MailTo("ben@example.com", "Anna Smith invited you to Vestibule").Link
		s.Visit(t).Get(link).Gone()
		s.Visit(t).Get(again).Wants(http.StatusOK)
		page = s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK)
		if strings.Contains(page.Body, "Expired") {
			t.Error("it is expired still")
		}
		s.Owner.Submit(page, `form[action$="/resend"]`, nil, options...)
		s.Owner.Submit(page, `form[action$="/revoke"]`, nil, options...)
		s.NoMail()
		s.Visit(t).Get(again).Gone()
		s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("No pending invitations.")
		s.Owner.Submit(page, `form[action$="/revoke"]`, nil, options...).Wants(http.StatusNotFound)
	})
}

func TestInvitationsPages(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		for i := range 25 {
			if err := s.DB.Invite(t.Context(), s.First, fmt.Sprintf("guest%02d@example.com", i), s.Role("Member").ID); err != nil {
				t.Fatal(err)
			}
		}
		var guests []string
		pages := 0
		for path := "/o/acme/invitations"; path != ""; pages++ {
			a := s.Owner.Get(path, options...).Wants(http.StatusOK)
			if len(options) > 0 {
				a.Fragment("li")
			}
			a.Find("li strong").Each(func(_ int, e apptest.Selection) { guests = append(guests, e.Text()) })
			if _, focused := a.Find("li").FilterFunction(func(_ int, e apptest.Selection) bool { return e.Find("strong").Length() > 0 }).Attr("autofocus"); focused != (pages > 0) {
				t.Errorf("the focus on the first of page %d is %v", pages, focused)
			}
			more := a.Find("li > a.quiet:only-child")
			path = more.AttrOr("href", "")
			if more.AttrOr("hx-get", "") != path || path != "" && more.AttrOr("hx-target", "") != "closest li" {
				t.Errorf("more comes by %q", more.AttrOr("hx-get", ""))
			}
		}
		if len(guests) != 25 || guests[0] != "guest24@example.com" || guests[24] != "guest00@example.com" || pages != 2 {
			t.Errorf("%d pages show %v", pages, guests)
		}
	})
}

func TestInvitationsAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db, func(c *app.Config) {
			c.LimitMail = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		link := "/o/acme/invitations"
		typed := apptest.Fill("email", "ben@example.com", "role", s.Role("Member").ID.String())
		s.Post(link, typed).LeadsTo(link)
		s.Submit(s.Get(link), `form[action$="/resend"]`, nil).LeadsTo(link)
		s.Submit(s.Get(link), `form[action$="/resend"]`, nil).Wants(http.StatusTooManyRequests)
		s.Submit(s.Get(link), `form[action$="/revoke"]`, nil).LeadsTo(link)
		a := s.Post(link, typed, apptest.HTMX).Wants(http.StatusTooManyRequests).Fragment("form#invite").Says("Too many attempts.")
		if a.Header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
		s.Post(link, apptest.With(typed, "email", "carla@example.com")).LeadsTo(link)
		a = s.Post(link, typed).TooEarly().Page().Says("Pending invitations carla@example.com")
		if got := a.Value("email"); got != "ben@example.com" {
			t.Errorf("the field holds %q", got)
		}
	})
}

func TestMembersPage(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		for i := range 22 {
			u := &models.User{Username: fmt.Sprintf("person%02d", i), Email: fmt.Sprintf("p%02d@example.com", i), FirstName: "Per", LastName: fmt.Sprintf("Son %02d", i)}
			if err := s.DB.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			s.Admit(u.Username, "Member")
		}
		member := s.AddMember("the.member", "Member")
		a := s.Owner.Get("/o/acme/members").Wants(http.StatusOK).Page().Says("Anna Smith You").Says("p03@example.com")
		seen := a.Find("#members strong").Length()
		for more := a.Find("#members a").AttrOr("href", ""); more != ""; {
			a = s.Owner.Get(more, apptest.HTMX).Wants(http.StatusOK).Fragment("li")
			seen += a.Find("strong").Length()
			more = a.Find("a").AttrOr("href", "")
		}
		if seen != 24 {
			t.Errorf("seen are %d members, want 24", seen)
		}
		search := func(v *apptest.Visitor, text string, want ...string) {
			t.Helper()
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				a := v.Get("/o/acme/members?"+url.Values{"q": {text}}.Encode(), options...).Wants(http.StatusOK)
				var got []string
				a.Find("li strong").Each(func(_ int, e apptest.Selection) { got = append(got, e.Text()) })
				if !slices.Equal(got, want) {
					a.Failf("found are %q, want %q", got, want)
				}
				if options == nil && a.Value("q") != text {
					a.Failf("the field holds %q", a.Value("q"))
				}
				told := fmt.Sprintf("%d results.", len(want))
				switch len(want) {
				case 0:
					told = "No results."
				case 1:
					told = "1 result."
				}
				if got := a.Text(`hx-partial[hx-target="#finds"]`); options != nil && got != told {
					a.Failf("those who hear the page are told %q, want %q", got, told)
				}
			}
		}
		search(s.Owner, "son 07", "Per Son 07")
		search(s.Owner, "PERSON1", "Per Son 10", "Per Son 11", "Per Son 12", "Per Son 13", "Per Son 14", "Per Son 15", "Per Son 16", "Per Son 17", "Per Son 18", "Per Son 19")
		search(s.Owner, "p07@", "Per Son 07")
		search(s.Owner, "%")
		search(member, "p07@") // the addresses are not for members to find
		if a := member.Get("/o/acme/members").Wants(http.StatusOK); strings.Contains(a.Body, "p03@example.com") || a.Find("select").Length() != 0 {
			t.Error("a member sees addresses, or may choose roles")
		}
		for _, strange := range []string{"\x00", "\xff", strings.Repeat("é", 5000)} {
			s.Owner.Get("/o/acme/members?" + url.Values{"q": {strange}}.Encode()).Wants(http.StatusOK)
		}
		s.Owner.Get("/o/acme/members?after=nonsense").Wants(http.StatusOK).Says("Anna Smith")
	})
}

func TestChangeAndRemoveMembers(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		admin, member := s.AddMember("the.admin", "Admin"), s.AddMember("the.member", "Member")
		path := "/o/acme/members/" + s.Membership("the.member").ID.String()
		admin.Get("/o/acme/members").Wants(http.StatusOK).Says("the.member@example.com")
		sets := func(v *apptest.Visitor, of, role string) *apptest.Answer {
			t.Helper()
			return v.Post("/o/acme/members/"+s.Membership(of).ID.String()+"/role", apptest.Fill("role", s.Role(role).ID.String()), options...)
		}
		a := sets(admin, "the.member", "Admin")
		if len(options) == 0 {
			a.LeadsTo("/o/acme/members")
		} else {
			a.Wants(http.StatusOK).Fragment("li").Says("Role changed")
			if got := a.Text("option[selected]"); got != "Admin" {
				t.Errorf("the row shows %q", got)
			}
		}
		member.Get("/o/acme/invitations").Wants(http.StatusOK) // at once
		sets(s.Owner, "the.member", "Member")
		member.Get("/o/acme/invitations").Wants(http.StatusForbidden)
		sets(admin, "the.member", "Owner").Wants(http.StatusForbidden)
		sets(admin, "anna.smith", "Member").Wants(http.StatusForbidden)
		sets(s.Owner, "anna.smith", "Admin").Wants(http.StatusConflict).Says("An organization needs an owner. Make someone else an owner first")
		s.Owner.Post(path+"/role", apptest.Fill("role", "nonsense"), options...).Wants(http.StatusNotFound)
		s.Owner.Post("/o/acme/members/nonsense/role", apptest.Fill("role", s.Role("Admin").ID.String()), options...).Wants(http.StatusNotFound)
		admin.Post("/o/acme/members/"+s.First.ID.String()+"/remove", nil, options...).Wants(http.StatusForbidden)

		if a := admin.Post(path+"/remove", nil, options...); len(options) == 0 {
			a.LeadsTo("/o/acme/members")
		} else {
			a.Wants(http.StatusOK).Says("Member removed")
		}
		member.Get("/o/acme").Wants(http.StatusNotFound)
		admin.Post(path+"/remove", nil, options...).Wants(http.StatusNotFound)

		admin.Submit(admin.Get("/o/acme"), `form[action$="/leave"]`, nil, options...).LeadsTo("/organizations")
		admin.Get("/organizations").Says("You've left the organization")
		admin.Get("/o/acme").Wants(http.StatusNotFound)
		s.Owner.Post("/o/acme/leave", nil, options...).Wants(http.StatusConflict).Says("An organization needs an owner. Make someone else an owner first")
		s.Owner.Post("/o/acme/members/"+s.First.ID.String()+"/remove", nil, options...).Wants(http.StatusConflict)
		s.Owner.Get("/o/acme").Wants(http.StatusOK)
	})
}

func TestRolesPage(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		page := s.Owner.Get("/o/acme/roles").Wants(http.StatusOK).Page()
		typed := url.Values{"name": {"Host"}, "permissions": {"invite-members", "see-activity"}}
		s.Owner.Submit(page, "form#create-role", typed, options...).LeadsTo("/o/acme/roles")
		host := s.AddMember("the.host", "Host")
		host.Get("/o/acme/invitations").Wants(http.StatusOK)
		host.Get("/o/acme/settings").Wants(http.StatusForbidden)

		for name, tt := range map[string]struct {
			typed url.Values
			wrong map[string]string
		}{
			"taken":   {url.Values{"name": {"HOST"}}, map[string]string{"name": "There's already a role with this name."}},
			"nothing": {url.Values{}, map[string]string{"name": "Enter the role's name."}},
			"owners'": {url.Values{"name": {"Sly"}, "permissions": {"own-organization"}}, map[string]string{"permissions": "Choose one of the options."}},
		} {
			t.Run(name, func(t *testing.T) {
				a := s.Owner.Post("/o/acme/roles", tt.typed, options...).Wants(http.StatusUnprocessableEntity)
				for field, want := range tt.wrong {
					if got := a.Text("#" + field + "-error"); got != want {
						a.Failf("%s says %q, want %q", field, got, want)
					}
					if focus := a.Find("[autofocus]"); focus.Length() != 1 || focus.AttrOr("name", "") != field {
						a.Failf("the focus is on %q, want %s", focus.AttrOr("name", ""), field)
					}
				}
			})
		}
		path := s.Owner.Get("/o/acme/roles").Find(`.rows a`).AttrOr("href", "")
		page = s.Owner.Get(path).Wants(http.StatusOK).Page()
		s.Owner.Submit(page, "form#role", url.Values{"name": {"Editor"}, "permissions": {"edit-organization"}}, options...).LeadsTo("/o/acme/roles")
		host.Get("/o/acme/invitations").Wants(http.StatusForbidden)
		page = host.Get("/o/acme/settings").Wants(http.StatusOK)
		host.Submit(page, "form#settings", apptest.Fill("name", ""), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"name": "Enter the organization's name."})
		host.Submit(page, "form#settings", apptest.Fill("name", "Acme & Co"), options...).LeadsTo("/o/acme/settings")
		host.Get("/o/acme").Says("Acme & Co Overview")
		s.Owner.Get("/o/acme/roles/" + s.Role("Admin").ID.String()).Wants(http.StatusNotFound)
		s.Owner.Submit(s.Owner.Get(path), `form[action$="/delete"]`, nil, options...).LeadsTo("/o/acme/roles")
		host.Get("/o/acme").Wants(http.StatusOK).Says("Member")
		s.Owner.Get(path).Wants(http.StatusNotFound)
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
			"/roles":       {"Settings", "true"},
			"/transfer":    {"Settings", "true"},
			"/dissolve":    {"Settings", "true"},
		} {
			link := s.Owner.Get("/o/acme" + path).Wants(http.StatusOK).Find("nav[aria-label=Organization] [aria-current]")
			if link.Text() != want.link || link.AttrOr("aria-current", "") != want.current {
				t.Errorf("%s stands under %q as %q", path, link.Text(), link.AttrOr("aria-current", ""))
			}
		}
	})
}

func TestTransferAndDissolve(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		member := s.AddMember("the.member", "Member")
		s.Age("authenticated_at", time.Now().Add(-time.Hour))
		s.Owner.Get("/o/acme/transfer").Wants(http.StatusForbidden).Says("Confirm it's you")
		s.Owner.Post("/o/acme/dissolve", apptest.Fill("name", "Acme"), options...).Wants(http.StatusForbidden)
		s.Age("authenticated_at", time.Now())

		page := s.Owner.Get("/o/acme/transfer").Wants(http.StatusOK).Page()
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

func TestDeleteAccountOfAnOwner(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		member := s.AddMember("the.member", "Member")
		typed := apptest.Fill("username", "anna.smith", "current_password", apptest.Anna.Password)
		s.Owner.Get("/account/delete").Wants(http.StatusOK).Says("transfer or delete Acme. You're its only owner")
		s.Owner.Post("/account/delete", typed, options...).Wants(http.StatusConflict).Says("You're the only owner of Acme, which has other members.")
		if !s.Owner.SignedIn() {
			t.Fatal("the account is gone")
		}
		member.Submit(member.Get("/o/acme"), `form[action$="/leave"]`, nil).LeadsTo("/organizations")
		s.Owner.Get("/account/delete").Wants(http.StatusOK).Says("Your organization Acme has no other members, so this deletes it too.")
		s.Owner.Post("/account/delete", typed, options...).LeadsTo("/")
		if left := s.Dump("organizations") + s.Dump("memberships"); strings.Contains(left, s.First.OrganizationID.String()) {
			t.Errorf("the organization is left: %s", left)
		}
	})
}

func TestOrganizationActivity(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		link := s.Invite("ben@example.com", "Member")
		guest := s.Visit(t)
		guest.Post("/sign-up?next="+url.QueryEscape(link), apptest.Ben.Form()).LeadsTo(link)
		guest.Submit(guest.Get(link), "form#accept", nil).LeadsTo("/o/acme")
		s.Owner.Post("/o/acme/members/"+s.Membership("benjamin").ID.String()+"/role", apptest.Fill("role", s.Role("Admin").ID.String())).LeadsTo("/o/acme/members")
		a := s.Owner.Get("/o/acme/activity").Wants(http.StatusOK).Page()
		var got []string
		a.Find("main .rows li > div").Each(func(_ int, e apptest.Selection) {
			words := strings.Join(strings.Fields(e.Text()), " ")
			who := words[strings.LastIndex(words, ", by "):]
			got = append(got, strings.Fields(e.Find("strong").Text())[0]+who)
		})
		want := []string{"Role, by Anna Smith", "Joined, by Ben Jones", "Invited, by Anna Smith", "Created, by Anna Smith"}
		if !slices.Equal(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
		if strings.Contains(a.Body, "127.0.0.1") {
			t.Error("it says from where")
		}
		// Ben sees what Anna did to him, and not from where.
		guest.Get("/account/activity").Wants(http.StatusOK).Says("Role changed")
		if n := strings.Count(guest.Get("/account/activity").Text("main"), "by someone else"); n != 1 {
			t.Errorf("%d events are by someone else", n)
		}
	})
}

func TestDownloadDataOfAMember(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		a := s.Owner.Get("/account/data").Wants(http.StatusOK)
		for _, want := range []string{`"organization": "Acme"`, `"address": "acme"`, `"role": "Owner"`} {
			if !strings.Contains(a.Body, want) {
				t.Errorf("there is no %s in %s", want, a.Body)
			}
		}
	})
}

// A page of an organization costs two queries before its own: the session, and
// the person's place. A whole page reads the list to switch by, too.
func TestQueriesOfAnOrganization(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := apptest.NewCompany(t, db)
		if got := q.During(func() { s.Get("/o/acme").Wants(http.StatusOK) }); len(got) != 3 {
			t.Errorf("%d queries, want 3: %q", len(got), got)
		}
		if got := q.During(func() { s.Get("/o/acme", apptest.HTMX).Wants(http.StatusOK) }); len(got) != 2 {
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

// TestPasswordsAreNobodyElsesBusiness mistypes the password before a page of an
// organization, whose activity others read.
func TestPasswordsAreNobodyElsesBusiness(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.SetTime("sessions", "authenticated_at", time.Now().Add(-24*time.Hour))
		for _, password := range []string{"not the password", apptest.Anna.Password} {
			s.Post("/o/acme/transfer", apptest.Fill("sudo", "open", "current_password", password))
		}
		s.Get("/account/activity").Says("Wrong password entered").Says("Confirmed password")
		for _, words := range []string{"Wrong password", "Gave the password"} {
			if a := s.Get("/o/acme/activity").Wants(http.StatusOK); strings.Contains(a.Body, words) {
				a.Failf("it says %q", words)
			}
		}
	})
}
