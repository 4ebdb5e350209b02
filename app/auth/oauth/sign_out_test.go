package oauth_test

import (
	"net/http"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestSignOutAtTheProvider has a provider say that somebody has signed out there.
func TestSignOutAtTheProvider(t *testing.T) {
	t.Parallel()
	const kind = "logout+jwt"
	with := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	without := func(names ...string) func(map[string]any) {
		return func(c map[string]any) {
			for _, name := range names {
				delete(c, name)
			}
		}
	}
	refused := map[string]func(acme, other *apptest.OpenID) string{
		"nothing":        func(_, _ *apptest.OpenID) string { return "" },
		"another type":   func(acme, _ *apptest.OpenID) string { return acme.SignOut("JWT", nil) },
		"no type":        func(acme, _ *apptest.OpenID) string { return acme.SignOut("", nil) },
		"a nonce":        func(acme, _ *apptest.OpenID) string { return acme.SignOut(kind, with("nonce", "x")) },
		"no event":       func(acme, _ *apptest.OpenID) string { return acme.SignOut(kind, without("events")) },
		"nobody":         func(acme, _ *apptest.OpenID) string { return acme.SignOut(kind, without("sub")) },
		"no time":        func(acme, _ *apptest.OpenID) string { return acme.SignOut(kind, without("iat")) },
		"no id":          func(acme, _ *apptest.OpenID) string { return acme.SignOut(kind, without("jti")) },
		"another client": func(acme, _ *apptest.OpenID) string { return acme.SignOut(kind, with("aud", "another")) },
		"another issuer": func(acme, other *apptest.OpenID) string { return acme.SignOut(kind, with("iss", other.URL)) },
		"expired": func(acme, _ *apptest.OpenID) string {
			return acme.SignOut(kind, with("exp", time.Now().Add(-2*time.Minute).Unix()))
		},
		"another key":           func(acme, other *apptest.OpenID) string { return other.SignOut(kind, with("iss", acme.URL)) },
		"another provider says": func(_, other *apptest.OpenID) string { return other.SignOut(kind, nil) },
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme, other := apptest.NewOpenID(t, "acme"), apptest.NewOpenID(t, "other")
		s := apptest.NewSite(t, db, acme.Use, other.Use)
		s.Join(apptest.Anna)
		s.GetsConnected(acme)
		acme.Claims = func(c map[string]any) { c["sid"] = "laptop" }
		laptop, phone := s.Visit(t), s.Visit(t)
		laptop.ComesBy(acme).LeadsTo("/dashboard")
		acme.Claims = func(c map[string]any) { c["sid"] = "phone" }
		phone.ComesBy(acme).LeadsTo("/dashboard")
		tell := func(token string) *apptest.Answer {
			t.Helper()
			return s.VisitWithoutCookies(t).Post("/auth/acme/logout", apptest.Fill("logout_token", token)).WantsHeader("Cache-Control", "no-store")
		}
		wants := func(onLaptop, onPhone bool) {
			t.Helper()
			if laptop.SignedIn() != onLaptop || phone.SignedIn() != onPhone || !s.SignedIn() {
				t.Errorf("signed in are the laptop (%v), the phone (%v) and who came by password (%v)", laptop.SignedIn(), phone.SignedIn(), s.SignedIn())
			}
		}
		for name, token := range refused {
			t.Run(name, func(t *testing.T) {
				if a := tell(token(acme, other)).Wants(http.StatusBadRequest); a.Body != `{"error":"invalid_request"}` {
					a.Failf("it says %s", a.Body)
				}
			})
		}
		s.Post("/auth/nobody/logout", nil).Wants(http.StatusNotFound)
		wants(true, true)

		before := time.Now().Add(-time.Hour)
		tell(acme.SignOut(kind, with("iat", before.Unix()))).Wants(http.StatusOK) // a copy of an older one
		tell(acme.SignOut(kind, with("sub", "another"))).Wants(http.StatusOK)
		tell(acme.SignOut(kind, with("sid", "tablet"))).Wants(http.StatusOK)
		wants(true, true)
		tell(acme.SignOut(kind, func(c map[string]any) { c["sid"] = "laptop"; delete(c, "sub") })).Wants(http.StatusOK)
		wants(false, true)
		laptop.ComesBy(acme).LeadsTo("/dashboard")
		tell(acme.SignOut(kind, nil)).Wants(http.StatusOK)
		wants(false, false)
		signedOut := 0
		for _, e := range s.Events() {
			if e.Kind == models.EventSignedOutThere {
				signedOut++
			}
		}
		if signedOut != 2 {
			t.Errorf("there are %d events", signedOut)
		}
		s.Get("/account/activity").Says("Signed out at Acme")

		acme.NewKey("2")
		acme.Intercept = func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "down", http.StatusInternalServerError)
			return true
		}
		tell(acme.SignOut(kind, nil)).Wants(http.StatusBadRequest) // the new key can't be read
	})
}
