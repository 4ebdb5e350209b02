package models

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Ready returns an error if the database doesn't answer or is read-only. It changes
// nothing, so /readyz may call it each time.
func (db *DB) Ready(ctx context.Context) error {
	_, err := db.bun.NewDelete().Model((*Session)(nil)).Where("1 = 0").Exec(ctx)
	return err
}

// readiness is the row that CheckWrite writes.
type readiness struct {
	bun.BaseModel `bun:"table:readiness"`

	ID      int `bun:",pk"`
	At      time.Time
	Padding []byte
}

// paddingBytes is more than a sign-in writes on SQLite, so a nearly full disk shows. On
// PostgreSQL the disk is elsewhere, and already has the space for the next rows.
const paddingBytes = 64 << 10

// CheckWrite returns an error if the database can't be written, such as on a standby or
// on a full disk.
func (db *DB) CheckWrite(ctx context.Context) error {
	row := &readiness{ID: 1, At: now(), Padding: []byte{}}
	if !db.Postgres() {
		row.Padding = make([]byte, paddingBytes)
		_, _ = rand.Read(row.Padding) // never fails; SQLite doesn't write what is the same
	}
	_, err := db.bun.NewInsert().Model(row).On("CONFLICT (id) DO UPDATE").
		Set("at = EXCLUDED.at").Set("padding = EXCLUDED.padding").Exec(ctx)
	if !db.Postgres() && waitedForWriters(err) {
		return nil // they write, so writing works
	}
	return err
}

// waitedForWriters reports whether err of SQLite only says that others write at the
// moment.
func waitedForWriters(err error) bool {
	var liteErr *sqlite.Error
	return errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &liteErr) && (liteErr.Code()&0xff == sqlite3.SQLITE_BUSY || liteErr.Code()&0xff == sqlite3.SQLITE_INTERRUPT)
}

// CheckSchema returns an error if a table or column is missing that signing in and up
// needs, whatever the record of migrations says.
func (db *DB) CheckSchema(ctx context.Context) error {
	for _, model := range []any{(*User)(nil), (*Session)(nil), (*Browser)(nil), (*Throttle)(nil), (*Event)(nil), (*Token)(nil), (*Mail)(nil)} {
		if _, err := db.bun.NewSelect().Model(model).Where("FALSE").Exec(ctx); err != nil {
			return fmt.Errorf("the schema isn't as expected: %w", err)
		}
	}
	return nil
}

// ClockSkew returns by how much the clock of PostgreSQL is ahead of this machine's, as
// precisely as a query takes. SQLite has no clock of its own.
func (db *DB) ClockSkew(ctx context.Context) (time.Duration, error) {
	var there time.Time
	asked := time.Now()
	if err := db.bun.NewSelect().ColumnExpr("clock_timestamp()").Scan(ctx, &there); err != nil {
		return 0, err
	}
	took := time.Since(asked)
	return there.Sub(asked.Add(took / 2)), nil
}
