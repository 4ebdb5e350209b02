package migrations_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// eachEmpty runs test on a database of each kind with nothing in it.
func eachEmpty(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, empty := range map[string]func(*testing.T) string{"sqlite": modelstest.SQLite, "postgres": modelstest.EmptyPostgreSQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, empty(t))
		})
	}
}

// names are those of every migration, in order.
func names(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.tx.up.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are %d migrations (%v)", len(files), err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(file, ".tx.up.sql")
		if _, err := os.Stat(files[i] + ".tx.down.sql"); err != nil {
			t.Errorf("there is no way down: %v", err)
		}
	}
	slices.Sort(files)
	return files
}

func up(t *testing.T, db *models.DB) []string {
	t.Helper()
	done, err := migrations.Up(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func down(t *testing.T, db *models.DB) []string {
	t.Helper()
	done, err := migrations.Down(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(done)
	return done
}

// pending are the migrations that have not run.
func pending(t *testing.T, db *models.DB) []string {
	t.Helper()
	steps, err := migrations.Status(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for i, s := range steps {
		if want := names(t)[i]; s.Name != want {
			t.Errorf("step %d is %s, want %s", i, s.Name, want)
		}
		if s.At.IsZero() {
			left = append(left, s.Name)
		}
	}
	return left
}

// marks are the migrations noted as run.
func marks(t *testing.T, db *models.DB) int {
	t.Helper()
	var n int
	if err := db.Bun().QueryRowContext(t.Context(), "SELECT count(*) FROM bun_migrations").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// has tells whether there is a table.
func has(t *testing.T, db *models.DB, table string) bool {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?"
	if db.Postgres() {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ?"
	}
	var name string
	err := db.Bun().QueryRowContext(t.Context(), query, table).Scan(&name)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return err == nil
}

func exec(t *testing.T, db *models.DB, query string) {
	t.Helper()
	if _, err := db.Bun().DB.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		all := names(t)
		if got := pending(t, db); !slices.Equal(got, all) {
			t.Errorf("pending at first are %v, want %v", got, all)
		}
		if got := up(t, db); !slices.Equal(got, all) {
			t.Errorf("the first Up runs %v, want %v", got, all)
		}
		if got := up(t, db); len(got) > 0 {
			t.Errorf("the second Up runs %v", got)
		}
		if got := pending(t, db); len(got) > 0 || marks(t, db) != len(all) {
			t.Errorf("pending are %v, noted %d", got, marks(t, db))
		}
		if got := down(t, db); !slices.Equal(got, all) {
			t.Errorf("Down undoes %v, want %v", got, all)
		}
		if has(t, db, "users") || has(t, db, "sessions") || marks(t, db) != 0 {
			t.Error("Down leaves something")
		}
		if got := down(t, db); len(got) > 0 {
			t.Errorf("a second Down undoes %v", got)
		}
		if got := up(t, db); !slices.Equal(got, all) || !has(t, db, "users") || !has(t, db, "sessions") {
			t.Errorf("Up after Down runs %v, want %v", got, all)
		}
	})
}

func TestUpAtOnceRunsEachOnce(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		const n = 8
		done, errs := make([][]string, n), make([]error, n)
		dbs := make([]*models.DB, n)
		for i := range dbs {
			dbs[i] = modelstest.Open(t, url) // as processes have it, each its own
		}
		var all sync.WaitGroup
		for i, db := range dbs {
			all.Go(func() { done[i], errs[i] = migrations.Up(t.Context(), db) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(done...); !slices.Equal(got, names(t)) {
			t.Errorf("%d at once ran %v, want %v", n, got, names(t))
		}
		if got := marks(t, dbs[0]); got != len(names(t)) {
			t.Errorf("%d are noted, want %d", got, len(names(t)))
		}
	})
}

// A migration that cannot be noted must not have run, or it would run twice.
func TestMigrationAndItsMarkAreOne(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		pending(t, db) // makes the table of marks
		allow := forbid(t, db, "INSERT")
		if done, err := migrations.Up(t.Context(), db); err == nil {
			t.Errorf("Up runs %v, which cannot be noted", done)
		}
		if has(t, db, "users") || marks(t, db) != 0 {
			t.Error("a migration has run without its mark")
		}
		allow()
		up(t, db)

		allow = forbid(t, db, "DELETE")
		if done, err := migrations.Down(t.Context(), db); err == nil {
			t.Errorf("Down undoes %v, which cannot be noted", done)
		}
		if !has(t, db, "users") || !has(t, db, "sessions") || marks(t, db) != len(names(t)) {
			t.Error("a migration is undone without its mark")
		}
		allow()
		down(t, db)
	})
}

// forbid makes the database refuse an operation on the marks, until allow.
func forbid(t *testing.T, db *models.DB, operation string) (allow func()) {
	t.Helper()
	if db.Postgres() {
		exec(t, db, "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$")
		exec(t, db, "CREATE TRIGGER refused BEFORE "+operation+" ON bun_migrations FOR EACH ROW EXECUTE FUNCTION refuse()")
		return func() { exec(t, db, "DROP TRIGGER refused ON bun_migrations") }
	}
	exec(t, db, "CREATE TRIGGER refused BEFORE "+operation+" ON bun_migrations BEGIN SELECT RAISE(ABORT, 'refused'); END")
	return func() { exec(t, db, "DROP TRIGGER refused") }
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		exec(t, db, "CREATE TABLE sessions (id INTEGER)") // in the way of the second table
		if done, err := migrations.Up(t.Context(), db); err == nil || len(done) > 0 {
			t.Errorf("Up runs %v (%v)", done, err)
		}
		if has(t, db, "users") || marks(t, db) != 0 {
			t.Error("half a migration has run")
		}
		exec(t, db, "DROP TABLE sessions")
		if got := up(t, db); !slices.Equal(got, names(t)) {
			t.Errorf("Up then runs %v, want %v", got, names(t))
		}
	})
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths, err := migrations.Create(t.Context(), dir, "add_projects")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	for i, end := range []string{"_add_projects.tx.down.sql", "_add_projects.tx.up.sql"} {
		if len(paths) != 2 || filepath.Dir(paths[i]) != dir || !strings.HasSuffix(paths[i], end) {
			t.Fatalf("it writes %v, want a pair", paths)
		}
		if _, err := os.Stat(paths[i]); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "Add Projects", "../outside", "a/b", "naïve"} {
		if paths, err := migrations.Create(t.Context(), dir, name); err == nil {
			t.Errorf("the name %q makes %v", name, paths)
		}
	}
}
