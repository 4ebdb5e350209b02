// Package models holds what Vestibule stores: files named for their table, with
// the Bun model and every query on it. Only the migrations, and the benchmark when it
// fills its tables, write SQL elsewhere.
package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/pgdriver"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotFound means that no row matches.
var ErrNotFound = errors.New("not found")

// ErrChanged means that the user or session a request started with has since been
// changed or deleted, so the request may no longer be allowed. It wraps ErrNotFound.
var ErrChanged = fmt.Errorf("changed in the meantime: %w", ErrNotFound)

// TakenError means that another row already has a value that must be unique.
// Field is the form field with that value, such as "username".
type TakenError struct{ Field string }

func (e *TakenError) Error() string { return e.Field + " is already taken" }

// DB is an open SQLite or PostgreSQL database, or a transaction on one. It is safe
// for concurrent use.
type DB struct {
	bun  bun.IDB // runs the queries: the pool, or a bun.Tx inside InTx
	pool *bun.DB
	path string // of the SQLite file; empty for PostgreSQL
	name string // for people, without the password
	url  string // that it was opened with

	usernames Usernames // see ForUsernames

	statements *sync.Map // prepared statements of SQLite: *sql.Stmt by query
}

// Open connects to the database at databaseURL: "postgres://…" for PostgreSQL, or
// "sqlite:PATH" for a file, which it creates, with its folder, if missing. At most
// maxConns connections are open at once; 0 picks a limit that suits the machine.
// Open returns an error if the database does not answer.
func Open(ctx context.Context, databaseURL string, maxConns int) (*DB, error) {
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	switch scheme {
	case "postgres", "postgresql":
		return openPostgres(ctx, databaseURL, maxConns, statementTimeout)
	case "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"), maxConns)
	case "jdbc":
		return nil, errors.New(`the database URL must start with "postgres://" or "sqlite:": remove "jdbc:"`)
	}
	return nil, errScheme
}

var errScheme = errors.New(`the database URL must start with "postgres://" or "sqlite:", such as postgres://user:password@host/database`)

// ErrNoFile means that there is no SQLite file at the path of the database URL.
var ErrNoFile = errors.New("there is no SQLite file")

// OpenExisting is Open, but returns ErrNoFile if the SQLite file is missing.
func OpenExisting(ctx context.Context, databaseURL string, maxConns int) (*DB, error) {
	if rest, ok := strings.CutPrefix(databaseURL, "sqlite:"); ok {
		path := strings.TrimPrefix(rest, "//")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && path != "" && path != ":memory:" {
			return nil, fmt.Errorf("%w %s", ErrNoFile, absolute(path))
		}
	}
	return Open(ctx, databaseURL, maxConns)
}

// absolute returns the whole path, as far as it is known.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// discardUnknown ignores columns that no model has: while a new version migrates
// the database, the old one is still running.
var discardUnknown = bun.WithDiscardUnknownColumns()

func openSQLite(ctx context.Context, path string, maxConns int) (*DB, error) {
	if path == "" {
		return nil, errors.New(`the database URL names no file: use one such as "sqlite:data/vestibule.db"`)
	}
	if path == ":memory:" { // each connection would open a database of its own
		return nil, errors.New(`an in-memory SQLite database would differ on each connection: name a file, such as "sqlite:data/vestibule.db"`)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := restrict(path); err != nil {
		return nil, err
	}
	// Write transactions take the lock when they begin (immediate): one that reads
	// first fails at once if another has written since. What is deleted is overwritten
	// (secure_delete).
	options := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(NORMAL)", "secure_delete(1)"},
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
	// Find out now that the file can't be written, not at the first sign-up.
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("can't write the SQLite file %s: %w", path, err), pool.Close())
	}
	if err := tx.Rollback(); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	db := bun.NewDB(pool, sqlitedialect.New(), discardUnknown)
	return &DB{bun: db, pool: db, path: path, name: "SQLite file " + absolute(path), url: "sqlite:" + path, statements: new(sync.Map)}, nil
}

// restrict makes a database file that only its owner can read and write. SQLite gives
// the same rights to the files beside it. A file that everybody can read, as earlier
// versions made it, is restricted too; rights that only its group has are left, because
// somebody must have given them on purpose.
//
// It never opens a file that exists: closing it would end the locks that SQLite holds on
// it in this process (fcntl).
func restrict(path string) error {
	if file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil { // #nosec G304 -- DATABASE_URL names the file
		return file.Close()
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() { // SQLite says what is wrong
			continue
		}
		if info.Mode().Perm()&0o007 == 0 || runtime.GOOS == "windows" {
			continue
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return fmt.Errorf("everybody on this machine can read the SQLite file %s: run chmod 600 on it", name)
		}
	}
	return nil
}

// escapePath escapes the characters that end the path of an SQLite file: URI.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(path))
}

// WithoutTimeout opens the same database again without a statement timeout, for
// changes of the schema.
func (db *DB) WithoutTimeout(ctx context.Context) (*DB, error) {
	if db.Postgres() {
		return openPostgres(ctx, db.url, 2, 0)
	}
	return Open(ctx, db.url, 2)
}

// Bun returns the pool itself, for migrations.
func (db *DB) Bun() *bun.DB { return db.pool }

// Path returns the path of the SQLite file, or "" for PostgreSQL.
func (db *DB) Path() string { return db.path }

// Name returns what the database is called, for people: its kind, name and server, or
// its file.
func (db *DB) Name() string { return db.name }

// Postgres reports whether the database is PostgreSQL.
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

// newID returns a UUIDv7 (RFC 9562) for a new row. They sort by time.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) } // crypto/rand never fails

// firstID returns the lowest id of rows that were made at t or later.
func firstID(t time.Time) (id uuid.UUID) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, t.UnixMilli()))) // #nosec G115 -- it isn't negative
	copy(id[:6], ms[2:])
	return id
}

// now returns the time in UTC, truncated to the microseconds that PostgreSQL keeps,
// so that a row in memory equals the same row read back.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// asTaken turns a unique violation into a *TakenError. Constraints maps a part of
// the constraint's name (PostgreSQL) and of the column's (SQLite) to the form
// field. Any other error is returned unchanged.
func asTaken(err error, constraints map[string]string) error {
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

// Unavailable reports whether err means that the database can't answer right now,
// so that trying again may help.
func Unavailable(err error) bool {
	var netErr net.Error
	var pgErr pgdriver.Error
	var liteErr *sqlite.Error
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, errReadOnly), errors.Is(err, sql.ErrConnDone), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &netErr):
		return true
	case errors.As(err, &pgErr):
		// PostgreSQL, appendix A: connection exception, transaction rollback (such
		// as a deadlock), insufficient resources, operator intervention, system
		// error; and a read-only server, such as a standby.
		code := pgErr.Field('C')
		return slices.Contains([]string{"08", "40", "53", "57", "58"}, code[:min(2, len(code))]) || code == "25006"
	case errors.As(err, &liteErr):
		switch liteErr.Code() & 0xff { // the primary of an extended result code
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
	}
	return false
}

// IsMissingTable reports whether err means that a query names a table that doesn't
// exist (PostgreSQL, appendix A: undefined table).
func IsMissingTable(err error) bool {
	var pgErr pgdriver.Error
	var liteErr *sqlite.Error
	return errors.As(err, &pgErr) && pgErr.Field('C') == "42P01" ||
		errors.As(err, &liteErr) && strings.Contains(liteErr.Error(), "no such table")
}

// asChanged turns ErrNotFound into ErrChanged.
func asChanged(err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrChanged
	}
	return err
}

// asNotFound turns sql.ErrNoRows into ErrNotFound.
func asNotFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// requireRows returns ErrNotFound if a change affected no row.
func requireRows(result sql.Result) error {
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrNotFound
}
