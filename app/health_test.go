package app_test

import (
	"net/http"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Log.MayFail()
		for _, path := range []string{"/healthz", "/readyz"} {
			if a := s.Get(path).Wants(http.StatusOK); a.Body != "ok\n" {
				a.Failf("it says %q", a.Body)
			}
		}
		s.Join(apptest.Anna)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s.Get("/healthz").Wants(http.StatusOK) // a restart of the process would not help
		s.Get("/readyz").Wants(http.StatusServiceUnavailable)
	})
}
