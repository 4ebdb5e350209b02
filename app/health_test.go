package app_test

import (
	"net/http"
	"testing"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.log.mayFail()
		for _, path := range []string{"/healthz", "/readyz"} {
			if a := s.get(path).wants(http.StatusOK); a.body != "ok\n" {
				a.failf("it says %q", a.body)
			}
		}
		s.join(anna())
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		s.get("/healthz").wants(http.StatusOK) // a restart of the process would not help
		s.get("/readyz").wants(http.StatusServiceUnavailable)
	})
}
