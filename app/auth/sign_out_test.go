package auth_test

import (
	"strings"
	"testing"

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
