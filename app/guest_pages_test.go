package app_test

import (
	"net/http"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestCommonPages asks for the pages that are the same for all strangers, in between
// the same pages with something of a person's own. That is shown to nobody else, and
// no page is compressed: its length could tell what it holds (BREACH).
func TestCommonPages(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		compressing := apptest.Header("Accept-Encoding", "br")
		own := func(a *apptest.Answer) *apptest.Answer {
			t.Helper()
			return a.WantsHeader("Content-Encoding", "")
		}
		plain := map[string]string{}
		common := func() {
			t.Helper()
			for _, path := range []string{"/", "/sign-in", "/sign-up", "/forgot-password", "/recover"} {
				body := own(s.Visit(t).Get(path, apptest.Header("Accept-Encoding", "identity"))).Wants(http.StatusOK).Page().Body
				if plain[path] == "" {
					plain[path] = body
				}
				a := own(s.Visit(t).Get(path, compressing)).Wants(http.StatusOK)
				if vary := strings.Join(a.Header.Values("Vary"), ", "); vary != "Cookie, HX-Request" {
					t.Errorf("%s varies by %s", path, vary)
				}
				if a.Body != body || body != plain[path] {
					t.Errorf("%s is not the same for everybody", path)
				}
			}
		}

		back := own(s.Get("/sign-in?next=/account", compressing))
		if action := back.Find("#sign-in").AttrOr("action", ""); action != "/sign-in?next=%2Faccount" {
			t.Errorf("sign-in leads to %s", action)
		}
		common()
		own(s.Get("/sign-in", apptest.HTMX, compressing)).Fragment("#sign-in")
		own(s.Post("/sign-in", apptest.Credentials("anna.smith", ""), compressing)).Wants(http.StatusUnprocessableEntity)
		own(s.Post("/forgot-password", apptest.Fill("email", "anna@example.com"), compressing)).Wants(http.StatusOK)
		common()

		s.Join(apptest.Anna)
		for _, path := range []string{"/dashboard", "/", "/account"} {
			if own(s.Get(path, compressing)).Wants(http.StatusOK); s.Get(path).Find("form[action='/sign-out']").Length() != 1 {
				t.Errorf("%s is not the page of somebody signed in", path)
			}
		}
		common()
		s.Post("/sign-out", nil).LeadsTo("/")
		if toast := own(s.Get("/", compressing)).Text("#notices p"); toast != "Signed out" {
			t.Errorf("the toast is %q", toast)
		}
		common()
		s.SetCookie("session", strings.Repeat("A", 43))
		own(s.Get("/", compressing)).Wants(http.StatusOK)
		own(s.Get("/no-such-page", compressing)).Wants(http.StatusNotFound)
		common()
	})
}
