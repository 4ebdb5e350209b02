package app_test

import (
	"context"
	"net/http"
	"testing"

	"vestibule/app"
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
			if a := s.Get(path).Wants(http.StatusOK).WantsHeader("Cache-Control", "no-store"); a.Body != "ok\n" {
				a.Failf("it says %q", a.Body)
			}
		}
		s.Join(apptest.Anna)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s.Get("/healthz").Wants(http.StatusOK) // a restart of the process would not help
			s.Get("/readyz").Wants(http.StatusServiceUnavailable)
		}
		for _, line := range s.Logged("request") {
			if path := line["path"]; (path == "/healthz" || path == "/readyz") != (line["level"] == "DEBUG") {
				t.Errorf("%s is logged at %s", path, line["level"])
			}
			if ms, ok := line["took_ms"].(float64); !ok || ms < 0 || ms > 60_000 {
				t.Errorf("%s took %v", line["path"], line["took_ms"])
			}
		}
		if lines := s.Logged("not ready"); len(lines) != 1 || lines[0]["level"] != "WARN" {
			t.Errorf("the log says %v, want one warning", lines)
		}
	})
}

// TestReadyMeansThatWritingWorks keeps the database from taking writes. Reads go on.
func TestReadyMeansThatWritingWorks(t *testing.T) {
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, url string) {
		s := apptest.NewSite(t, modelstest.Open(t, url))
		s.Log.MayFail()
		becomes := func(status int) {
			t.Helper()
			apptest.Eventually(t, func() bool { return s.Get("/readyz").StatusCode == status })
		}
		becomes(http.StatusOK)
		allow := refuseWrites(t, modelstest.Open(t, url))
		becomes(http.StatusServiceUnavailable)
		s.Get("/healthz").Wants(http.StatusOK)
		allow()
		becomes(http.StatusOK)
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

// TestReadinessIsASignIn breaks what a sign-in needs, though the database answers and the
// record of migrations is complete, and mends it.
func TestReadinessIsASignIn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ spoil, mend string }{
		"a table is missing":            {"ALTER TABLE sessions RENAME TO away", "ALTER TABLE away RENAME TO sessions"},
		"a column is missing":           {"ALTER TABLE users RENAME COLUMN password_hash TO away", "ALTER TABLE users RENAME COLUMN away TO password_hash"},
		"the database can't be written": {"ALTER TABLE readiness RENAME TO away", "ALTER TABLE away RENAME TO readiness"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db)
				do := func(statement string) {
					t.Helper()
					if _, err := db.Bun().ExecContext(t.Context(), statement); err != nil {
						t.Fatal(err)
					}
				}
				becomes := func(status int) {
					t.Helper()
					apptest.Eventually(t, func() bool { return s.Get("/readyz").StatusCode == status })
				}
				becomes(http.StatusOK)
				do(tt.spoil)
				becomes(http.StatusServiceUnavailable)
				do(tt.mend)
				becomes(http.StatusOK)
				if warned, good := s.Logged("not ready"), s.Logged("ready again"); len(warned) != 1 || len(good) != 1 {
					t.Errorf("the log says %v and %v", warned, good)
				}
			})
		})
	}
}

// TestUnknownProxyIsNoticed sends what a proxy forwards, from this machine.
func TestUnknownProxyIsNoticed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		trusted, header, address string
		warns                    bool
	}{
		"a proxy on this machine":          {"", "X-Forwarded-For", "127.0.0.1:5000", true},
		"another way to say so":            {"", "Forwarded", "[::1]:5000", true},
		"a proxy in the network":           {"127.0.0.1", "X-Forwarded-For", "10.1.2.3:5000", true},
		"a balancer of a cloud":            {"", "X-Forwarded-For", "[::ffff:100.64.1.2]:5000", true},
		"a proxy that is named":            {"10.0.0.0/8, ::1", "X-Forwarded-For", "10.1.2.3:5000", false},
		"a proxy that is named by address": {"10.0.0.0/8, ::1", "X-Forwarded-For", "[::1]:5000", false},
		"somebody who makes it up":         {"", "X-Forwarded-For", "203.0.113.5:5000", false},
		"no proxy":                         {"", "X-Other", "127.0.0.1:5000", false},
	} {
		modelstest.Each(t, func(t *testing.T, db *models.DB) {
			s := apptest.NewSite(t, db, func(c *app.Config) { c.TrustedProxies = tt.trusted })
			for range 3 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.RemoteAddr = tt.address
				r.Header.Set(tt.header, "203.0.113.9")
				s.Serve(r)
			}
			want := 0
			if tt.warns {
				want = 1
			}
			lines := s.Logged("a proxy that TRUSTED_PROXIES doesn't name forwards requests: everybody has its address, and shares its limits")
			if len(lines) != want || want == 1 && lines[0]["level"] != "WARN" {
				t.Errorf("%s: the log says %v, want %d warnings", name, lines, want)
			}
		})
	}
}
