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
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestCreateOrganization(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.visit(t).get("/organizations").leadsTo("/sign-in?next=%2Forganizations")
		s.join(anna())
		page := s.get("/organizations").wants(http.StatusOK).page()
		s.submit(page, "form#create-organization", fill("name", "Käse & Söhne"), options...).leadsTo("/o/kase-and-sohne")
		s.get("/o/kase-and-sohne").wants(http.StatusOK).page().says("Your organization is ready.").says("Owner")
		s.submit(page, "form#create-organization", fill("name", "Two", "slug", "my-2nd"), options...).leadsTo("/o/my-2nd")

		// Two tabs show two, and each leads to the other.
		for path, name := range map[string]string{"/o/kase-and-sohne": "Käse & Söhne", "/o/my-2nd": "Two"} {
			a := s.get(path).wants(http.StatusOK)
			if got := a.text(".switcher summary"); got != "Change organization: "+name {
				t.Errorf("%s is shown as %q", path, got)
			}
			var to []string
			a.find(".switcher a").Each(func(_ int, link selection) { to = append(to, link.AttrOr("href", "")) })
			if want := []string{"/o/kase-and-sohne", "/o/my-2nd", "/organizations"}; !slices.Equal(to, want) {
				t.Errorf("from %s one gets to %v", path, to)
			}
		}
		s.get("/organizations").wants(http.StatusOK).says("Käse & Söhne Owner Two Owner")
	})
}

func TestCreateOrganizationRefuses(t *testing.T) {
	t.Parallel()
	const shape = "Use only lower-case letters a to z, digits, and hyphens between them."
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
		"taken":              {"A", "acme", map[string]string{"slug": "There is already an organization at this address."}},
		"taken proposal":     {"Acme!", "", map[string]string{"slug": "There is already an organization at this address."}},
		"upper case":         {"A", "Fine", map[string]string{"slug": shape}},
		"path":               {"A", "a/b", map[string]string{"slug": shape}},
		"hyphens at the end": {"A", "a-", map[string]string{"slug": shape}},
		"long address":       {"A", strings.Repeat("a", 41), map[string]string{"slug": "Use at most 40 characters."}},
		"a web address":      {"Look at https://evil.example", "fine", map[string]string{"name": "Leave out web addresses."}},
		"line break":         {"A\nB", "fine", map[string]string{"name": "This holds a character that cannot be used here."}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.post("/organizations", fill("name", "Acme")).leadsTo("/o/acme")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				typed := fill("name", tt.name, "slug", tt.slug)
				s.post("/organizations", typed).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				s.post("/organizations", typed, htmx).wants(http.StatusUnprocessableEntity).fragment("form#create-organization").wantsErrors(tt.wrong)
				for field := range tt.wrong {
					a := s.post("/organizations/check?field="+field, typed, htmx).wants(http.StatusOK)
					if got := a.text("#" + field + "-error"); got != tt.wrong[field] {
						a.failf("it says %q, want %q", got, tt.wrong[field])
					}
				}
			})
		}
		if places, err := db.Memberships(t.Context(), s.user("anna.smith").ID); err != nil || len(places) != 1 {
			t.Errorf("there are %d organizations (%v)", len(places), err)
		}
		a := s.post("/organizations/check?field=name", fill("name", "Größe 42", "slug", ""), htmx).wants(http.StatusOK)
		if a.value("slug") != "grosse-42" || a.find("#slug-field").AttrOr("hx-swap-oob", "") == "" {
			a.failf("proposed is %q", a.value("slug"))
		}
		a = s.post("/organizations/check?field=name", fill("name", "Größe 42", "slug", "mine"), htmx).wants(http.StatusOK)
		if a.find("#slug-field").Length() != 0 {
			a.failf("what was typed is replaced by %q", a.value("slug"))
		}
	})
}

func TestOrganizationsAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) {
			c.LimitSignUp = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		s.join(anna())
		s.post("/organizations", fill("name", "Acme")).leadsTo("/o/acme")
		rename := func(from, to string) {
			t.Helper()
			if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE ? RENAME TO ?", bun.Ident(from), bun.Ident(to)); err != nil {
				t.Fatal(err)
			}
		}
		s.log.mayFail()
		rename("memberships", "away")
		for range 3 { // which counts for nothing
			s.post("/organizations", fill("name", "Two")).wants(http.StatusInternalServerError)
		}
		rename("away", "memberships")
		s.post("/organizations", fill("name", "Two")).leadsTo("/o/two")
		typed := fill("name", "Three", "slug", "number-3")
		a := s.post("/organizations", typed).tooEarly().page().says("Yours Acme Owner Two Owner")
		if a.value("name") != "Three" || a.value("slug") != "number-3" {
			t.Errorf("the form holds %q and %q", a.value("name"), a.value("slug"))
		}
		s.post("/organizations", typed, htmx).tooEarly().fragment("form#create-organization")
	})
}

// invites sends an invitation and returns the path of its link.
func (s *company) invites(email, role string) string {
	s.t.Helper()
	page := s.owner.get("/o/acme/invitations").wants(http.StatusOK)
	s.owner.submit(page, "form#invite", fill("email", email, "role", s.role(role).ID.String())).leadsTo("/o/acme/invitations")
	return s.letterTo(email, "An invitation to an organization").link
}

// companyEachWay is eachWay with a company.
func companyEachWay(t *testing.T, test func(t *testing.T, s *company, options ...option)) {
	t.Parallel()
	for name, options := range map[string][]option{"plain": nil, "htmx": {htmx}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := newCompany(t, db)
				s.deliver()
				test(t, s, options...)
			})
		})
	}
}

// eachCompany is modelstest.Each with a company whose mail is delivered.
func eachCompany(t *testing.T, test func(t *testing.T, s *company)) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newCompany(t, db)
		s.deliver()
		test(t, s)
	})
}

// Somebody unknown follows the link, signs up on the way, and is in: the mail
// that brought the link has proved the address.
func TestInvitationOfSomebodyNew(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		link := s.invites("ben@example.com", "Admin")
		guest := s.visit(t)
		page := guest.get(link).wants(http.StatusOK).page().harmless().wantsHeader("Cache-Control", "no-store").says("Anna Smith").says("Acme").says("Admin")
		to := page.find("a.quiet").AttrOr("href", "")
		if typed := guest.get(to).wants(http.StatusOK).page(); typed.value("email") != "ben@example.com" {
			t.Errorf("the e-mail is %q", typed.value("email"))
		}
		guest.post(to, ben(), options...).leadsTo(link)
		page = guest.get(link).wants(http.StatusOK)
		if s.user("benjamin").Verified() {
			t.Error("the address is verified before the button is pressed")
		}
		guest.submit(page, "form#accept", nil, options...).leadsTo("/o/acme")
		guest.get("/o/acme").wants(http.StatusOK).says("You are a member now.").says("Admin")
		if !s.user("benjamin").Verified() {
			t.Error("the address is not verified")
		}
		if sent := s.deliver(); len(sent) > 0 {
			t.Errorf("sent are %+v: there is nothing to verify", sent)
		}
		guest.get(link).gone()
		guest.post("/invitation", fill("token", s.tokenOf(letter{link: link})), options...).gone()
	})
}

// Somebody known signs in on the way.
func TestInvitationOfSomebodyKnown(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		s.visit(t).join(ben())
		s.setTime("users", "verified_at", time.Now())
		s.deliver()
		link := s.invites("BEN@example.com", "Member")
		guest := s.visit(t)
		to := guest.get(link).wants(http.StatusOK).find("main a:not(.quiet)").AttrOr("href", "")
		guest.post(to, credentials("benjamin", ben().Get("password")), options...).leadsTo(link)
		guest.submit(guest.get(link), "form#accept", nil, options...).leadsTo("/o/acme")
		guest.get("/o/acme/members").wants(http.StatusOK).says("Ben Jones You Member")
	})
}

func TestInvitationIsForItsAddressAlone(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		link := s.invites("ben@example.com", "Member")
		token := fill("token", s.tokenOf(letter{link: link}))
		s.visit(t).post("/invitation", token).leadsTo("/sign-in?next=" + url.QueryEscape(link))

		other := s.visit(t)
		other.join(with(ben(), "email", "else@example.com"))
		s.setTime("users", "verified_at", time.Now())
		a := other.get(link).wants(http.StatusOK).says("You are signed in as else@example.com, but the invitation is for another address.")
		if a.find("form#accept").Length() != 0 {
			t.Error("there is a button")
		}
		other.post("/invitation", token).leadsTo(link)
		other.get("/o/acme").wants(http.StatusNotFound)

		// Not verified, and the token was sent to another spelling.
		shouted := s.visit(t)
		shouted.join(with(ben(), "username", "shouted", "email", "BEN@example.com"))
		shouted.get(link).wants(http.StatusOK).says("Confirm your e-mail first")
		shouted.post("/invitation", token).leadsTo(link)
		shouted.get("/o/acme").wants(http.StatusNotFound)
		for _, secret := range []string{"", "x", strings.Repeat("A", 43)} {
			s.visit(t).get("/invitation?token=" + secret).gone()
			other.post("/invitation", fill("token", secret)).gone()
		}
	})
}

func TestInvitationRefuses(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		admin := s.employ("the.admin", "Admin")
		s.invites("ben@example.com", "Member")
		member, owner := s.role("Member").ID.String(), s.role("Owner").ID.String()
		for name, tt := range map[string]struct {
			email, role string
			wrong       map[string]string
		}{
			"nothing":      {"", "", map[string]string{"email": "Enter the guest's e-mail.", "role": "Choose among what is offered."}},
			"no address":   {"ben", member, map[string]string{"email": "Enter an e-mail address such as name@example.com."}},
			"invited":      {"Ben@Example.com", member, map[string]string{"email": "This e-mail is invited already. Send the invitation again below."}},
			"a member":     {"ANNA@example.com", member, map[string]string{"email": "This is the e-mail of a member."}},
			"more than it": {"new@example.com", owner, map[string]string{"role": "Choose among what is offered."}},
		} {
			t.Run(name, func(t *testing.T) {
				typed := fill("email", tt.email, "role", tt.role)
				admin.post("/o/acme/invitations", typed).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				admin.post("/o/acme/invitations", typed, htmx).wants(http.StatusUnprocessableEntity).fragment("form#invite").wantsErrors(tt.wrong)
			})
		}
		s.noLetter()
		if _, err := s.db.Bun().ExecContext(t.Context(), "UPDATE users SET verified_at = NULL"); err != nil {
			t.Fatal(err)
		}
		s.owner.post("/o/acme/invitations", fill("email", "new@example.com", "role", member)).wants(http.StatusForbidden).says("Confirm your e-mail first")
		// The page says so at once, and keeps what can still be done.
		a := s.owner.get("/o/acme/invitations").wants(http.StatusOK).page().
			says("Confirm your e-mail before you invite somebody: open the link that we sent to " + annasEmail).says("ben@example.com Member")
		for selector, want := range map[string]int{"form#invite": 0, `form[action$="/resend"]`: 0, `form[action$="/revoke"]`: 1, `form[action="/account/verify"]`: 1} {
			if got := a.find(selector).Length(); got != want {
				t.Errorf("there are %d %s, want %d", got, selector, want)
			}
		}
	})
}

func TestInvitationSentAgainAndTakenBack(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		link := s.invites("ben@example.com", "Member")
		s.setTime("invitations", "expires_at", time.Now().Add(-time.Minute))
		s.visit(t).get(link).gone()
		page := s.owner.get("/o/acme/invitations").wants(http.StatusOK).says("Expired")
		s.owner.submit(page, `form[action$="/resend"]`, nil, options...)
		again := s.letterTo("ben@example.com", "An invitation to an organization").link
		s.visit(t).get(link).gone()
		s.visit(t).get(again).wants(http.StatusOK)
		page = s.owner.get("/o/acme/invitations").wants(http.StatusOK)
		if strings.Contains(page.body, "Expired") {
			t.Error("it is expired still")
		}
		s.owner.submit(page, `form[action$="/resend"]`, nil, options...)
		s.owner.submit(page, `form[action$="/revoke"]`, nil, options...)
		s.noLetter()
		s.visit(t).get(again).gone()
		s.owner.get("/o/acme/invitations").wants(http.StatusOK).says("None.")
		s.owner.submit(page, `form[action$="/revoke"]`, nil, options...).wants(http.StatusNotFound)
	})
}

func TestInvitationsPages(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		for i := range 25 {
			if err := s.db.Invite(t.Context(), s.first, fmt.Sprintf("guest%02d@example.com", i), s.role("Member").ID); err != nil {
				t.Fatal(err)
			}
		}
		var guests []string
		pages := 0
		for path := "/o/acme/invitations"; path != ""; pages++ {
			a := s.owner.get(path, options...).wants(http.StatusOK)
			if len(options) > 0 {
				a.fragment("li")
			}
			a.find("li strong").Each(func(_ int, e selection) { guests = append(guests, e.Text()) })
			if _, focused := a.find("li").FilterFunction(func(_ int, e selection) bool { return e.Find("strong").Length() > 0 }).Attr("autofocus"); focused != (pages > 0) {
				t.Errorf("the focus on the first of page %d is %v", pages, focused)
			}
			more := a.find("li > a.quiet:only-child")
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
		s := newCompany(t, db, func(c *app.Config) {
			c.LimitMail = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		link := "/o/acme/invitations"
		typed := fill("email", "ben@example.com", "role", s.role("Member").ID.String())
		s.post(link, typed).leadsTo(link)
		s.submit(s.get(link), `form[action$="/resend"]`, nil).leadsTo(link)
		s.submit(s.get(link), `form[action$="/resend"]`, nil).wants(http.StatusTooManyRequests)
		s.submit(s.get(link), `form[action$="/revoke"]`, nil).leadsTo(link)
		a := s.post(link, typed, htmx).wants(http.StatusTooManyRequests).fragment("form#invite").says("Too many attempts.")
		if a.Header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
		s.post(link, with(typed, "email", "carla@example.com")).leadsTo(link)
		a = s.post(link, typed).tooEarly().page().says("Not accepted yet carla@example.com")
		if got := a.value("email"); got != "ben@example.com" {
			t.Errorf("the field holds %q", got)
		}
	})
}

func TestMembersPage(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		for i := range 22 {
			u := &models.User{Username: fmt.Sprintf("person%02d", i), Email: fmt.Sprintf("p%02d@example.com", i), FirstName: "Per", LastName: fmt.Sprintf("Son %02d", i)}
			if err := s.db.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			s.admit(u.Username, "Member")
		}
		member := s.employ("the.member", "Member")
		a := s.owner.get("/o/acme/members").wants(http.StatusOK).page().says("Anna Smith You").says("p03@example.com")
		seen := a.find("#members strong").Length()
		for more := a.find("#members a").AttrOr("href", ""); more != ""; {
			a = s.owner.get(more, htmx).wants(http.StatusOK).fragment("li")
			seen += a.find("strong").Length()
			more = a.find("a").AttrOr("href", "")
		}
		if seen != 24 {
			t.Errorf("seen are %d members, want 24", seen)
		}
		search := func(v *visitor, text string, want ...string) {
			t.Helper()
			for _, options := range [][]option{nil, {htmx}} {
				a := v.get("/o/acme/members?"+url.Values{"q": {text}}.Encode(), options...).wants(http.StatusOK)
				var got []string
				a.find("li strong").Each(func(_ int, e selection) { got = append(got, e.Text()) })
				if !slices.Equal(got, want) {
					a.failf("found are %q, want %q", got, want)
				}
				if options == nil && a.value("q") != text {
					a.failf("the field holds %q", a.value("q"))
				}
				told := fmt.Sprintf("%d found.", len(want))
				if len(want) == 0 {
					told = "None found."
				}
				if got := a.text(`hx-partial[hx-target="#finds"]`); options != nil && got != told {
					a.failf("those who hear the page are told %q, want %q", got, told)
				}
			}
		}
		search(s.owner, "son 07", "Per Son 07")
		search(s.owner, "PERSON1", "Per Son 10", "Per Son 11", "Per Son 12", "Per Son 13", "Per Son 14", "Per Son 15", "Per Son 16", "Per Son 17", "Per Son 18", "Per Son 19")
		search(s.owner, "p07@", "Per Son 07")
		search(s.owner, "%")
		search(member, "p07@") // the addresses are not for members to find
		if a := member.get("/o/acme/members").wants(http.StatusOK); strings.Contains(a.body, "p03@example.com") || a.find("select").Length() != 0 {
			t.Error("a member sees addresses, or may choose roles")
		}
		for _, strange := range []string{"\x00", "\xff", strings.Repeat("é", 5000)} {
			s.owner.get("/o/acme/members?" + url.Values{"q": {strange}}.Encode()).wants(http.StatusOK)
		}
		s.owner.get("/o/acme/members?after=nonsense").wants(http.StatusOK).says("Anna Smith")
	})
}

func TestChangeAndRemoveMembers(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		admin, member := s.employ("the.admin", "Admin"), s.employ("the.member", "Member")
		path := "/o/acme/members/" + s.place("the.member").ID.String()
		admin.get("/o/acme/members").wants(http.StatusOK).says("the.member@example.com")
		sets := func(v *visitor, of, role string) *answer {
			t.Helper()
			return v.post("/o/acme/members/"+s.place(of).ID.String()+"/role", fill("role", s.role(role).ID.String()), options...)
		}
		a := sets(admin, "the.member", "Admin")
		if len(options) == 0 {
			a.leadsTo("/o/acme/members")
		} else {
			a.wants(http.StatusOK).fragment("li").says("The role is changed.")
			if got := a.text("option[selected]"); got != "Admin" {
				t.Errorf("the row shows %q", got)
			}
		}
		member.get("/o/acme/invitations").wants(http.StatusOK) // at once
		sets(s.owner, "the.member", "Member")
		member.get("/o/acme/invitations").wants(http.StatusForbidden)
		sets(admin, "the.member", "Owner").wants(http.StatusForbidden)
		sets(admin, "anna.smith", "Member").wants(http.StatusForbidden)
		sets(s.owner, "anna.smith", "Admin").wants(http.StatusConflict).says("This is its last owner.")
		s.owner.post(path+"/role", fill("role", "nonsense"), options...).wants(http.StatusNotFound)
		s.owner.post("/o/acme/members/nonsense/role", fill("role", s.role("Admin").ID.String()), options...).wants(http.StatusNotFound)
		admin.post("/o/acme/members/"+s.first.ID.String()+"/remove", nil, options...).wants(http.StatusForbidden)

		if a := admin.post(path+"/remove", nil, options...); len(options) == 0 {
			a.leadsTo("/o/acme/members")
		} else {
			a.wants(http.StatusOK).says("They are no member any more.")
		}
		member.get("/o/acme").wants(http.StatusNotFound)
		admin.post(path+"/remove", nil, options...).wants(http.StatusNotFound)

		admin.submit(admin.get("/o/acme"), `form[action$="/leave"]`, nil, options...).leadsTo("/organizations")
		admin.get("/organizations").says("You have left the organization.")
		admin.get("/o/acme").wants(http.StatusNotFound)
		s.owner.post("/o/acme/leave", nil, options...).wants(http.StatusConflict).says("This is its last owner.")
		s.owner.post("/o/acme/members/"+s.first.ID.String()+"/remove", nil, options...).wants(http.StatusConflict)
		s.owner.get("/o/acme").wants(http.StatusOK)
	})
}

func TestRolesPage(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		page := s.owner.get("/o/acme/roles").wants(http.StatusOK).page()
		typed := url.Values{"name": {"Host"}, "permissions": {"invite-members", "see-activity"}}
		s.owner.submit(page, "form#create-role", typed, options...).leadsTo("/o/acme/roles")
		host := s.employ("the.host", "Host")
		host.get("/o/acme/invitations").wants(http.StatusOK)
		host.get("/o/acme/settings").wants(http.StatusForbidden)

		for name, tt := range map[string]struct {
			typed url.Values
			wrong map[string]string
		}{
			"taken":   {url.Values{"name": {"HOST"}}, map[string]string{"name": "There is already a role of this name."}},
			"nothing": {url.Values{}, map[string]string{"name": "Enter the role's name."}},
			"owners'": {url.Values{"name": {"Sly"}, "permissions": {"own-organization"}}, map[string]string{"permissions": "Choose among what is offered."}},
		} {
			t.Run(name, func(t *testing.T) {
				a := s.owner.post("/o/acme/roles", tt.typed, options...).wants(http.StatusUnprocessableEntity)
				for field, want := range tt.wrong {
					if got := a.text("#" + field + "-error"); got != want {
						a.failf("%s says %q, want %q", field, got, want)
					}
					if focus := a.find("[autofocus]"); focus.Length() != 1 || focus.AttrOr("name", "") != field {
						a.failf("the focus is on %q, want %s", focus.AttrOr("name", ""), field)
					}
				}
			})
		}
		path := s.owner.get("/o/acme/roles").find(`.rows a`).AttrOr("href", "")
		page = s.owner.get(path).wants(http.StatusOK).page()
		s.owner.submit(page, "form#role", url.Values{"name": {"Editor"}, "permissions": {"edit-organization"}}, options...).leadsTo("/o/acme/roles")
		host.get("/o/acme/invitations").wants(http.StatusForbidden)
		page = host.get("/o/acme/settings").wants(http.StatusOK)
		host.submit(page, "form#settings", fill("name", ""), options...).wants(http.StatusUnprocessableEntity).wantsErrors(map[string]string{"name": "Enter the organization's name."})
		host.submit(page, "form#settings", fill("name", "Acme & Co"), options...).leadsTo("/o/acme/settings")
		host.get("/o/acme").says("Acme & Co Overview")
		s.owner.get("/o/acme/roles/" + s.role("Admin").ID.String()).wants(http.StatusNotFound)
		s.owner.submit(s.owner.get(path), `form[action$="/delete"]`, nil, options...).leadsTo("/o/acme/roles")
		host.get("/o/acme").wants(http.StatusOK).says("Member")
		s.owner.get(path).wants(http.StatusNotFound)
	})
}

func TestOrganizationFieldChecks(t *testing.T) {
	tests := map[string]struct {
		page, path, field string // below /o/acme
		typed             url.Values
		wrong             map[string]string
	}{
		"settings":            {"/settings", "/settings/check", "name", fill("name", "Acme & Co"), nil},
		"settings, no name":   {"/settings", "/settings/check", "name", fill("name", " "), map[string]string{"name": "Enter the organization's name."}},
		"settings, long name": {"/settings", "/settings/check", "name", fill("name", strings.Repeat("a", 61)), map[string]string{"name": "Use at most 60 characters."}},
		"role":                {"/roles", "/roles/check", "name", url.Values{"name": {"Host"}, "permissions": {"own-organization"}}, nil},
		"role, no name":       {"/roles", "/roles/check", "name", fill("name", ""), map[string]string{"name": "Enter the role's name."}},
		"guest":               {"/invitations", "/invitations/check", "email", fill("email", "new@example.com"), nil},
		"guest, no address":   {"/invitations", "/invitations/check", "email", fill("email", "new@"), map[string]string{"email": wantsAddress}},
	}
	eachCompany(t, func(t *testing.T, s *company) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				at := "/o/acme" + tt.path
				if got := s.owner.get("/o/acme"+tt.page).find("#"+tt.field+"-field").AttrOr("hx-post", ""); got != at+"?field="+tt.field {
					t.Errorf("it is checked at %q", got)
				}
				s.owner.leaves(at, tt.field, tt.typed, tt.wrong)
				s.owner.post(at+"?field=permissions", tt.typed, htmx).wants(http.StatusNotFound)
			})
		}
		s.owner.get("/o/acme").says("Acme Overview")
	})
}

// TestOrganizationNavigation wants each page to stand under one of the links.
func TestOrganizationNavigation(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
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
			link := s.owner.get("/o/acme" + path).wants(http.StatusOK).find("nav[aria-label=Organization] [aria-current]")
			if link.Text() != want.link || link.AttrOr("aria-current", "") != want.current {
				t.Errorf("%s stands under %q as %q", path, link.Text(), link.AttrOr("aria-current", ""))
			}
		}
	})
}

func TestTransferAndDissolve(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		member := s.employ("the.member", "Member")
		s.age("authenticated_at", time.Now().Add(-time.Hour))
		s.owner.get("/o/acme/transfer").wants(http.StatusForbidden).says("Confirm it is you")
		s.owner.post("/o/acme/dissolve", fill("name", "Acme"), options...).wants(http.StatusForbidden)
		s.age("authenticated_at", time.Now())

		page := s.owner.get("/o/acme/transfer").wants(http.StatusOK).page()
		s.employ("the.disabled", "Member")
		if err := s.db.DisableUser(t.Context(), s.user("the.disabled")); err != nil {
			t.Fatal(err)
		}
		s.owner.submit(page, "form#transfer", fill("username", ""), options...).wants(http.StatusUnprocessableEntity).
			wantsErrors(map[string]string{"username": "Enter the new owner's username."})
		for _, nobody := range []string{"nobody", "anna.smith", "the.disabled"} {
			s.owner.submit(page, "form#transfer", fill("username", nobody), options...).wants(http.StatusUnprocessableEntity).
				wantsErrors(map[string]string{"username": "No other member has this username."})
		}
		s.owner.submit(page, "form#transfer", fill("username", "THE.member"), options...).leadsTo("/o/acme")
		s.owner.get("/o/acme").says("Admin")
		s.owner.get("/o/acme/dissolve").wants(http.StatusForbidden).says("Your role in this organization does not allow this.")
		page = member.get("/o/acme/dissolve").wants(http.StatusOK).page()
		member.submit(page, "form#dissolve", fill("name", "Acne"), options...).wants(http.StatusUnprocessableEntity).
			wantsErrors(map[string]string{"name": "This is not the organization's name."})
		member.submit(page, "form#dissolve", fill("name", "acme"), options...).leadsTo("/organizations")
		member.get("/organizations").says("The organization is deleted.")
		s.owner.get("/o/acme").wants(http.StatusNotFound)
		for _, table := range []string{"organizations", "roles", "memberships", "invitations"} {
			if left := s.dump(table); strings.Contains(left, s.first.OrganizationID.String()) {
				t.Errorf("in %s is left: %s", table, left)
			}
		}
		s.owner.post("/organizations", fill("name", "Acme")).leadsTo("/o/acme") // the address is free again
	})
}

func TestDeleteAccountOfAnOwner(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		member := s.employ("the.member", "Member")
		typed := fill("username", "anna.smith", "current_password", annasPassword)
		s.owner.get("/account/delete").wants(http.StatusOK).says("First see to Acme")
		s.owner.post("/account/delete", typed, options...).wants(http.StatusConflict).says("You are the last owner of Acme, which has other members.")
		if !s.owner.signedIn() {
			t.Fatal("the account is gone")
		}
		member.submit(member.get("/o/acme"), `form[action$="/leave"]`, nil).leadsTo("/organizations")
		s.owner.get("/account/delete").wants(http.StatusOK).says("Your organization Acme, which has no other members, goes too.")
		s.owner.post("/account/delete", typed, options...).leadsTo("/")
		if left := s.dump("organizations") + s.dump("memberships"); strings.Contains(left, s.first.OrganizationID.String()) {
			t.Errorf("the organization is left: %s", left)
		}
	})
}

func TestOrganizationActivity(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		link := s.invites("ben@example.com", "Member")
		guest := s.visit(t)
		guest.post("/sign-up?next="+url.QueryEscape(link), ben()).leadsTo(link)
		guest.submit(guest.get(link), "form#accept", nil).leadsTo("/o/acme")
		s.owner.post("/o/acme/members/"+s.place("benjamin").ID.String()+"/role", fill("role", s.role("Admin").ID.String())).leadsTo("/o/acme/members")
		a := s.owner.get("/o/acme/activity").wants(http.StatusOK).page()
		var got []string
		a.find("main .rows li > div").Each(func(_ int, e selection) {
			words := strings.Join(strings.Fields(e.Text()), " ")
			who := words[strings.LastIndex(words, ", by "):]
			got = append(got, strings.Fields(e.Find("strong").Text())[0]+who)
		})
		want := []string{"Got, by Anna Smith", "Joined, by Ben Jones", "Invited, by Anna Smith", "Created, by Anna Smith"}
		if !slices.Equal(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
		if strings.Contains(a.body, "127.0.0.1") {
			t.Error("it says from where")
		}
		// Ben sees what Anna did to him, and not from where.
		guest.get("/account/activity").wants(http.StatusOK).says("Got another role in an organization")
		if n := strings.Count(guest.get("/account/activity").text("main"), "by somebody else"); n != 1 {
			t.Errorf("%d events are by somebody else", n)
		}
	})
}

func TestDownloadDataOfAMember(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		a := s.owner.get("/account/data").wants(http.StatusOK)
		for _, want := range []string{`"organization": "Acme"`, `"address": "acme"`, `"role": "Owner"`} {
			if !strings.Contains(a.body, want) {
				t.Errorf("there is no %s in %s", want, a.body)
			}
		}
	})
}

// A page of an organization costs two queries before its own: the session, and
// the person's place. A whole page reads the list to switch by, too.
func TestQueriesOfAnOrganization(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := watch(db)
		s := newCompany(t, db)
		if got := q.during(func() { s.get("/o/acme").wants(http.StatusOK) }); len(got) != 3 {
			t.Errorf("%d queries, want 3: %q", len(got), got)
		}
		if got := q.during(func() { s.get("/o/acme", htmx).wants(http.StatusOK) }); len(got) != 2 {
			t.Errorf("%d queries, want 2: %q", len(got), got)
		}
	})
}

func TestSlugsOfNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newCompany(t, db)
		for _, slug := range []string{"%00", "acme%00", "%ff", "ACM%C3%89", "%20", "..%2f"} {
			s.get("/o/" + slug).wants(http.StatusNotFound)
		}
	})
}

// TestPasswordsAreNobodyElsesBusiness mistypes the password before a page of an
// organization, whose activity others read.
func TestPasswordsAreNobodyElsesBusiness(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newCompany(t, db)
		s.setTime("sessions", "authenticated_at", time.Now().Add(-24*time.Hour))
		for _, password := range []string{"not the password", annasPassword} {
			s.post("/o/acme/transfer", fill("sudo", "open", "current_password", password))
		}
		s.get("/account/activity").says("A password was refused").says("Gave the password again")
		for _, words := range []string{"Wrong password", "Gave the password"} {
			if a := s.get("/o/acme/activity").wants(http.StatusOK); strings.Contains(a.body, words) {
				a.failf("it says %q", words)
			}
		}
	})
}
