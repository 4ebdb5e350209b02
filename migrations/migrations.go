// Package migrations contains the changes to the database schema, in order, and
// runs them. Each is a pair of SQL files, NUMBER_NAME.tx.up.sql and
// NUMBER_NAME.tx.down.sql, for both SQLite and PostgreSQL. Without ".tx", each
// statement runs by itself, outside a transaction.
package migrations

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"
	"github.com/uptrace/bun/migrate"

	"vestibule/models"
)

//go:embed *.sql
var files embed.FS

// Up runs the pending migrations and returns the names of those that ran, in order,
// even if a later one failed. If two processes start at once, one waits for the
// other. It runs nothing if a migration was changed after it ran here.
func Up(ctx context.Context, db *models.DB) ([]string, error) { return up(ctx, db, files) }

func up(ctx context.Context, db *models.DB, files fs.FS) ([]string, error) {
	return run(ctx, db, files, func(m *migrate.Migrator) (migrate.MigrationSlice, error) {
		if err := checkSums(ctx, m, files); err != nil {
			return nil, err
		}
		group, err := m.Migrate(ctx)
		ran := group.Migrations
		if err != nil && len(ran) > 0 {
			ran = ran[:len(ran)-1] // the last is the one that failed
		}
		return ran, err
	})
}

// Down reverts the latest migration, whichever Up ran it, and returns its name. It
// returns no name if no migration has run.
func Down(ctx context.Context, db *models.DB) ([]string, error) {
	return run(ctx, db, files, func(m *migrate.Migrator) (migrate.MigrationSlice, error) {
		last, err := latest(ctx, m)
		if err != nil || last == nil {
			return nil, err
		}
		if err := last.Down(ctx, m, last); err != nil { // recordMigration removes its record
			return nil, fmt.Errorf("%s: down: %w", last.Name, err)
		}
		return migrate.MigrationSlice{*last}, nil
	})
}

// latest returns the migration that ran last, or nil if none has.
func latest(ctx context.Context, m *migrate.Migrator) (*migrate.Migration, error) {
	applied, err := m.AppliedMigrations(ctx)
	if err != nil || len(applied) == 0 {
		return nil, err
	}
	last := slices.MaxFunc(applied, func(a, b migrate.Migration) int { return cmp.Compare(a.ID, b.ID) })
	all, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(m migrate.Migration) bool { return m.ID == last.ID })
	if i < 0 || all[i].Down == nil {
		return nil, fmt.Errorf("the latest migration is %s, and this program has no migration that reverts it", last.Name)
	}
	return &all[i], nil
}

// Reversal is what [Down] would do.
type Reversal struct {
	Name  string   // of the migration
	Drops []string // the statements that drop something
}

// Latest returns what [Down] would do, or nil if no migration has run. It only reads.
func Latest(ctx context.Context, db *models.DB) (*Reversal, error) {
	m, err := migrator(db, files)
	if err != nil {
		return nil, err
	}
	last, err := latest(ctx, m)
	if models.IsMissingTable(err) || err == nil && last == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &Reversal{Name: last.String()}
	paths, err := fs.Glob(files, last.Name+"_*.down.sql")
	for _, path := range paths {
		text, errRead := files.ReadFile(path)
		err = errors.Join(err, errRead)
		for statement := range strings.SplitSeq(comment.ReplaceAllString(string(text), ""), ";") {
			statement = strings.Join(strings.Fields(statement), " ")
			if drops.MatchString(statement) {
				r.Drops = append(r.Drops, statement)
			}
		}
	}
	return r, err
}

var (
	comment = regexp.MustCompile(`(?m)--.*$`)
	drops   = regexp.MustCompile(`(?i)\b(drop|delete|truncate)\b`)
)

// Step is a migration and when it ran; the zero time means not yet.
type Step struct {
	Name    string // only the number if the migration is unknown
	At      time.Time
	Unknown bool // it ran here, but this program does not have it
	Changed bool // its file was changed after it ran here
}

// Status lists every migration of this program, and every other that ran here, by
// number. It only reads.
func Status(ctx context.Context, db *models.DB) ([]Step, error) { return status(ctx, db, files) }

func status(ctx context.Context, db *models.DB, files fs.FS) ([]Step, error) {
	m, err := migrator(db, files)
	if err != nil {
		return nil, err
	}
	all, err := m.MigrationsWithStatus(ctx)
	if models.IsMissingTable(err) { // none ever ran
		discovered := migrate.NewMigrations()
		if err := discovered.Discover(files); err != nil {
			return nil, err
		}
		all, err = discovered.Sorted(), nil
	}
	if err != nil {
		return nil, err
	}
	unknown, err := m.MissingMigrations(ctx)
	if err != nil && !models.IsMissingTable(err) {
		return nil, err
	}
	changed, err := changedSince(ctx, m, files)
	if err != nil && !models.IsMissingTable(err) {
		return nil, err
	}
	var steps []Step
	for _, s := range all {
		steps = append(steps, Step{Name: s.String(), At: s.MigratedAt, Changed: slices.Contains(changed, s.Name)})
	}
	for _, s := range unknown {
		steps = append(steps, Step{Name: s.Name, At: s.MigratedAt, Unknown: true})
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Name, b.Name) })
	return steps, nil
}

// Pending reports whether a migration has not run yet. It only reads, and returns an
// error on a database where none ever ran.
func Pending(ctx context.Context, db *models.DB) (bool, error) {
	m, err := migrator(db, files)
	if err != nil {
		return false, err
	}
	all, err := m.MigrationsWithStatus(ctx)
	return len(all.Unapplied()) > 0, err
}

// Create writes a pair of empty migration files to dir, which it creates if missing,
// and returns their paths. Their number is the time in UTC. The name may contain
// the letters a to z, digits, _ and -. The migration runs in a transaction if inTx.
func Create(dir, name string, inTx bool) ([]string, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("the migration name %q may contain only the letters a to z, digits, _ and -", name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- source code that everyone who works on it may read
		return nil, err
	}
	number := time.Now().UTC().Format(numberFormat)
	if same, err := filepath.Glob(filepath.Join(dir, number+"_*")); err != nil || len(same) > 0 {
		return nil, errors.Join(err, fmt.Errorf("a migration with the number %s already exists: try again in a second", number))
	}
	kind := ".tx."
	if !inTx {
		kind = "."
	}
	var paths []string
	for _, file := range []struct{ way, content string }{{"up", emptyUp}, {"down", emptyDown}} {
		path := filepath.Join(dir, number+"_"+name+kind+file.way+".sql")
		if err := os.WriteFile(path, []byte(file.content), 0o644); err != nil { // #nosec G306 -- source code that everyone who works on it may read
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

const numberFormat = "20060102150405"

var validName = regexp.MustCompile(`^[0-9a-z_-]+$`)

// Bun's own template does not run on SQLite, and a lone comment does not run on
// PostgreSQL.
const (
	emptyUp   = "-- The change, for both SQLite and PostgreSQL. Separate statements with a line --bun:split.\nSELECT 1;\n"
	emptyDown = "-- Reverts the change, in the opposite order.\nSELECT 1;\n"
)

// run calls apply while no other process migrates, and returns the names of the
// migrations that apply ran. It calls apply again while a table that a migration needs
// is locked.
func run(ctx context.Context, db *models.DB, files fs.FS, apply func(*migrate.Migrator) (migrate.MigrationSlice, error)) (_ []string, err error) {
	db, err = db.WithoutTimeout(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	m, err := migrator(db, files)
	if err != nil {
		return nil, err
	}
	var names []string
	err = withLock(ctx, db, func() error {
		if err := create(ctx, m); err != nil {
			return err
		}
		for attempt := 1; ; attempt++ {
			ran, err := apply(m)
			for _, s := range ran {
				names = append(names, s.String())
			}
			if !isLocked(err) {
				return err
			}
			if attempt == lockAttempts {
				return fmt.Errorf("another statement holds a table for long: try again at a quieter time (%w)", err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(lockPause):
			}
		}
	})
	return names, err
}

// While a migration waits for a table, every later statement on that table waits behind
// it. So it waits only for lockTimeout, and lets them pass before the next attempt.
const (
	lockTimeout  = time.Second
	lockPause    = 2 * time.Second
	lockAttempts = 100
)

// isLocked reports whether a migration waited for a lock for lockTimeout (PostgreSQL,
// appendix A: lock not available).
func isLocked(err error) bool {
	var pgErr pgdriver.Error
	return errors.As(err, &pgErr) && pgErr.Field('C') == "55P03"
}

// migrator runs the migrations in files. They are templates: {{if .Postgres}} is for
// what SQLite does not understand, such as CONCURRENTLY.
func migrator(db *models.DB, files fs.FS) (*migrate.Migrator, error) {
	all := migrate.NewMigrations()
	if err := all.Discover(files); err != nil {
		return nil, err
	}
	return migrate.NewMigrator(db.Bun(), all,
		migrate.WithMarkAppliedOnSuccess(true),
		migrate.WithUpsert(true),
		migrate.WithTemplateData(struct{ Postgres bool }{db.Postgres()}),
		migrate.BeforeMigration(limitWait),
		migrate.AfterMigration(recorder(files)),
	), nil
}

// limitWait limits how long a migration in a transaction waits for a table. Outside a
// transaction, CREATE INDEX CONCURRENTLY waits without keeping others waiting.
func limitWait(ctx context.Context, conn bun.IConn, m *migrate.Migration) error {
	tx, ok := conn.(bun.Tx)
	if !ok || tx.Dialect().Name() != dialect.PG {
		return nil
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '%dms'; SET LOCAL statement_timeout = 0", lockTimeout.Milliseconds()))
	return err
}

// recorder records a migration and its checksum in the transaction that runs it. Bun
// would do so after the commit, so the migration would run twice if the process died in
// between. Outside a transaction that can happen, so each statement must be able to run
// again.
func recorder(files fs.FS) migrate.MigrationHook {
	return func(ctx context.Context, conn bun.IConn, m *migrate.Migration) error {
		queries := []string{fmt.Sprintf("DELETE FROM bun_migrations WHERE id = %d", m.ID)}
		if !m.IsApplied() { // it was not, so this is Up
			sum, err := sumOf(files, m.Name)
			if err != nil {
				return err
			}
			queries = []string{
				fmt.Sprintf("INSERT INTO bun_migrations (name, group_id) VALUES ('%s', %d)", m.Name, m.GroupID),
				insertSum(m.Name, sum),
			}
		}
		queries = append([]string{fmt.Sprintf("DELETE FROM migration_checksums WHERE name = '%s'", m.Name)}, queries...)
		for _, query := range queries {
			if _, err := conn.ExecContext(ctx, query); err != nil {
				return err
			}
		}
		return nil
	}
}

// lockID is the key of the PostgreSQL advisory lock: "vestibul" in ASCII.
const lockID = 0x766573746962756c

// withLock runs f while no other process does. The lock ends with the process that
// holds it, even if that crashes. On PostgreSQL it belongs to a transaction rather than
// a session, because PgBouncer may give each statement of a session to another one.
func withLock(ctx context.Context, db *models.DB, f func() error) (err error) {
	if !db.Postgres() {
		lock := flock.New(db.Path()+".migrating", flock.SetPermissions(0o600))
		if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		defer lock.Unlock()
		return f()
	}
	for {
		got, err := tryLock(ctx, db, f)
		if got || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tryLock runs f unless another process has the lock, and reports whether it did. Each attempt
// is a transaction of its own: CREATE INDEX CONCURRENTLY, which the other process may run,
// waits for the end of every transaction that it met within a statement.
func tryLock(ctx context.Context, db *models.DB, f func() error) (got bool, err error) {
	tx, err := db.Bun().BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return false, err
	}
	// A blocking pg_advisory_xact_lock would time out, or ignore ctx.
	if err := tx.QueryRowContext(ctx, "SELECT pg_try_advisory_xact_lock(?)", int64(lockID)).Scan(&got); err != nil || !got {
		return false, err
	}
	return true, f()
}
