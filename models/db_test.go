package models_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("this is no database, only a file that has been here before"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, url := range map[string]string{
		"nothing":                  "",
		"a path":                   "data/vestibule.db",
		"another database":         "mysql://localhost/vestibule",
		"no file":                  "sqlite:",
		"no file, slashes":         "sqlite://",
		"memory":                   "sqlite::memory:",
		"memory, slashes":          "sqlite://:memory:",
		"a folder":                 "sqlite:" + t.TempDir(),
		"below a file":             "sqlite:" + file + "/vestibule.db",
		"a file of another kind":   "sqlite:" + file,
		"nobody at home":           "postgres://me:swordfish@127.0.0.1:1/vestibule?sslmode=disable",
		"a password with a slash":  "postgres://me:sword/fish@%zz@127.0.0.1:1/vestibule",
		"a port that is no number": "postgres://me:swordfish@127.0.0.1:swordfish/vestibule",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := models.Open(t.Context(), url, 0)
			if err == nil {
				t.Fatalf("it opens: %v", db.Close())
			}
			if strings.Contains(err.Error(), "fish") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestOpenSQLite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain.db", "in a/new folder.db", "100%.db", "what?.db", "a#b.db", "a&b=c.db", "日本.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), name)
			db := modelstest.Open(t, "sqlite:"+path)
			if _, err := migrations.Up(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() == 0 {
				t.Errorf("the file is %v (%v)", info, err)
			}
			if db.Path() != path || db.Postgres() {
				t.Errorf("the path is %q, PostgreSQL %v", db.Path(), db.Postgres())
			}
			for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "10000", "synchronous": "1"} {
				var got string
				if err := db.Bun().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
				}
			}
		})
	}
}

func TestPostgresSpeaksUTC(t *testing.T) {
	t.Parallel()
	db := modelstest.Open(t, modelstest.PostgreSQL(t))
	var zone string
	if err := db.Bun().QueryRowContext(t.Context(), "SHOW timezone").Scan(&zone); err != nil || zone != "UTC" {
		t.Errorf("the time zone is %q (%v), want UTC", zone, err)
	}
}

// The server ends every connection, as a restart does. The next queries must use
// new ones.
func TestPooledConnectionsThatTheServerEnded(t *testing.T) {
	t.Parallel()
	url := modelstest.PostgreSQL(t)
	db, operator := modelstest.Open(t, url), modelstest.Open(t, url)
	const many = 8
	var group sync.WaitGroup
	for range many { // each on a connection of its own
		group.Go(func() {
			if _, err := db.Bun().ExecContext(t.Context(), "SELECT pg_sleep(0.2)"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var ended int
	err := operator.Bun().NewRaw("SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity "+
		"WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(t.Context(), &ended)
	if err != nil || ended < many {
		t.Fatalf("%d connections are ended (%v), want %d", ended, err, many)
	}
	for range many {
		if _, err := db.Users(t.Context(), uuid.Nil, 1); err != nil {
			t.Error(err)
		}
	}
}

// All that a transaction does is kept, or none of it.
func TestTransactionsAreWhole(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "ada")
		emptyQueue(t, db)
		failed := errors.New("no")
		for name, tt := range map[string]struct {
			fails  bool
			do     func(tx *models.DB) error
			events int64
		}{
			"nothing":         {false, func(*models.DB) error { return nil }, 0},
			"nothing, undone": {true, func(*models.DB) error { return failed }, 0},
			"writes at the end": {false, func(tx *models.DB) error {
				return errors.Join(tx.Record(t.Context(), models.Event{Kind: "a"}), tx.Record(t.Context(), models.Event{Kind: "b"}))
			}, 2},
			"undone before the end": {true, func(tx *models.DB) error {
				return errors.Join(tx.DisableUser(t.Context(), u), tx.Record(t.Context(), models.Event{Kind: "c"}), failed)
			}, 0},
			"the end fails": {true, func(tx *models.DB) error {
				_, err := tx.RememberBrowser(t.Context(), &models.User{ID: uuid.Max}, "", models.MailDetail{}, true) // no such user
				return errors.Join(tx.DisableUser(t.Context(), u), tx.Record(t.Context(), models.Event{Kind: "d"}), err)
			}, 0},
			"the last of the end fails": {true, func(tx *models.DB) error {
				err := tx.Record(t.Context(), models.Event{Kind: "e"})
				_, unknown := tx.RememberBrowser(t.Context(), &models.User{ID: uuid.Max}, "", models.MailDetail{}, true)
				return errors.Join(err, unknown)
			}, 0},
		} {
			before := countEvents(t, db)
			if err := db.InTx(t.Context(), tt.do); (err != nil) != tt.fails {
				t.Errorf("%s: %v", name, err)
			}
			if n := countEvents(t, db) - before; n != tt.events {
				t.Errorf("%s: %d events more, want %d", name, n, tt.events)
			}
			if got, err := db.UserByID(t.Context(), u.ID); err != nil || got.Disabled() {
				t.Errorf("%s: the user is %+v (%v)", name, got, err)
			}
			wantsQueue(t, db)
		}
	})
}

// The old version keeps running while the new one migrates, so unknown columns must
// not disturb it.
func TestUnknownColumns(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		limit := models.Limit{Free: 9, First: time.Second, Longest: time.Second, Forget: time.Hour}
		uses := func(username string) {
			t.Helper()
			u := newUser(t, db, username)
			_, token := signIn(t, db, u)
			if s, err := db.SessionByToken(t.Context(), token); err != nil || s.UserID != u.ID {
				t.Errorf("the session is %+v (%v)", s, err)
			}
			if err := db.Attempt(t.Context(), "a", limit); err != nil {
				t.Error(err)
			}
			if m := claim(t, db); m.Recipient != u.Email {
				t.Errorf("the mail is %+v", m)
			}
			emptyQueue(t, db)
		}
		uses("ada")
		for _, table := range []string{"users", "sessions", "mails", "throttles"} {
			if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE "+table+" ADD COLUMN later TEXT NOT NULL DEFAULT 'a'"); err != nil {
				t.Fatal(err)
			}
		}
		uses("grace")
	})
}

// countEvents counts the lines of the audit log.
func countEvents(t *testing.T, db *models.DB) int64 {
	t.Helper()
	n, err := db.Bun().NewSelect().Model((*models.Event)(nil)).Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Events lists only the user's own events. A zero id, passed by mistake, lists none.
func TestEventsAreOfOneUser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		ada, grace := newUser(t, db, "ada"), newUser(t, db, "grace")
		for _, e := range []models.Event{{Kind: "a", UserID: ada.ID}, {Kind: "b", UserID: grace.ID}, {Kind: "c", UserID: grace.ID, ActorID: ada.ID}, {Kind: "d"}} {
			if err := db.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for user, want := range map[uuid.UUID]string{ada.ID: "a", grace.ID: "cb", uuid.Nil: ""} {
			events, err := db.Events(t.Context(), user, models.EventFilter{}, uuid.Nil, 10)
			got := ""
			for _, e := range events {
				got += e.Kind
			}
			if err != nil || got != want {
				t.Errorf("the events of %s are %q (%v), want %q", user, got, err, want)
			}
		}
	})
}

// Transactions that wait for a second connection would together hold all there are,
// and wait forever.
func TestTransactionsTakeOneConnection(t *testing.T) {
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, url string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		db, err := models.Open(ctx, url, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		u := newUser(t, db, "ada")
		_, token := signIn(t, db, u)
		err = db.InTx(ctx, func(tx *models.DB) error {
			if _, _, err := tx.Prove(ctx, u, models.Step{Factor: models.FactorPassword, Lifetime: life}); err != nil {
				return err
			}
			if s, err := tx.SessionByToken(ctx, token); err != nil || s.UserID != u.ID {
				t.Errorf("the session within the transaction: %+v (%v)", s, err)
			}
			got, err := tx.UserByLogin(ctx, "ada")
			if err != nil || !same(got, u) {
				t.Errorf("the user within the transaction: %+v (%v)", got, err)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
