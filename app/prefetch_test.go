package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestSpeculationRules wants rules from the second page of a visit on, as a resource of
// its own, for pages that may be fetched without being seen.
func TestSpeculationRules(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Get("/").WantsHeader("Speculation-Rules", "")
		s.Get("/", apptest.Header("Sec-Fetch-Site", "cross-site")).WantsHeader("Speculation-Rules", "")
		inside := apptest.Header("Sec-Fetch-Site", "same-origin")
		if s.Get("/", apptest.Header("Sec-Purpose", "prefetch")).Header.Get("Speculation-Rules") == "" {
			t.Error("a page that is fetched ahead leads no further")
		}
		s.Get("/", inside, apptest.HTMX).WantsHeader("Speculation-Rules", "")
		path := strings.Trim(s.Get("/", inside).Header.Get("Speculation-Rules"), `"`)
		a := s.Get(path).Wants(http.StatusOK).WantsHeader("Content-Type", "application/speculationrules+json")
		if !json.Valid([]byte(a.Body)) {
			a.Failf("the rules are %s", a.Body)
		}
		for _, never := range []string{"sign-out", "verify-email", "reset-password", "invitation\"", "switcher", "prerender"} {
			if strings.Contains(a.Body, never) {
				a.Failf("the rules name %s", never)
			}
		}

		// A page that is fetched ahead leaves the toast to the page that is seen.
		s.Join(apptest.Anna)
		s.Get("/dashboard", apptest.Header("Sec-Purpose", "prefetch"))
		s.Get("/dashboard").Says("Welcome! Your account is ready")
	})
}
