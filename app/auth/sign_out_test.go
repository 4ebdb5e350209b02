package auth_test

import (
	"net/url"
	"strings"
	"testing"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSignOutLeadsBack(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		for next, want := range map[string]string{
			"": "/", "/invitation?token=x": "/invitation?token=x", "//evil.example": "/dashboard", "https://evil.example": "/dashboard", "/\\evil.example": "/dashboard",
		} {
			s.Post("/sign-out", apptest.Fill("next", next), options...).LeadsTo(want)
		}
	})
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
			t.Run(name, func(t *testing.T) {
				s := apptest.NewSite(t, db)
				person := apptest.Anna.Form()
				if name == "htmx" {
					person = apptest.Ben.Form()
				}
				s.JoinAs(person)
				other := s.Visit(t)
				other.Post("/sign-in", apptest.Credentials(person.Get("email"), person.Get("password"))).LeadsTo("/dashboard")
				token := s.Cookie("session")
				before := len(s.Sessions())

				s.Post("/sign-out", nil, options...).LeadsTo("/").Clears("session")
				if got := s.Get("/").Text("#toasts"); !strings.Contains(got, "Signed out") {
					t.Errorf("the toast says %q", got)
				}
				if s.SignedIn() || len(s.Sessions()) != before-1 {
					t.Error("the session is still there")
				}
				if !other.SignedIn() {
					t.Error("another browser is signed out too")
				}
				thief := s.Visit(t)
				thief.SetCookie("session", token)
				thief.Get("/dashboard").LeadsTo("/sign-in")

				s.Post("/sign-out", nil, options...).LeadsTo("/") // twice does no harm
			})
		}
	})
}

// TestSigningOutLeadsToTheProvider signs out there, too, if the site wants it.
func TestSigningOutLeadsToTheProvider(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		on      bool
		options []apptest.Option
	}{"on": {true, nil}, "on, under htmx": {true, []apptest.Option{apptest.HTMX}}, "off": {false, nil}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				acme := apptest.NewOpenID(t, "acme")
				s := apptest.NewSite(t, db, acme.Use, func(c *app.Config) { c.ProviderSignOut = app.Switch(tt.on) })
				s.Join(apptest.Anna)
				s.GetsConnected(acme)
				s.Post("/sign-out", nil, tt.options...).LeadsTo("/") // it began with a password
				s.ComesBy(acme).LeadsTo("/dashboard")
				s.Post("/sign-out", apptest.Fill("next", "/sign-in"), tt.options...).LeadsTo("/sign-in") // to sign in as somebody else
				s.ComesBy(acme).LeadsTo("/dashboard")
				left := s.Post("/sign-out", nil, tt.options...)
				if !tt.on {
					left.LeadsTo("/")
					return
				}
				address, _ := url.Parse(strings.TrimPrefix(left.Header.Get("Refresh")+left.Header.Get("HX-Redirect"), "0; url="))
				if query := address.Query(); !strings.HasPrefix(address.String(), acme.URL+"/end_session?") || query.Get("client_id") == "" || query.Get("post_logout_redirect_uri") != s.BaseURL+"/" {
					left.Failf("it leads to %s", address)
				}
				if back := s.GoesTo(left); back != "/" || s.SignedIn() {
					t.Errorf("the provider leads back to %s", back)
				}
				if toast := s.Get("/").Text("#notices p"); toast != "Signed out" {
					t.Errorf("the toast is %q", toast)
				}
			})
		})
	}
}
