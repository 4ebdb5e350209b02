//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestBackupAndRestore backs a site up while people use it, changes everything that must
// not come back, and restores.
func TestBackupAndRestore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "backup")
		s := serve(t, "DATABASE_URL="+url)
		for i := range 4 {
			s.signUp(apptest.Nth(i))
		}

		// While people sign up.
		stop, signing := make(chan struct{}), sync.WaitGroup{}
		signing.Go(func() {
			for i := 10; ; i++ {
				select {
				case <-stop:
					return
				default:
					s.signUp(apptest.Nth(i))
				}
			}
		})
		printed := succeed(t, url, "backup", file)
		close(stop)
		signing.Wait()
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(printed, fmt.Sprint(info.Size())) {
			t.Fatalf("the backup is %v (%v); printed was %q", info, err, printed)
		}
		if got := finish(t, command(t, []string{"DATABASE_URL=" + url}, "backup", file)); got.code == 0 || !strings.Contains(got.stderr, "exists") {
			t.Errorf("a second backup to the same file: %+v", got)
		}
		succeed(t, url, "backup", "--replace", file)
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Errorf("left behind are %v (%v)", left, err)
		}

		// After the backup: one person leaves, one is disabled, one changes the password.
		succeed(t, url, "users", "delete", "--yes", "person1")
		succeed(t, url, "users", "disable", "person2")
		changed := command(t, []string{"DATABASE_URL=" + url}, "users", "set-password", "person3")
		changed.Stdin = strings.NewReader(apptest.AnotherPassword + "\n")
		if got := finish(t, changed); got.code != 0 {
			t.Fatal(got.stderr)
		}
		audit := filepath.Join(dir, "audit.json")
		if err := os.WriteFile(audit, []byte(succeed(t, url, "audit", "--json", "--limit", "0")), 0o600); err != nil {
			t.Fatal(err)
		}

		if got := finish(t, command(t, []string{"DATABASE_URL=" + url}, "restore", "--yes", file)); got.code == 0 || !strings.Contains(got.stderr, "stop the site") {
			t.Errorf("a restore while the site runs: %+v", got)
		}
		s.stop()
		if got := finish(t, command(t, []string{"DATABASE_URL=" + url}, "restore", file)); got.code == 0 || !strings.Contains(got.stderr, "--yes") {
			t.Errorf("a restore without consent: %+v", got)
		}
		printed = succeed(t, url, "restore", "--yes", file)
		for _, words := range []string{"Voided", "Deleted again: person1\n", "Disabled again: person2\n", "because the backup has an old one: person3\n"} {
			if !strings.Contains(printed, words) {
				t.Errorf("it does not print %q:\n%s", words, printed)
			}
		}
		wantRestored(t, url)
		succeed(t, url, "restore", "--yes", "--audit", audit, file) // the log of the restored database knows it too
		wantRestored(t, url)

		// Elsewhere, into nothing, with the audit log that was kept.
		elsewhere := "sqlite:" + filepath.Join(dir, "new", "vestibule.db")
		if strings.HasPrefix(url, "postgres") {
			elsewhere = modelstest.EmptyPostgreSQL(t)
		}
		printed = succeed(t, elsewhere, "restore", file)
		if !strings.Contains(printed, "--audit") || strings.Contains(printed, "again: ") {
			t.Errorf("without an audit log it prints\n%s", printed)
		}
		succeed(t, elsewhere, "after-restore", "--audit", audit)
		wantRestored(t, elsewhere)
		again := serve(t, "DATABASE_URL="+elsewhere)
		again.signUp(apptest.Nth(500))
	})
}

// wantRestored looks at the database of TestBackupAndRestore.
func wantRestored(t *testing.T, url string) {
	t.Helper()
	db, err := models.Open(t.Context(), url, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.UserByLogin(t.Context(), "person0"); err != nil {
		t.Errorf("who was there: %v", err)
	}
	if _, err := db.UserByLogin(t.Context(), "person1"); err == nil {
		t.Error("who was deleted is back")
	}
	if u, err := db.UserByLogin(t.Context(), "person2"); err != nil || !u.Disabled() {
		t.Errorf("who was disabled is %+v (%v)", u, err)
	}
	if u, err := db.UserByLogin(t.Context(), "person3"); err != nil || u.PasswordHash != "" {
		t.Errorf("who changed the password is %+v (%v)", u, err)
	}
	for _, table := range []string{"sessions", "tokens", "mails", "browsers"} {
		if n, err := db.Bun().NewSelect().Table(table).Count(t.Context()); err != nil || n > 0 {
			t.Errorf("%d %s are back (%v)", n, table, err)
		}
	}
	if path := db.Path(); path != "" {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file is %v (%v)", info, err)
		}
	}
}

// TestRestoreRefuses gives restore what it cannot use. The database stays as it is.
func TestRestoreRefuses(t *testing.T) {
	eachDatabase(t, func(t *testing.T, url string) {
		dir := t.TempDir()
		succeed(t, url, "migrate", "up")
		create := command(t, []string{"DATABASE_URL=" + url}, "users", "create", "--username", "anna.smith", "--email", "anna@example.com", "--first-name", "Anna", "--last-name", "Smith")
		create.Stdin = strings.NewReader(apptest.Anna.Password + "\n")
		if got := finish(t, create); got.code != 0 {
			t.Fatal(got.stderr)
		}
		whole := filepath.Join(dir, "whole")
		succeed(t, url, "backup", whole)
		content, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		file := func(name string, content []byte) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		other := "SQLite format 3\x00"
		if strings.HasPrefix(url, "sqlite") {
			other = "PGDMP"
		}
		for name, test := range map[string]struct{ path, want string }{
			"no file":         {filepath.Join(dir, "absent"), "no such file"},
			"another kind":    {file("other", []byte(other+strings.Repeat("x", 100))), "another kind of database"},
			"no backup":       {file("text", []byte("hello, this is no backup")), "is not a backup"},
			"empty":           {file("empty", nil), "is not a backup"},
			"half a backup":   {file("half", content[:len(content)/2]), "can't be restored"},
			"no audit log":    {whole + " --audit " + file("audit", []byte("hello")), "is not what vestibule audit"},
			"without consent": {whole, "--yes"},
		} {
			args := append([]string{"restore"}, strings.Fields(test.path)...)
			if name != "without consent" {
				args = append(args, "--yes")
			}
			got := finish(t, command(t, []string{"DATABASE_URL=" + url}, args...))
			if got.code == 0 || !strings.Contains(got.stderr, test.want) {
				t.Errorf("%s: %+v, want %q", name, got, test.want)
			}
			if strings.Contains(got.stderr, "goroutine") || strings.Contains(got.stderr, "postgres:") {
				t.Errorf("%s: it prints a secret or a stack: %s", name, got.stderr)
			}
		}
		if list := succeed(t, url, "users", "list"); !strings.Contains(list, "anna.smith") {
			t.Errorf("the users are\n%s", list)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Errorf("left behind are %v (%v)", left, err)
		}

		// A database without users still knows who was deleted.
		succeed(t, url, "users", "delete", "--yes", "anna.smith")
		if printed := succeed(t, url, "restore", whole); !strings.Contains(printed, "Deleted again: anna.smith\n") || strings.Contains(printed, "--audit") {
			t.Errorf("it prints\n%s", printed)
		}
	})
}

// TestBackupWithoutItsTools asks for a backup of PostgreSQL where pg_dump is missing.
func TestBackupWithoutItsTools(t *testing.T) {
	t.Parallel()
	url := modelstest.PostgreSQL(t)
	got := finish(t, command(t, []string{"DATABASE_URL=" + url, "PATH=" + t.TempDir()}, "backup", filepath.Join(t.TempDir(), "backup")))
	if got.code == 0 || !strings.Contains(got.stderr, "pg_dump is not installed") {
		t.Errorf("it says %+v", got)
	}
}

// TestRestoredInvitations looks at what else a restore voids.
func TestRestoredInvitations(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		link := s.Invite("carol@example.com", "Member")
		reset := s.ResetToken(apptest.Anna.Email)
		gone := models.Event{ID: uuid.Must(uuid.NewV7()), Kind: models.EventOrganizationDeleted, OrganizationID: uuid.Must(uuid.NewV7()), CreatedAt: time.Now()}
		r, err := db.AfterRestore(t.Context(), []models.Event{gone, {ID: uuid.Must(uuid.NewV7()), Kind: models.EventDeleted, UserID: uuid.Must(uuid.NewV7())}})
		if err != nil || r.Invitations != 1 || r.Tokens != 1 || r.Sessions != 1 || r.Browsers != 1 || len(r.Deleted) > 0 {
			t.Errorf("voided are %+v (%v)", r, err)
		}
		s.Visit(t).Get(link).Wants(http.StatusGone)
		s.Visit(t).Get("/reset-password?token=" + reset).Wants(http.StatusGone)
		s.Owner.Get("/account").LeadsTo("/sign-in?next=%2Faccount")

		s.Owner.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		page := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("Expired")
		page.Says("carol@example.com")

		gone.OrganizationID = s.First.OrganizationID
		gone.ID = uuid.Must(uuid.NewV7())
		if r, err := db.AfterRestore(t.Context(), []models.Event{gone}); err != nil || len(r.Gone) != 1 {
			t.Errorf("voided are %+v (%v)", r, err)
		}
	})
}
