package account_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func connections(s *apptest.Site) (all []models.Identity) {
	s.T.Helper()
	if err := s.DB.Bun().NewSelect().Model(&all).Order("id").Scan(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	return all
}

// TestConnections connects and disconnects accounts elsewhere, up to the last way in.
func TestConnections(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				acme, other := apptest.NewOpenID(t, "acme"), apptest.NewOpenID(t, "other")
				s := apptest.NewSite(t, db, apptest.OnLocalhost, acme.Use, other.Use)
				s.Join(apptest.Anna)
				s.Confirmed()
				s.Deliver()
				const page = "/account/connections"
				s.Get(page).Wants(http.StatusOK).Says("No connections yet.")

				// It takes a fresh proof of who it is.
				connect := func(provider string) *apptest.Answer {
					t.Helper()
					return s.Submit(s.Get(page), `form:has([name=provider][value="`+provider+`"])`, nil)
				}
				s.AgePassword()
				asked := connect("acme").Wants(http.StatusForbidden)
				left := s.Submit(asked, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...)
				s.Get(s.GoesTo(left)).LeadsTo(page)
				if toast := s.Get(page).Text("#notices p"); toast != "Acme connected" {
					t.Errorf("the toast is %q", toast)
				}
				mail := s.MailTo(apptest.Anna.Email, "A way to sign in was added")
				if !strings.Contains(mail.Text, "Your account at Acme was connected. It can be used to sign in.") {
					t.Errorf("the mail says %s", mail.Text)
				}

				// The same again changes nothing, another one is another row.
				s.GetsConnected(acme)
				acme.Person.Subject, acme.Person.Email = "another", "anna@work.example"
				s.GetsConnected(acme)
				s.GetsConnected(other)
				s.Deliver()
				shown := s.Get(page).Says("Acme anna@example.com").Says("Acme anna@work.example").Says("Other anna@example.com").Says("never used.")
				if n := shown.Find("#connections > li").Length(); n != 3 || len(connections(s)) != 3 {
					shown.Failf("there are %d rows", n)
				}
				s.Get("/account/security").Says("3 accounts elsewhere sign you in.").Says("Connected an account at Acme")
				data := s.Get("/account/data").Wants(http.StatusOK).Body
				if !strings.Contains(data, `"provider": "Acme"`) || !strings.Contains(data, `"subject": "another"`) {
					t.Errorf("the data are %s", data)
				}

				// What somebody has is nobody else's.
				ben := s.Visit(t)
				ben.Join(apptest.Ben)
				s.Deliver()
				ben.Get(ben.GoesTo(ben.Post(page, apptest.Fill("provider", "acme")))).LeadsTo(page)
				if toast := ben.Get(page).Text("#alerts p, #notices p"); toast != "That account at Acme is connected to another account here." {
					t.Errorf("the toast is %q", toast)
				}
				ben.Post(page, apptest.Fill("provider", "nobody")).Wants(http.StatusNotFound)
				ben.Post(page+"/"+connections(s)[0].ID.String()+"/remove", nil).Wants(http.StatusNotFound)

				// An answer counts for the one who began.
				path := s.GoesTo(s.Post(page, apptest.Fill("provider", "acme")))
				s.Post("/sign-out", nil)
				s.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
				s.Deliver()
				s.Get(path).LeadsTo(page)
				s.Post("/sign-out", nil)
				s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
				s.Deliver()

				// One after the other goes, and the password. The last way in stays.
				remove := func(i int) *apptest.Answer {
					t.Helper()
					s.AgePassword()
					action := page + "/" + connections(s)[i].ID.String() + "/remove"
					asked := s.Submit(s.Get(page), `form[action="`+action+`"]`, nil, options...).Wants(http.StatusForbidden)
					return s.Submit(asked, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...)
				}
				remove(1).LeadsTo(page)
				if text := s.MailTo(apptest.Anna.Email, "A way to sign in was removed").Text; !strings.Contains(text, "Your account at Acme was disconnected, so it no longer signs in.") {
					t.Errorf("the mail says %s", text)
				}
				s.Submit(s.Get("/account/password").Says("You'll sign in another way."), "form[action='/account/password/remove']", nil, options...).LeadsTo("/account/password")
				s.Post(page+"/"+connections(s)[1].ID.String()+"/remove", nil, options...).LeadsTo(page)
				s.Deliver()
				last := s.Get(page).Says("It's your only way to sign in.")
				if n := last.Find("#connections form").Length(); n > 0 {
					last.Failf("it can be disconnected")
				}
				s.Post(page+"/"+connections(s)[0].ID.String()+"/remove", nil, options...).Wants(http.StatusConflict).Says("You can't sign in without this connection.")
				key := s.SecurityKey()
				s.AddPasskey(key).LeadsTo("/account/passkeys")
				s.Get("/account/passkeys/" + s.Passkeys()[0].ID.String()).Says("You'll no longer be able to sign in with it.")
				s.Post(page+"/"+connections(s)[0].ID.String()+"/remove", nil, options...).LeadsTo(page)
				s.Get("/account/passkeys/" + s.Passkeys()[0].ID.String()).Says("It's your only way to sign in.")
				s.Deliver()
			})
		})
	}
}

// TestLastConnectionStays removes every way in at the same moment.
func TestLastConnectionStays(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme := apptest.NewOpenID(t, "acme")
		s := apptest.NewSite(t, db, acme.Use)
		s.ComesBy(acme).LeadsTo("/sign-up/provider")
		s.Submit(s.Get("/sign-up/provider"), "form#provider-sign-up", nil).LeadsTo("/dashboard")
		for _, subject := range []string{"2", "3"} {
			acme.Person.Subject = subject
			s.GetsConnected(acme)
		}
		var group sync.WaitGroup
		for _, c := range connections(s) {
			group.Go(func() { s.Post("/account/connections/"+c.ID.String()+"/remove", nil) })
		}
		group.Wait()
		if left := connections(s); len(left) != 1 {
			t.Errorf("%d connections are left, want 1", len(left))
		}
	})
}

func TestNoConnectionsWithoutProviders(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Get("/account/connections").Wants(http.StatusNotFound)
		for _, path := range []string{"/account", "/account/security"} {
			if n := s.Get(path).Find("[href='/account/connections']").Length(); n > 0 {
				t.Errorf("%s leads to connections", path)
			}
		}
		if n := s.Visit(t).Get("/sign-in").Find(".provider").Length(); n > 0 {
			t.Error("sign-in offers a provider")
		}
	})
}
