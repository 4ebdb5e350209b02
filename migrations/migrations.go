// Package migrations contains the changes to the database schema, in order, and
// runs them. Each is a pair of SQL files, NUMBER_NAME.tx.up.sql and
// NUMBER_NAME.tx.down.sql, for both SQLite and PostgreSQL.
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
	"github.com/uptrace/bun/migrate"

	"vestibule/models"
)

//go:embed *.sql
var files embed.FS

// Up runs the pending migrations and returns the names of those that ran, in order,
// even if a later one failed. If two processes start at once, one waits for the
// other.
func Up(ctx context.Context, db *models.DB) ([]string, error) {
	return run(ctx, db, func(m *migrate.Migrator) (migrate.MigrationSlice, error) {
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
	return run(ctx, db, func(m *migrate.Migrator) (migrate.MigrationSlice, error) {
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
	m, err := migrator(db)
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
	Name string
	At   time.Time
}

// Status lists every migration of this program by number. It only reads.
func Status(ctx context.Context, db *models.DB) ([]Step, error) {
	m, err := migrator(db)
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
	steps := make([]Step, len(all))
	for i, s := range all {
		steps[i] = Step{Name: s.String(), At: s.MigratedAt}
	}
	return steps, nil
}

// Pending reports whether a migration has not run yet. It only reads, and returns an
// error on a database where none ever ran.
func Pending(ctx context.Context, db *models.DB) (bool, error) {
	m, err := migrator(db)
	if err != nil {
		return false, err
	}
	all, err := m.MigrationsWithStatus(ctx)
	return len(all.Unapplied()) > 0, err
}

// Create writes a pair of empty migration files to dir, which it creates if missing,
// and returns their paths. Their number is the time in UTC. The name may contain
// the letters a to z, digits, _ and -.
func Create(dir, name string) ([]string, error) {
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
	var paths []string
	for _, file := range []struct{ way, content string }{{"up", emptyUp}, {"down", emptyDown}} {
		path := filepath.Join(dir, number+"_"+name+".tx."+file.way+".sql")
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
// migrations that apply ran.
func run(ctx context.Context, db *models.DB, apply func(*migrate.Migrator) (migrate.MigrationSlice, error)) (_ []string, err error) {
	db, err = db.WithoutTimeout(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	m, err := migrator(db)
	if err != nil {
		return nil, err
	}
	var names []string
	err = withLock(ctx, db, func() error {
		if err := m.Init(ctx); err != nil {
			return err
		}
		ran, err := apply(m)
		for _, s := range ran {
			names = append(names, s.String())
		}
		return err
	})
	return names, err
}

func migrator(db *models.DB) (*migrate.Migrator, error) {
	all := migrate.NewMigrations()
	if err := all.Discover(files); err != nil {
		return nil, err
	}
	return migrate.NewMigrator(db.Bun(), all,
		migrate.WithMarkAppliedOnSuccess(true),
		migrate.WithUpsert(true),
		migrate.AfterMigration(recordMigration),
	), nil
}

// recordMigration records a migration in the transaction that runs it. Bun would
// do so after the commit, so the migration would run twice if the process died in
// between.
func recordMigration(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
	query := fmt.Sprintf("INSERT INTO bun_migrations (name, group_id) VALUES ('%s', %d)", m.Name, m.GroupID)
	if m.IsApplied() { // before, so this reverts it
		query = fmt.Sprintf("DELETE FROM bun_migrations WHERE id = %d", m.ID)
	}
	_, err := tx.ExecContext(ctx, query)
	return err
}

// lockID is the key of the PostgreSQL advisory lock: "vestibul" in ASCII.
const lockID = 0x766573746962756c

// withLock runs f while no other process does. The lock ends with the process that
// holds it, even if that crashes.
func withLock(ctx context.Context, db *models.DB, f func() error) (err error) {
	if !db.Postgres() {
		lock := flock.New(db.Path() + ".migrating")
		if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		defer lock.Unlock()
		return f()
	}
	conn, err := db.Bun().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A blocking pg_advisory_lock would time out, or ignore ctx.
	for got := false; !got; {
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(?)", int64(lockID)).Scan(&got); err != nil {
			return err
		}
		if !got {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(?)", int64(lockID))
	return f()
}
