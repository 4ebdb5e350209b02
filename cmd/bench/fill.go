//go:build linux || darwin || freebsd

package main

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"

	"vestibule/app/password"
	"vestibule/migrations"
	"vestibule/models"
)

// kinds are the databases, in the order of the report.
var kinds = []string{"SQLite", "PostgreSQL"}

// durable restores PostgreSQL's default durability, which modelstest turns off. A
// server at TEST_DATABASE_URL keeps its own settings.
var durable = []string{"fsync=on", "full_page_writes=on", "synchronous_commit=on"}

// fresh creates an empty database of that kind; drop removes it.
func (b *bench) fresh(ctx context.Context, kind, dir string) (databaseURL string, drop func() error, err error) {
	if kind == "PostgreSQL" {
		return b.cluster.CreateDatabase(ctx, "")
	}
	if dir, err = os.MkdirTemp(dir, ""); err != nil {
		return "", nil, err
	}
	return "sqlite:" + filepath.Join(dir, "bench.db"), func() error { return os.RemoveAll(dir) }, nil
}

// serveAlone is serve with a separate folder, and so a separate log.
func (b *bench) serveAlone(ctx context.Context, databaseURL, dir string) (*site, error) {
	dir, err := os.MkdirTemp(dir, "")
	if err != nil {
		return nil, err
	}
	return b.serve(ctx, databaseURL, dir)
}

// Functions that produce values as the app stores them: in SQL for PostgreSQL, in Go
// for SQLite. Each id is a UUIDv7 with a different millisecond.
const functions = `
CREATE OR REPLACE FUNCTION row_id(kind TEXT, n BIGINT) RETURNS UUID LANGUAGE sql STABLE AS $$
	SELECT CAST(overlay(overlay(md5(kind || n) PLACING '0' || to_hex(1700000000000 + n) || '7' FROM 1) PLACING '8' FROM 17) AS UUID)
$$;
CREATE OR REPLACE FUNCTION token_hash(n BIGINT) RETURNS BYTEA LANGUAGE sql STABLE AS $$
	SELECT sha256(sha256(convert_to('session' || n, 'UTF8')))
$$;
CREATE OR REPLACE FUNCTION moment(micros BIGINT) RETURNS TIMESTAMPTZ LANGUAGE sql STABLE AS $$
	SELECT to_timestamp(micros / 1e6)
$$`

var registerFunctions = sync.OnceFunc(func() {
	register := func(name string, args int32, f func(args []driver.Value) driver.Value) {
		sqlite.MustRegisterDeterministicScalarFunction(name, args, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return f(args), nil
		})
	}
	register("row_id", 2, func(args []driver.Value) driver.Value {
		n := args[1].(int64)
		id := uuid.NewHash(sha256.New(), uuid.Nil, fmt.Append(nil, args[0], n), 7)
		millis := binary.BigEndian.AppendUint64(nil, uint64(1_700_000_000_000+n)<<16) // #nosec G115 -- positive
		copy(id[:], millis[:6])
		return id.String()
	})
	register("token_hash", 1, func(args []driver.Value) driver.Value {
		bits := tokenBits(args[0].(int64))
		hash := sha256.Sum256(bits[:])
		return hash[:]
	})
	register("moment", 1, func(args []driver.Value) driver.Value {
		return time.UnixMicro(args[0].(int64)).UTC().Format("2006-01-02 15:04:05.999999-07:00")
	})
})

// tokenBits returns the token of session n, which its cookie holds.
func tokenBits(n int64) [sha256.Size]byte { return sha256.Sum256(fmt.Appendf(nil, "session%d", n)) }

// Every site has the same address, so that a cookie is good at each of them: its name
// ends with the port.
const (
	baseURL       = "http://localhost:8080"
	sessionCookie = "session-8080"
)

// cookie returns the request header of session n.
func cookie(n int64) http.Header {
	bits := tokenBits(n)
	return http.Header{"Cookie": {sessionCookie + "=" + base64.RawURLEncoding.EncodeToString(bits[:])}}
}

// filler writes rows in bulk.
type filler struct{ conn bun.Conn }

// fill migrates the database and runs do on it without a timeout. On PostgreSQL it then
// updates the planner's statistics, as autovacuum does. On SQLite nothing does, because
// the program never runs ANALYZE.
func fill(ctx context.Context, databaseURL string, do func(f *filler) error) (err error) {
	registerFunctions()
	short, err := models.Open(ctx, databaseURL, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, short.Close()) }()
	if _, err := migrations.Up(ctx, short); err != nil {
		return err
	}
	db, err := short.WithoutTimeout(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Bun().Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	before, after := []string{"PRAGMA cache_size = -500000"}, []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	if db.Postgres() {
		before, after = []string{functions}, []string{"VACUUM ANALYZE", "CHECKPOINT"}
	}
	for _, statement := range before {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if err := do(&filler{conn}); err != nil {
		return err
	}
	for _, statement := range after {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// numbers is a table of the numbers from the first argument to the second, as n.
const numbers = "WITH RECURSIVE numbers (n) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "

// users writes users 1 to n. Their usernames come from login, and their password is
// secret.
func (f *filler) users(ctx context.Context, n int64) error {
	params := password.DefaultParams
	hash, err := argon2id.CreateHash(secret, &params)
	if err != nil {
		return err
	}
	made := time.Now().Add(-24 * time.Hour).UnixMicro()
	_, err = f.conn.ExecContext(ctx, `INSERT INTO users (id, username, username_key, email, email_key, first_name, last_name, name_key,
		password_hash, verified_at, created_at, updated_at) `+numbers+`
		SELECT row_id('user', n), 'user' || n, 'user' || n, 'user' || n || '@example.com', 'user' || n || '@example.com', 'Ada', 'Byron', 'ada byron',
		?, moment(? + n), moment(? + n), moment(? + n) FROM numbers`, 1, n, hash, made, made, made)
	return err
}

func login(n int64) string { return fmt.Sprintf("user%d", n) }

// sessions writes sessions first to last, for users 1 to users in turn. They were last
// seen within the minute before seen. The first expires at end, and each of the others
// a millisecond after the one before.
func (f *filler) sessions(ctx context.Context, first, last, users int64, seen, end time.Time) error {
	made := time.Now().Add(-time.Minute).UnixMicro()
	_, err := f.conn.ExecContext(ctx, `INSERT INTO sessions (id, user_id, token_hash, ip, user_agent, created_at, authenticated_at, last_seen_at, expires_at) `+numbers+`
		SELECT row_id('session', n), row_id('user', (n - 1) % ? + 1), token_hash(n), '192.0.2.1',
		'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', moment(?), moment(?), moment(? + n % 60 * 1000000), moment(? + n * 1000) FROM numbers`,
		first, last, users, made, made, seen.Add(-time.Minute).UnixMicro(), end.UnixMicro()-first*1000)
	return err
}

// living writes n users with a session each, last seen before seen.
func living(ctx context.Context, n int64, seen time.Time) func(f *filler) error {
	return func(f *filler) error {
		return errors.Join(f.users(ctx, n), f.sessions(ctx, 1, n, n, seen, time.Now().Add(720*time.Hour)))
	}
}

// spread returns n different row numbers from 1 to last, evenly spread, at random and
// shuffled.
func (b *bench) spread(n, last int64) []int64 {
	rows := make([]int64, n)
	for i := range rows {
		rows[i] = 1 + int64(i)*last/n + b.random.Int64N(last/n)
	}
	b.random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}
