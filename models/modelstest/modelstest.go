//go:build linux || darwin || freebsd

package modelstest

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"vestibule/migrations"
	"vestibule/models"
)

// Each runs test twice in parallel, on SQLite and on PostgreSQL, each time with
// a fresh, migrated database of its own. With -short it runs on SQLite alone, and
// TEST_DATABASE can leave out either.
func Each(t *testing.T, test func(t *testing.T, db *models.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { test(t, Open(t, url)) })
}

// EachURL is Each for a test that opens the database itself, or has a process
// of its own open it.
func EachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	each(t, SQLite, PostgreSQL, test)
}

// EachEmptyURL is EachURL without the migrations.
func EachEmptyURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	each(t, EmptySQLite, EmptyPostgreSQL, test)
}

func each(t *testing.T, sqlite, postgres func(*testing.T) string, test func(t *testing.T, url string)) {
	t.Helper()
	kinds := map[string]func(*testing.T) string{"sqlite": sqlite, "postgres": postgres}
	for name, fresh := range kinds {
		if leavesOut(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

// Open opens the database at url until the test ends.
func Open(t *testing.T, url string) *models.DB {
	t.Helper()
	db, err := models.Open(t.Context(), url, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// migratedSQLite returns the bytes of a migrated file. With the race detector, the migrations
// take a fifth of a second, which is longer than most tests.
var migratedSQLite = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "vestibule-test-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "test.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path) // #nosec G304 -- in our own folder
})

// migrate brings the database at url up to date, and closes it: on SQLite, that empties the log
// beside the file.
func migrate(url string) error {
	ctx := context.Background()
	db, err := models.Open(ctx, url, 0)
	if err != nil {
		return err
	}
	_, err = migrations.Up(ctx, db)
	return errors.Join(err, db.Close())
}

// SQLite returns the URL of a file that is migrated already.
func SQLite(t *testing.T) string {
	t.Helper()
	file, err := migratedSQLite()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + path
}

// EmptySQLite returns the URL of a file that does not exist yet.
func EmptySQLite(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// PostgreSQL returns the URL of a database, migrated already, that is dropped
// when the test ends.
func PostgreSQL(t *testing.T) string {
	t.Helper()
	NotShort(t, "PostgreSQL")
	template, err := migrated()
	if err != nil {
		t.Fatal(err)
	}
	return newDatabase(t, template)
}

// EmptyPostgreSQL is PostgreSQL without the migrations.
func EmptyPostgreSQL(t *testing.T) string { return newDatabase(t, "") }

// Own starts a cluster for this test alone, which may kill it, even where
// TEST_DATABASE_URL is set. It stops when the test ends. Settings ("name=value") come on
// top of those that make it fast.
func Own(t *testing.T, settings ...string) *Cluster {
	t.Helper()
	NotShort(t, "PostgreSQL")
	bin, err := pick(installations())
	if err != nil {
		t.Fatal(err)
	}
	c, err := launch(bin, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// With adds a setting of the connection to the URL of a PostgreSQL database.
func With(t *testing.T, databaseURL, name, value string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}

func newDatabase(t *testing.T, template string) string {
	t.Helper()
	NotShort(t, "PostgreSQL")
	cluster, err := Shared()
	if err != nil {
		t.Fatal(err)
	}
	url, drop, err := cluster.CreateDatabase(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return url
}

// migrated is a database that is migrated once and then copied, which is
// faster than to migrate each.
var migrated = sync.OnceValues(func() (string, error) {
	cluster, err := Shared()
	if err != nil {
		return "", err
	}
	url, _, err := cluster.CreateDatabase(context.Background(), "")
	if err != nil {
		return "", err
	}
	return url, migrate(url)
})
