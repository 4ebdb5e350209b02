// Package migrations holds the changes to the database's schema, in order, and
// runs them. Each is a pair of SQL files, NUMBER_NAME.tx.up.sql and
// NUMBER_NAME.tx.down.sql, that runs on SQLite and PostgreSQL alike.
package migrations

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/gofrs/flock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"vestibule/models"
)

//go:embed *.sql
var files embed.FS

// Up runs the migrations that have not run yet and returns their names. When
// two processes start at once, one waits for the other.
func Up(ctx context.Context, db *models.DB) ([]string, error) {
	return run(ctx, db, (*migrate.Migrator).Migrate)
}

// Down undoes the migrations of the last Up and returns their names.
func Down(ctx context.Context, db *models.DB) ([]string, error) {
	return run(ctx, db, (*migrate.Migrator).Rollback)
}

// Step is one migration and when it ran; the zero time means not yet.
type Step struct {
	Name string
	At   time.Time
}

// Status lists every migration in order.
func Status(ctx context.Context, db *models.DB) ([]Step, error) {
	m, err := migrator(db)
	if err != nil {
		return nil, err
	}
	if err := locked(ctx, db, func() error { return m.Init(ctx) }); err != nil {
		return nil, err
	}
	all, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return nil, err
	}
	steps := make([]Step, len(all))
	for i, s := range all {
		steps[i] = Step{Name: s.String(), At: s.MigratedAt}
	}
	return steps, nil
}

// Pending tells whether a migration has not run yet. It only reads, and so fails
// on a database where none ever ran.
func Pending(ctx context.Context, db *models.DB) (bool, error) {
	m, err := migrator(db)
	if err != nil {
		return false, err
	}
	all, err := m.MigrationsWithStatus(ctx)
	return len(all.Unapplied()) > 0, err
}

// Create writes an empty pair of migration files into dir and returns their
// paths. The name may hold lower-case letters, digits, _ and -.
func Create(ctx context.Context, dir, name string) ([]string, error) {
	m := migrate.NewMigrator(nil, migrate.NewMigrations(migrate.WithMigrationsDirectory(dir)))
	created, err := m.CreateTxSQLMigrations(ctx, name)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(created))
	for i, f := range created {
		paths[i] = f.Path
	}
	return paths, nil
}

func run(ctx context.Context, db *models.DB,
	do func(*migrate.Migrator, context.Context, ...migrate.MigrationOption) (*migrate.MigrationGroup, error),
) ([]string, error) {
	m, err := migrator(db)
	if err != nil {
		return nil, err
	}
	var names []string
	err = locked(ctx, db, func() error {
		if err := m.Init(ctx); err != nil {
			return err
		}
		group, err := do(m, ctx)
		if err != nil {
			return err
		}
		for _, s := range group.Migrations {
			names = append(names, s.String())
		}
		return nil
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
		migrate.AfterMigration(mark),
	), nil
}

// mark notes a migration in the transaction that ran it: Bun's own note comes
// after the commit, and a process that died between would run it twice.
func mark(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
	query := fmt.Sprintf("INSERT INTO bun_migrations (name, group_id) VALUES ('%s', %d)", m.Name, m.GroupID)
	if m.IsApplied() { // it was before, so this is its way down
		query = fmt.Sprintf("DELETE FROM bun_migrations WHERE id = %d", m.ID)
	}
	_, err := tx.ExecContext(ctx, query)
	return err
}

// lockID is the number of the PostgreSQL advisory lock: "vestibul" in ASCII.
const lockID = 0x766573746962756c

// locked runs f while no other process does. The lock falls with the process
// that holds it, however it ends.
func locked(ctx context.Context, db *models.DB, f func() error) (err error) {
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
	// A blocking pg_advisory_lock would run into the driver's read time-out.
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
