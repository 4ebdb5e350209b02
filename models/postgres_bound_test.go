package models_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestServerLogHoldsNoValues makes every statement fail that carries a secret or personal
// data, and reads PostgreSQL's own log, which shows the text of a failed statement.
func TestServerLogHoldsNoValues(t *testing.T) {
	t.Parallel()
	cluster := modelstest.Own(t)
	url, _, err := cluster.CreateDatabase(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	db := modelstest.Open(t, url)
	if _, err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	const hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
	person := func(name string) *models.User {
		return &models.User{Username: name, Email: name + "@private.example", FirstName: "Zuvok", LastName: "O'Elimantra", PasswordHash: hash}
	}
	anna := person("anna.smith")
	if err := db.CreateUser(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	session, token, err := db.Prove(t.Context(), anna, models.Step{Factor: models.FactorPassword, Device: models.Device{IP: "192.0.2.99", UserAgent: "Secret Agent"}, Lifetime: models.Lifetime{Idle: time.Hour, Max: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	acme := &models.Organization{Name: "Acme", Slug: "acme"}
	if err := db.CreateOrganization(t.Context(), acme, anna); err != nil {
		t.Fatal(err)
	}
	owner, err := db.MembershipBySlug(t.Context(), "acme", anna.ID)
	if err != nil {
		t.Fatal(err)
	}
	ben := person("ben.jones")
	if err := db.CreateUser(t.Context(), ben); err != nil {
		t.Fatal(err)
	}

	// A name or address that is taken is no error to the server, or its log would show it.
	wantsTaken(t, db.CreateUser(t.Context(), person("anna.smith")), "username")
	renamed := *ben
	renamed.Username = "ANNA.SMITH"
	wantsTaken(t, db.UpdateProfile(t.Context(), &renamed), "username")
	if err := db.Invite(t.Context(), owner, "guest@private.example", owner.RoleID); err != nil {
		t.Error(err)
	}
	wantsTaken(t, db.Invite(t.Context(), owner, "GUEST@private.example", owner.RoleID), "email")

	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Bun().ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$")
	for _, table := range []string{"users", "sessions", "tokens", "mails", "browsers", "invitations", "events", "throttles"} {
		exec("CREATE TRIGGER refused BEFORE INSERT OR UPDATE OR DELETE ON ? FOR EACH STATEMENT EXECUTE FUNCTION refuse()", bun.Ident(table))
	}
	anna2 := *anna
	anna2.LastName = "Zuvokelimantra"
	for name, change := range map[string]func() error{
		"sign-up": func() error { return db.CreateUser(t.Context(), person("carol")) },
		"profile": func() error { return db.UpdateProfile(t.Context(), &anna2) },
		"rehash":  func() error { return db.RehashPassword(t.Context(), anna, hash+"2") },
		"session": func() error {
			_, _, err := db.Prove(t.Context(), anna, models.Step{Factor: models.FactorPassword, Device: models.Device{IP: "192.0.2.99", UserAgent: "Secret Agent"}, Lifetime: models.Lifetime{Idle: time.Hour, Max: time.Hour}})
			return err
		},
		"renewal": func() error { _, err := db.RenewSession(t.Context(), session); return err },
		"token": func() error {
			_, err := db.CreateToken(t.Context(), nil, anna, models.ResetPassword, anna.Email)
			return err
		},
		"mail": func() error {
			return db.QueueMail(t.Context(), models.Mail{Kind: models.MailResetPassword, Recipient: anna.Email})
		},
		"browser": func() error {
			_, err := db.RememberBrowser(t.Context(), anna, token, models.MailDetail{}, true)
			return err
		},
		"invitation": func() error { return db.Invite(t.Context(), owner, "other@private.example", owner.RoleID) },
		"event": func() error {
			return db.Record(t.Context(), models.Event{Kind: "x", IP: "192.0.2.99", UserAgent: "Secret Agent"})
		},
		"attempt": func() error {
			return db.Attempt(t.Context(), "Zuvok", models.Limit{Free: 1, First: time.Second, Longest: time.Second, Forget: time.Second})
		},
	} {
		if err := change(); err == nil {
			t.Errorf("%s works", name)
		}
	}

	log, err := cluster.Log()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log, "STATEMENT:"); n < 11 {
		t.Fatalf("the server logged %d failed statements:\n%s", n, log)
	}
	sum, _ := base64.RawURLEncoding.DecodeString(token)
	for _, secret := range []string{"argon2", "aGFzaGhhc2g", "private.example", "Zuvok", "Elimantra", "192.0.2.99", "Secret Agent",
		hex.EncodeToString(session.TokenHash), hex.EncodeToString(sum), "anna.smith"} {
		for line := range strings.Lines(log) {
			if strings.Contains(line, secret) {
				t.Errorf("the server's log holds %q: %s", secret, line)
			}
		}
	}
}

// TestBoundValues stores and finds values that could be taken for parts of a query.
func TestBoundValues(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for i, text := range []string{"O'Neil", "''", `a\'b`, `"x"`, "$1 -- /* */ ; $$", "日本 ' ✓", "{\"a\": 'b'}", ""} {
			u := newUser(t, db, "person"+string(rune('a'+i)))
			u.FirstName = text
			if err := db.UpdateProfile(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			got, err := db.UserByID(t.Context(), u.ID)
			if err != nil || !same(got, u) {
				t.Errorf("%q is stored as %q (%v)", text, got.FirstName, err)
			}
		}
	})
	db := modelstest.Open(t, modelstest.PostgreSQL(t))
	for query, want := range map[string]string{
		"SELECT 'it''s' || ?":                        "it's$1",
		"SELECT interval '1 day' || ?":               "1 day$1",
		"SELECT E'a\\n' || ?":                        "a\n$1",
		"SELECT (DATE '2026-01-02')::text || ?":      "2026-01-02$1",
		"SELECT 'a' /* 'b */ || ?":                   "a$1",
		"SELECT $$it's$$ || ?":                       "it's$1",
		"SELECT ('{\"k\": \"v\"}'::json->>'k') || ?": "v$1",
	} {
		for range 2 { // the second time from the prepared statement
			var got string
			if err := db.Bun().NewRaw(query, "$1").Scan(t.Context(), &got); err != nil || got != want {
				t.Errorf("%s is %q (%v), want %q", query, got, err, want)
			}
		}
	}
	for n := range 250 { // more queries than a connection keeps
		var got int
		if err := db.Bun().NewRaw("SELECT ? + length('abc')", n).Scan(t.Context(), &got); err != nil || got != n+3 {
			t.Fatalf("query %d: %d, %v", n, got, err)
		}
	}
}
