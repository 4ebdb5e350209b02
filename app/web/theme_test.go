package web_test

import (
	"net/http"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestTheme(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		wants := func(class, pressed string) {
			t.Helper()
			page := s.Get("/").Wants(http.StatusOK)
			if got := page.Find("html").AttrOr("class", ""); got != class {
				t.Errorf("the page has the class %q, want %q", got, class)
			}
			if got := page.Find("[name=theme][aria-pressed=true]").AttrOr("value", "none"); got != pressed {
				t.Errorf("%q is chosen, want %q", got, pressed)
			}
		}
		wants("", "")
		for _, theme := range []string{"dark", "light"} {
			s.Post("/theme", apptest.Fill("theme", theme), apptest.Header("Referer", s.URL+"/sign-in?next=%2Faccount")).LeadsTo("/sign-in?next=%2Faccount")
			wants(theme, theme)
		}
		s.Join(apptest.Anna)
		wants("light", "light")
		s.Post("/theme", apptest.Fill("theme", `"><script>`)).LeadsTo("/dashboard")
		wants("", "")
	})
}
