//go:build linux || darwin || freebsd

package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/app/secrets"
	"vestibule/models/modelstest"
)

// TestCheck looks at a site that works, and breaks what it needs one by one.
func TestCheck(t *testing.T) {
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, database string) {
		office := apptest.StartMailServer(t)
		good := []string{"DATABASE_URL=" + database, "ENV=production", "BASE_URL=https://example.com", "TRUSTED_PROXIES=127.0.0.1",
			"SMTP_URL=" + office.URL, "MAIL_FROM=hall@example.com", "SECRET_KEYS=" + secrets.NewKey("test")}
		postgres := strings.HasPrefix(database, "postgres")
		states := map[string]string{"settings": "ok", "database": "ok", "schema": "ok", "writing": "ok", "clock": "skipped", "disk": "ok", "hashing": "ok", "breached passwords": "skipped", "secret keys": "ok", "mail": "ok", "proxy": "ok"}
		if postgres {
			states["clock"], states["disk"] = "ok", "skipped"
		}
		nowhere := "sqlite:" + t.TempDir() + "/nowhere.db"
		for name, tt := range map[string]struct {
			settings []string
			changed  map[string]string
			code     int
		}{
			"a site that works": {nil, nil, 0},
			"no proxy":          {[]string{"TRUSTED_PROXIES="}, map[string]string{"proxy": "warning"}, 0},
			"no secret key":     {[]string{"SECRET_KEYS="}, map[string]string{"secret keys": "warning"}, 0},
			"no mail server":    {[]string{"SMTP_URL=smtp://" + freeAddr(t)}, map[string]string{"mail": "failed"}, 1},
			"no such list":      {[]string{"BREACHED_PASSWORDS=nowhere"}, map[string]string{"breached passwords": "failed"}, 1},
			"no mail":           {[]string{"SMTP_URL="}, map[string]string{"settings": "failed", "mail": "failed"}, 1},
			"no database":       {[]string{"DATABASE_URL=" + nowhere}, map[string]string{"database": "failed", "schema": "skipped", "writing": "skipped", "clock": "skipped", "secret keys": "skipped", "disk": "ok"}, 1},
		} {
			t.Run(name, func(t *testing.T) {
				got := finish(t, command(t, append(good, tt.settings...), "check", "--json"))
				var rows []struct{ Check, State, Found, Do string }
				if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil || got.code != tt.code || len(rows) != len(states) {
					t.Fatalf("exit code %d, %v:\n%s%s", got.code, err, got.stdout, got.stderr)
				}
				for _, row := range rows {
					want := states[row.Check]
					if changed := tt.changed[row.Check]; changed != "" {
						want = changed
					}
					bad := row.State == "failed" || row.State == "warning"
					if row.State != want || row.Found == "" || bad != (row.Do != "") {
						t.Errorf("%+v, want %s", row, want)
					}
				}
			})
		}
		db := modelstest.Open(t, database)
		if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE sessions RENAME TO away"); err != nil {
			t.Fatal(err)
		}
		got := finish(t, command(t, good, "check"))
		if got.code != 1 || !strings.Contains(got.stdout, "failed") || !strings.Contains(got.stdout, "→ Somebody changed the tables by hand") ||
			got.stderr != "vestibule: a site would not work (checks that failed: 1)\n" {
			t.Errorf("exit code %d:\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
}
