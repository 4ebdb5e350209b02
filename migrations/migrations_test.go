package migrations_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun/migrate"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// eachEmpty runs test on an empty database of each kind.
func eachEmpty(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	for name, empty := range map[string]func(*testing.T) string{"sqlite": modelstest.EmptySQLite, "postgres": modelstest.EmptyPostgreSQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, empty(t))
		})
	}
}

// names returns the name of every migration, in order.
func names(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.up.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are %d migrations (%v)", len(files), err)
	}
	for i, file := range files {
		if _, err := os.Stat(strings.Replace(file, ".up.", ".down.", 1)); err != nil {
			t.Errorf("there is no way down: %v", err)
		}
		files[i], _, _ = strings.Cut(file, ".")
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

// down reverts all migrations, one by one.
func down(t *testing.T, db *models.DB) []string {
	t.Helper()
	var all []string
	for {
		done, err := migrations.Down(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		if len(done) == 0 {
			return all
		}
		if len(done) != 1 {
			t.Fatalf("Down undoes %v, want one", done)
		}
		all = append(all, done...)
	}
}

// pending returns the migrations that have not run.
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

// marks returns the migrations recorded as run.
func marks(t *testing.T, db *models.DB) int {
	t.Helper()
	var n int
	if err := db.Bun().QueryRowContext(t.Context(), "SELECT count(*) FROM bun_migrations").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// has reports whether a table exists.
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
		if got := pending(t, db); !slices.Equal(got, all) || has(t, db, "bun_migrations") {
			t.Errorf("pending at first are %v, want %v, and nothing changed", got, all)
		}
		if latest, err := migrations.Latest(t.Context(), db); latest != nil || err != nil {
			t.Errorf("the latest at first is %v (%v)", latest, err)
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
		newest := all[len(all)-1:]
		if latest, err := migrations.Latest(t.Context(), db); err != nil || latest == nil || latest.Name != newest[0] || len(latest.Drops) == 0 {
			t.Errorf("the latest is %v (%v), want %v", latest, err, newest)
		}
		if got, err := migrations.Down(t.Context(), db); err != nil || !slices.Equal(got, newest) {
			t.Errorf("Down undoes %v (%v), want %v", got, err, newest)
		}
		if got := pending(t, db); !slices.Equal(got, newest) || marks(t, db) != len(all)-1 || !has(t, db, "users") {
			t.Errorf("after one Down pending are %v, noted %d", got, marks(t, db))
		}
		if got := up(t, db); !slices.Equal(got, newest) {
			t.Errorf("Up after one Down runs %v, want %v", got, newest)
		}
		backwards := slices.Clone(all)
		slices.Reverse(backwards)
		if got := down(t, db); !slices.Equal(got, backwards) {
			t.Errorf("Down upon Down undoes %v, want %v", got, backwards)
		}
		if has(t, db, "users") || has(t, db, "sessions") || marks(t, db) != 0 {
			t.Error("Down leaves something")
		}
		if got := up(t, db); !slices.Equal(got, all) || !has(t, db, "users") || !has(t, db, "sessions") {
			t.Errorf("Up after Down runs %v, want %v", got, all)
		}
	})
}

// The latest migration need not have the greatest number: an older one may have
// been merged later.
func TestDownUndoesWhatRanLast(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		all := up(t, db)
		number, _, _ := strings.Cut(all[1], "_")
		exec(t, db, "DELETE FROM bun_migrations WHERE name = '"+number+"'")
		for _, table := range []string{"browsers", "mails", "tokens"} {
			exec(t, db, "DROP TABLE "+table)
		}
		if got := up(t, db); !slices.Equal(got, all[1:2]) {
			t.Fatalf("Up runs %v, want %s", got, all[1])
		}
		if got, err := migrations.Down(t.Context(), db); err != nil || !slices.Equal(got, all[1:2]) || has(t, db, "mails") || !has(t, db, "events") {
			t.Errorf("Down undoes %v (%v), want %s", got, err, all[1])
		}

		exec(t, db, "INSERT INTO bun_migrations (name, group_id) VALUES ('20990101000000', 9)") // by a newer program
		if got, err := migrations.Down(t.Context(), db); err == nil || !strings.Contains(err.Error(), "20990101000000") || !has(t, db, "events") {
			t.Errorf("Down undoes %v (%v), which did not run last", got, err)
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
			dbs[i] = modelstest.Open(t, url) // one per process
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

// A migration that can't be recorded must not run, or it would run twice.
func TestMigrationAndItsMarkAreOne(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		up(t, db) // creates the table of records
		down(t, db)
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

// forbid makes the database refuse an operation on the records, until allow.
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
		exec(t, db, "CREATE TABLE mails (id INTEGER)") // in the way of the second migration
		if done, err := migrations.Up(t.Context(), db); err == nil || !slices.Equal(done, names(t)[:1]) || has(t, db, "tokens") {
			t.Errorf("Up runs %v (%v), want %v and an error", done, err, names(t)[:1])
		}
		exec(t, db, "DROP TABLE mails")
		if got := up(t, db); !slices.Equal(got, names(t)[1:]) {
			t.Errorf("Up then runs %v, want %v", got, names(t)[1:])
		}
	})
}

// TestMigrationMayTakeLong makes a migration wait for a table longer than a page's
// statement may take.
func TestMigrationMayTakeLong(t *testing.T) {
	t.Parallel()
	url := modelstest.PostgreSQL(t)
	db, other := modelstest.Open(t, modelstest.With(t, url, "statement_timeout", "100ms")), modelstest.Open(t, url).Bun()
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE users, sessions, tokens, mails, browsers, throttles, events IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	undone := make(chan error, 1)
	go func() {
		for range names(t) {
			if _, err := migrations.Down(t.Context(), db); err != nil {
				undone <- err
				return
			}
		}
		undone <- nil
	}()
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query_start < now() - interval '300 ms'"
	for n := 0; n == 0; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-undone:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		if err := other.NewRaw(waiting).Scan(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-undone; err != nil {
		t.Error(err)
	}
	if _, err := db.Bun().ExecContext(t.Context(), "SELECT pg_sleep(10)"); !models.Unavailable(err) {
		t.Errorf("a statement of a page that takes too long ends with %v", err)
	}
}

// An unedited migration runs both ways on both databases, and changes nothing.
func TestCreate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "too")
	paths, err := migrations.Create(dir, "add_projects", true)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 2 {
		t.Fatalf("it writes %v, want a pair", paths)
	}
	for i, name := range []string{`^\d{14}_add_projects\.tx\.up\.sql$`, `^\d{14}_add_projects\.tx\.down\.sql$`} {
		if filepath.Dir(paths[i]) != dir || !regexp.MustCompile(name).MatchString(filepath.Base(paths[i])) {
			t.Errorf("it writes %s, want %s", paths[i], name)
		}
	}
	outside, err := migrations.Create(t.TempDir(), "add_index", false)
	if err != nil || len(outside) != 2 || !regexp.MustCompile(`^\d{14}_add_index\.up\.sql$`).MatchString(filepath.Base(outside[0])) {
		t.Errorf("outside a transaction it writes %v (%v)", outside, err)
	}
	for _, name := range []string{"", "Add Projects", "../outside", "a/b", "naïve", "a\n"} {
		if paths, err := migrations.Create(dir, name, true); err == nil {
			t.Errorf("the name %q makes %v", name, paths)
		}
	}
	t.Run("empty", func(t *testing.T) {
		eachEmpty(t, func(t *testing.T, url string) {
			db := modelstest.Open(t, url)
			created := migrate.NewMigrations()
			if err := created.Discover(os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			m := migrate.NewMigrator(db.Bun(), created)
			if err := m.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			if done, err := m.Migrate(t.Context()); err != nil || len(done.Migrations) != 1 {
				t.Errorf("up: %v, %v", done, err)
			}
			if done, err := m.Rollback(t.Context()); err != nil || len(done.Migrations) != 1 {
				t.Errorf("down: %v, %v", done, err)
			}
		})
	})
}

func TestCreateTwiceInASecond(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	numbers := map[string]bool{}
	for _, name := range []string{"one", "two", "three"} {
		paths, err := migrations.Create(dir, name, true)
		if err != nil {
			continue // it refuses to use the same number twice
		}
		number, _, _ := strings.Cut(filepath.Base(paths[0]), "_")
		if numbers[number] {
			t.Errorf("two migrations have the number %s", number)
		}
		numbers[number] = true
	}
}

// A migration dated in the future would run after those written until then.
func TestNoMigrationIsFromTheFuture(t *testing.T) {
	t.Parallel()
	for _, name := range names(t) {
		number, _, _ := strings.Cut(name, "_")
		at, err := time.Parse("20060102150405", number) // in UTC
		if err != nil {
			t.Errorf("%s does not begin with a time: %v", name, err)
		}
		if at.After(time.Now()) {
			t.Errorf("%s is from the future", name)
		}
	}
}
