package app_test

import (
	"context"
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

// TestReadyMeansThatWritingWorks keeps the database from taking writes. Reads go on.
func TestReadyMeansThatWritingWorks(t *testing.T) {
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, url string) {
		s := apptest.NewSite(t, modelstest.Open(t, url))
		s.Log.MayFail()
		s.Get("/readyz").Wants(http.StatusOK)
		allow := refuseWrites(t, modelstest.Open(t, url))
		s.Get("/readyz").Wants(http.StatusServiceUnavailable)
		s.Get("/healthz").Wants(http.StatusOK)
		allow()
		s.Get("/readyz").Wants(http.StatusOK)
		s.Post("/sign-up", apptest.Anna.Form()).LeadsTo("/dashboard")
	})
}

// refuseWrites makes the database refuse writes until allow: PostgreSQL as a standby
// does, and SQLite as a program does that holds the lock.
func refuseWrites(t *testing.T, db *models.DB) (allow func()) {
	t.Helper()
	conn, err := db.Bun().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	exec := func(query string) {
		t.Helper()
		if _, err := conn.ExecContext(context.WithoutCancel(t.Context()), query); err != nil {
			t.Fatal(err)
		}
	}
	if !db.Postgres() {
		exec("BEGIN IMMEDIATE")
		return func() { exec("ROLLBACK") }
	}
	set := func(value string) {
		exec("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = " + value + "', current_database()); END $$")
		exec("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	}
	set("on")
	return func() { set("off") }
}
