// Package models holds what Vestibule stores: one file a table, with the Bun
// model and every query on it. Besides, only the migrations write SQL, and
// the benchmark to fill its tables.
package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/pgdriver"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotFound says that no row answers a query.
var ErrNotFound = errors.New("not found")

// ErrChanged says that the user or the session that a request began with has
// changed or gone meanwhile: what the request was allowed then, it may not be
// now. It is an ErrNotFound too.
var ErrChanged = fmt.Errorf("changed meanwhile: %w", ErrNotFound)

// TakenError says that a value that must be unique belongs to another row.
// Field is the form field that holds it, such as "username".
type TakenError struct{ Field string }

func (e *TakenError) Error() string { return e.Field + " is already taken" }

// DB is an open database, SQLite or PostgreSQL, or a transaction on one.
// It is safe for use by many goroutines.
type DB struct {
	bun  bun.IDB // what queries run on: the pool, or inside InTx a bun.Tx
	pool *bun.DB
	path string // of the SQLite file; empty for PostgreSQL
	url  string // that it was opened by

	statements *sync.Map // prepared statements: *sql.Stmt by query
}

// Open connects to the database that databaseURL names: "postgres://…" for
// PostgreSQL, "sqlite:PATH" for a file, which is made with its folder when
// missing. maxConns limits the pool; 0 means a limit that suits the machine.
// It fails when the database does not answer.
func Open(ctx context.Context, databaseURL string, maxConns int) (*DB, error) {
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	switch scheme {
	case "postgres", "postgresql":
		return openPostgres(ctx, databaseURL, maxConns, statementTimeout)
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"), maxConns)
	}
	return nil, errors.New(`the database URL must start with "postgres://" or "sqlite:"`)
}

// statementTimeout is how long one statement may take, lest those that wait for
// a lock fill the server. PostgreSQL ends it: the driver only hangs up, as it does
// on a message of several that takes 5 seconds more, and leaves the statements there.
const statementTimeout = 10 * time.Second

// discardUnknown leaves out columns that no model has: those that a migration has added
// while this program, of the version before, is still at work.
var discardUnknown = bun.WithDiscardUnknownColumns()

// openPostgres opens a pool on which a statement may take limit, or as long as
// it wants when that is 0.
func openPostgres(ctx context.Context, databaseURL string, maxConns int, limit time.Duration) (*DB, error) {
	// A parse error of net/url repeats the URL, and with it the password.
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, errors.New("the database URL cannot be read; special characters in its password must be percent-encoded")
	}
	query := u.Query()
	query.Set("timezone", "UTC")
	if limit == 0 || !query.Has("statement_timeout") {
		query.Set("statement_timeout", limit.String())
	}
	u.RawQuery = query.Encode()
	if _, err := pgdriver.NewDriver().OpenConnector(u.String()); err != nil {
		return nil, err // where NewConnector would panic
	}
	options := []pgdriver.Option{
		pgdriver.WithReadTimeout(limit + 5*time.Second), // for a server that does not even say that time is up
		pgdriver.WithDSN(u.String()),
		pgdriver.WithResetSessionFunc(alive),
		withClosingConn,
	}
	if limit == 0 {
		options = append(options, pgdriver.WithReadTimeout(0))
	}
	if maxConns == 0 {
		maxConns = max(16, 4*runtime.GOMAXPROCS(0))
	}
	pool := sql.OpenDB(pgdriver.NewConnector(options...))
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(time.Hour) // so that a balancer's changes are followed
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("PostgreSQL does not answer: %w", err), pool.Close())
	}
	db := bun.NewDB(pool, pgdialect.New(), discardUnknown)
	return &DB{bun: db, pool: db, url: databaseURL, statements: new(sync.Map)}, nil
}

func openSQLite(ctx context.Context, path string, maxConns int) (*DB, error) {
	if path == "" {
		return nil, errors.New(`the database URL names no file, as "sqlite:data/vestibule.db" does`)
	}
	if path == ":memory:" { // of which each connection of the pool would have its own
		return nil, errors.New("SQLite in memory would be another database on each connection: name a file, as in \"sqlite:data/vestibule.db\"")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// Write transactions take the lock as they begin (immediate): one that
	// upgraded from reading would fail at once when another has written since.
	options := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(NORMAL)"},
	}
	pool, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: escapePath(path), RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, err
	}
	if maxConns == 0 {
		maxConns = max(4, 2*runtime.GOMAXPROCS(0))
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	// A file that cannot be written is found now, not at the first sign-up.
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the SQLite file %s cannot be written: %w", path, err), pool.Close())
	}
	if err := tx.Rollback(); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	db := bun.NewDB(pool, sqlitedialect.New(), discardUnknown)
	return &DB{bun: db, pool: db, path: path, url: "sqlite:" + path, statements: new(sync.Map)}, nil
}

// escapePath keeps what SQLite would read as the end of a file: URI's path.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}

// WithoutTimeout opens the same database once more, for statements that may take as
// long as they want, as a change of the schema does.
func (db *DB) WithoutTimeout(ctx context.Context) (*DB, error) {
	if db.Postgres() {
		return openPostgres(ctx, db.url, 2, 0)
	}
	return Open(ctx, db.url, 2)
}

// Bun is the pool itself, for migrations.
func (db *DB) Bun() *bun.DB { return db.pool }

// Path is the SQLite file's path, empty for PostgreSQL.
func (db *DB) Path() string { return db.path }

// Postgres tells whether the database is PostgreSQL.
func (db *DB) Postgres() bool { return db.pool.Dialect().Name() == dialect.PG }

// Close closes every connection.
func (db *DB) Close() error { return db.pool.Close() }

// InTx runs f in one transaction, committed if f returns nil and rolled back
// otherwise. Inside a transaction f joins it: if f fails, the caller must fail too.
func (db *DB) InTx(ctx context.Context, f func(tx *DB) error) error {
	if _, within := db.bun.(bun.Tx); within {
		return f(db)
	}
	return db.bun.RunInTx(ctx, nil, func(_ context.Context, tx bun.Tx) error {
		within := *db
		within.bun = tx
		return f(&within)
	})
}

// newID makes the id of a new row, a UUIDv7 (RFC 9562), which sorts by time.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) } // fails only without random numbers, where Go stops

// now is the present in UTC, cut to the microseconds that PostgreSQL keeps, so
// that a row in memory equals the same row read back.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// taken turns the driver's unique-violation into the TakenError of the field
// that constraints names, by constraint (PostgreSQL) and by column (SQLite).
// Any other error passes unchanged.
func taken(err error, constraints map[string]string) error {
	var detail string
	var pgErr pgdriver.Error
	var liteErr *sqlite.Error
	switch {
	case errors.As(err, &pgErr) && pgErr.Field('C') == "23505":
		detail = pgErr.Field('n')
	case errors.As(err, &liteErr) && liteErr.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		detail = liteErr.Error()
	default:
		return err
	}
	for name, field := range constraints {
		if strings.Contains(detail, name) {
			return &TakenError{Field: field}
		}
	}
	return err
}

// Ready tells whether the database answers: it returns nil if so.
func (db *DB) Ready(ctx context.Context) error { return db.pool.PingContext(ctx) }

// Unavailable tells whether err means that the database cannot serve at this
// moment, rather than that a query is wrong: it is worth to try again.
func Unavailable(err error) bool {
	var netErr net.Error
	var pgErr pgdriver.Error
	var liteErr *sqlite.Error
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &netErr):
		return true
	case errors.As(err, &pgErr):
		// PostgreSQL, appendix A: connection exception, transaction rollback (as
		// of a deadlock), insufficient resources, operator intervention, system
		// error; and a server that only reads, as a standby does.
		code := pgErr.Field('C')
		return slices.Contains([]string{"08", "40", "53", "57", "58"}, code[:min(2, len(code))]) || code == "25006"
	case errors.As(err, &liteErr):
		switch liteErr.Code() & 0xff { // the primary code of an extended one
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
			return true
		}
	}
	return false
}

// asChanged makes of "no such row" that it has asChanged meanwhile.
func asChanged(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrChanged
	}
	return err
}

// asNotFound makes of "no rows" the error that callers know.
func asNotFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// requireRows makes an error of a change that met no row.
func requireRows(result sql.Result) error {
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrNotFound
}
