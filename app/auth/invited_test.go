package auth_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestWhoMaySignUp opens each site in each of its modes to people with and without an
// invitation, with each way to sign up.
func TestWhoMaySignUp(t *testing.T) {
	t.Parallel()
	const domains = "corp.example, *.bücher.example"
	for _, tt := range []struct {
		mode, email string
		refused     int    // the status of the sign-up without an invitation
		says        string // there
	}{
		{"open", "ben@example.com", 0, ""},
		{"domains", "ben@corp.example", 0, ""},
		{"domains", "ben@CORP.example", 0, ""},
		{"domains", "ben@mail.xn--bcher-kva.example", 0, ""},
		{"domains", "ben@example.com", 422, "Use an email address at corp.example or a name below bücher.example."},
		{"domains", "ben@xn--bcher-kva.example", 422, "Use an email address at"},
		{"domains", "ben@mail.corp.example", 422, "Use an email address at"},
		{"domains", "ben@notcorp.example", 422, "Use an email address at"},
		{"invited", "ben@example.com", 403, "Sign-up is by invitation"},
		{"closed", "ben@example.com", 403, "Sign-up is closed"},
	} {
		t.Run(tt.mode+" "+tt.email, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				company := apptest.NewCompany(t, db)
				company.Deliver()
				s := apptest.NewSite(t, db, apptest.OnLocalhost, apptest.SignUpMode(tt.mode, domains))
				form := apptest.With(apptest.Ben.Form(), "email", tt.email)
				leads := tt.refused != http.StatusForbidden
				for _, path := range []string{"/", "/sign-in", "/forgot-password"} {
					if links := s.Get(path).Wants(http.StatusOK).Page().Find("a[href='/sign-up']").Length(); (links > 0) != leads {
						t.Errorf("%s has %d links to /sign-up", path, links)
					}
				}
				key := s.SecurityKey()
				byPasskey := apptest.With(form, "password", "", "confirm_password", "")
				if tt.refused == 0 {
					s.Get("/sign-up").Wants(http.StatusOK).Page()
					s.Visit(t).JoinAs(form)
					return
				}
				if leads {
					s.Get("/sign-up").Wants(http.StatusOK).Page()
					s.Leaves("/sign-up/check", "email", form, map[string]string{"email": "Use an email address at corp.example or a name below bücher.example."})
					s.Post("/sign-up/passkey", byPasskey).Wants(http.StatusUnprocessableEntity)
				} else {
					s.Get("/sign-up").Wants(http.StatusForbidden).Page().Says(tt.says)
					s.Post("/sign-up/check?field=email", form, apptest.HTMX).Wants(http.StatusForbidden)
					s.Post("/sign-up/passkey", byPasskey).Wants(http.StatusForbidden)
				}
				s.Post("/sign-up", form).Wants(tt.refused).Says(tt.says)
				s.Post("/sign-up", form, apptest.HTMX).Wants(tt.refused)
				if len(s.Users()) != 1 {
					t.Fatal("somebody signed up")
				}

				// By an invitation of an organization, with a passkey.
				link := company.Invite(tt.email, "Member")
				guest := s.Visit(t)
				to := guest.Get(link).Wants(http.StatusOK).Find("a.quiet").AttrOr("href", "")
				page := guest.Get(to).Wants(http.StatusOK).Page()
				byPasskey.Set("token", page.Value("token"))
				byPasskey.Set("credential", key.Create(guest.Post("/sign-up/passkey", byPasskey)))
				guest.Submit(page, "form#sign-up", byPasskey).LeadsTo(link)
				guest.Submit(guest.Get(link), "form#accept", nil).LeadsTo("/o/acme")
				guest.Get("/o/acme").Wants(http.StatusOK)

				// By an operator's, with a password and an address that the mode refuses.
				link = s.InviteToSite("clara@elsewhere.example")
				other := s.Visit(t)
				page = other.Get(link).Wants(http.StatusOK).Page().WantsHeader("Cache-Control", "no-store")
				other.Submit(page, "form#sign-up", apptest.With(apptest.Ben.Form(), "username", "clara.w")).LeadsTo("/dashboard")
				other.Get("/dashboard").Wants(http.StatusOK)
				if u := s.User("clara@elsewhere.example"); !u.Verified() {
					t.Error("the address is not confirmed")
				}
			})
		})
	}
}

// TestSiteInvitation signs up by the link of an invitation, which works once, for its address
// alone.
func TestSiteInvitation(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		replaced, link := s.InviteToSite("Ben@Example.com"), s.InviteToSite("ben@example.com")
		s.Get(replaced).Gone().Page()
		s.Get("/sign-up?token=nonsense").Gone().Page()
		page := s.Get(link).Wants(http.StatusOK).Page().Harmless()
		if email := page.Find("input#email"); page.Value("email") != "ben@example.com" || email.AttrOr("readonly", "none") == "none" {
			page.Failf("the address is not that of the invitation")
		}
		s.Submit(page, "form#sign-up", apptest.With(apptest.Ben.Form(), "username", "b"), options...).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"username": apptest.AtLeast5})
		s.Leaves("/sign-up/check", "username", apptest.With(apptest.Ben.Form(), "token", page.Value("token"), "email", ""), nil)
		s.Submit(page, "form#sign-up", apptest.With(apptest.Ben.Form(), "email", "mallory@example.com"), options...).LeadsTo("/dashboard")
		if u := s.Users()[0]; u.Email != "ben@example.com" || !u.Verified() {
			t.Errorf("the address is %s, confirmed: %t", u.Email, u.Verified())
		}
		if sent := s.Deliver(); len(sent) > 0 {
			t.Errorf("sent are %+v: there is nothing to confirm", sent)
		}
		guest := s.Visit(t)
		guest.Get(link).Gone()
		guest.Submit(page, "form#sign-up", apptest.With(apptest.Ben.Form(), "username", "another.one"), options...).Gone()
	}, apptest.SignUpMode("invited", ""))
}

// TestSiteInvitationEnds uses invitations that no longer work, and one for an address that
// has got an account in the meantime.
func TestSiteInvitationEnds(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		revoked, expired, taken := s.InviteToSite("ada@example.com"), s.InviteToSite("bob@example.com"), s.InviteToSite("ben@example.com")
		pages := []*apptest.Answer{s.Get(revoked).Wants(http.StatusOK), s.Get(expired).Wants(http.StatusOK)}
		if err := db.RevokeSiteInvitation(t.Context(), "ADA@example.com"); err != nil {
			t.Fatal(err)
		}
		page := s.Get(taken).Wants(http.StatusOK)
		s.SetTime("site_invitations", "expires_at", time.Now())
		for i, link := range []string{revoked, expired} {
			s.Get(link).Gone().Page()
			s.Submit(pages[i], "form#sign-up", apptest.Ben.Form()).Gone()
		}
		s.SetTime("site_invitations", "expires_at", time.Now().Add(time.Hour))
		s.Visit(t).Join(apptest.Ben)
		s.Submit(page, "form#sign-up", apptest.With(apptest.Ben.Form(), "username", "another.one")).Wants(http.StatusConflict).Says("You have an account")
		if len(s.Users()) != 1 {
			t.Error("there are two accounts")
		}
		if _, err := db.InviteToSite(t.Context(), "BEN@example.com"); err == nil {
			t.Error("an address with an account was invited")
		}
	})
}

// TestSiteInvitationAtOnce sends the form of one invitation several times at once.
func TestSiteInvitationAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.SignUpMode("closed", ""))
		link := s.InviteToSite("ben@example.com")
		var group sync.WaitGroup
		statuses := make([]int, 4)
		for i := range statuses {
			v := s.Visit(t)
			form := apptest.With(apptest.Ben.Form(), "username", "benjamin"+strings.Repeat("x", i), "token", apptest.Parameter(t, link, "token"))
			group.Go(func() { statuses[i] = v.Post("/sign-up", form).StatusCode })
		}
		group.Wait()
		slices.Sort(statuses)
		if statuses[0] != http.StatusSeeOther || statuses[1] < 400 || len(s.Users()) != 1 {
			t.Errorf("the answers are %v, and there are %d accounts", statuses, len(s.Users()))
		}
	})
}

// TestUnconfirmedAtADomain signs up with an address that anybody could have typed: until it
// is confirmed, the account leads nowhere.
func TestUnconfirmedAtADomain(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.SignUpMode("domains", "example.com"))
		s.Join(apptest.Ben)
		verify := s.MailTo(apptest.Ben.Email, apptest.VerifySubject).Link
		for _, path := range []string{"/dashboard", "/account", "/organizations", "/account/password"} {
			s.Get(path).Wants(http.StatusForbidden).Page().Says("This site is for people with an email address at example.com. Open the link that we sent to ben@example.com")
		}
		s.Post("/organizations", apptest.Fill("name", "Acme")).Wants(http.StatusForbidden)
		for _, path := range []string{"/account/email", "/account/delete", "/account/security"} {
			s.Get(path).Wants(http.StatusOK)
		}
		change := apptest.Fill("email", "ben@elsewhere.example", "current_password", apptest.Ben.Password)
		s.Post("/account/email", change).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": "Use an email address at example.com."})
		s.Leaves("/account/email/check", "email", change, map[string]string{"email": "Use an email address at example.com."})
		s.Submit(s.Get(verify).Wants(http.StatusOK), "form#verify", nil).LeadsTo("/dashboard")
		s.Get("/dashboard").Wants(http.StatusOK)
		s.Post("/account/email", change).Wants(http.StatusOK).WantsErrors(nil) // theirs to change now
	})
}
