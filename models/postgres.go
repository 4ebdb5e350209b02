package models

import (
	"context"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// statementTimeout limits one statement on PostgreSQL, so that statements waiting
// for a lock cannot use up its connections. The server must enforce it: the driver
// only closes the connection, and leaves the statement running.
const statementTimeout = 10 * time.Second

// fixedSettings are the settings of a session that the program depends on. A role, a
// database or the server may have others as its defaults. What an older server doesn't
// know is left out. Two keep their defaults on purpose: search_path, by which operators
// choose the schema, and default_transaction_read_only, by which they stop all writes.
const fixedSettings = `
	('client_encoding', 'UTF8'),
	('standard_conforming_strings', 'on'),
	('array_nulls', 'on'),
	('transform_null_equals', 'off'),
	('TimeZone', 'UTC'),
	('DateStyle', 'ISO, YMD'),
	('IntervalStyle', 'postgres'),
	('bytea_output', 'hex'),
	('extra_float_digits', '1'),
	('default_transaction_isolation', 'read committed'),
	('default_transaction_deferrable', 'off'),
	('row_security', 'on'),
	('idle_in_transaction_session_timeout', '0'),
	('idle_session_timeout', '0'),
	('transaction_timeout', '0')`

// readOnlyLife is how long a connection to a read-only server is used before the pool
// looks for one that takes writes.
const readOnlyLife = time.Second

// errReadOnly means that PostgreSQL takes no writes. The next connection may reach
// another server that does.
var errReadOnly = errors.New("PostgreSQL is read-only: it is a standby, or default_transaction_read_only is on")

// openPostgres opens a pool on which a statement may take at most limit; 0 means no
// limit.
func openPostgres(ctx context.Context, databaseURL string, maxConns int, limit time.Duration) (*DB, error) {
	u, err := parsePostgresURL(databaseURL)
	if err != nil {
		return nil, err
	}
	if maxConns == 0 {
		maxConns = max(16, 4*runtime.GOMAXPROCS(0))
	}
	connector := newPostgresConnector(u, limit)
	pool := sql.OpenDB(boundConnector{connector})
	if limit == 0 { // the SQL of migrations is written by hand, and holds nobody's data
		pool = sql.OpenDB(connector)
	}
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(time.Hour) // to follow the changes of a load balancer
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("PostgreSQL is not answering: %w", err), pool.Close())
	}
	db := bun.NewDB(pool, pgdialect.New(), discardUnknown)
	var addrs []string
	for _, server := range u.servers {
		addrs = append(addrs, server.addr)
	}
	name := fmt.Sprintf("PostgreSQL database %s on %s", u.database, strings.Join(slices.Compact(addrs), ", "))
	return &DB{bun: db, pool: db, name: name, url: databaseURL}, nil
}

// postgresConnector connects to the first server of a URL that takes writes. If none
// does, it connects to one that is read-only, so that pages are still shown.
type postgresConnector struct {
	url    *postgresURL
	config pgdriver.Config
	setUp  string        // the query that a new connection begins with
	drops  *atomic.Int64 // how often every connection so far was given up
}

// newPostgresConnector returns a connector on whose connections a statement may take at
// most limit, or as long as the URL says. If limit is 0, there is none.
func newPostgresConnector(u *postgresURL, limit time.Duration) *postgresConnector {
	c := &postgresConnector{url: u, drops: new(atomic.Int64)}
	c.config = pgdriver.Config{
		User:             u.user,
		Password:         u.password,
		Database:         u.database,
		AppName:          u.application,
		DialTimeout:      5 * time.Second,
		ReadTimeout:      limit + 5*time.Second, // in case the server does not even report its timeout
		WriteTimeout:     5 * time.Second,
		ResetSessionFunc: alive,
		BufferSize:       4096,
		UnsafeStrings:    true, // setUp makes them safe
	}
	if u.dialTimeout > 0 {
		c.config.DialTimeout = u.dialTimeout
	}
	if u.readTimeout > 0 {
		c.config.ReadTimeout = u.readTimeout
	}
	if limit == 0 {
		c.config.ReadTimeout = 0
	}

	settings := map[string]string{"lock_timeout": "0"}
	maps.Copy(settings, u.settings)
	if _, chosen := settings["statement_timeout"]; !chosen || limit == 0 {
		settings["statement_timeout"] = fmt.Sprint(limit.Milliseconds())
	}
	c.setUp = "SELECT set_config(name, value, false) FROM (VALUES " + fixedSettings + ") AS fixed (name, value) WHERE current_setting(name, true) IS NOT NULL"
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !strings.Contains(strings.ToLower(fixedSettings), "'"+name+"'") {
			c.setUp += fmt.Sprintf(" UNION ALL SELECT set_config(%s, %s, false)", quoted(name), quoted(settings[name]))
		}
	}
	return c
}

// quoted returns s as a string of SQL, whatever standard_conforming_strings is.
func quoted(s string) string {
	return "E'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(s) + "'"
}

// Driver implements [driver.Connector].
func (c *postgresConnector) Driver() driver.Driver { return pgdriver.NewDriver() }

// Connect implements [driver.Connector].
func (c *postgresConnector) Connect(ctx context.Context) (driver.Conn, error) {
	var failures []string
	var last error
	var readOnly *postgresConn
	for _, server := range c.url.servers {
		conn, err := c.connect(ctx, server)
		if err == nil {
			if !conn.readOnly {
				if readOnly != nil {
					_ = readOnly.Close()
				}
				return conn, nil
			}
			if readOnly == nil {
				readOnly = conn
			} else {
				_ = conn.Close()
			}
			continue
		}
		last = err
		if text := err.Error(); !slices.Contains(failures, text) {
			failures = append(failures, text)
		}
		var answer pgdriver.Error
		if ctx.Err() != nil || errors.As(err, &answer) && slices.Contains([]string{"28P01", "3D000", "42501", "42704", "22023"}, answer.Field('C')) {
			break // any other way leads to the same answer
		}
	}
	if readOnly != nil {
		return readOnly, nil
	}
	if len(failures) == 1 {
		return nil, last
	}
	return nil, fmt.Errorf("%s; %w", strings.Join(failures[:len(failures)-1], "; "), last)
}

// connect connects to one server and makes the session what the program depends on.
func (c *postgresConnector) connect(ctx context.Context, server postgresServer) (_ *postgresConn, err error) {
	config := c.config
	config.Network, config.Addr, config.TLSConfig = server.network, server.addr, server.tls
	var dialed net.Conn
	defer func() {
		if err != nil && dialed != nil {
			_ = dialed.Close() // the driver leaves it open
		}
	}()
	config.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		tcp, err := (&net.Dialer{Timeout: config.DialTimeout, KeepAlive: 5 * time.Minute}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		dialed = conn{tcp}
		return dialed, nil
	}
	drops := c.drops.Load()
	opened, err := pgdriver.NewConnector(pgdriver.WithConfig(&config)).Connect(ctx)
	if err != nil {
		return nil, withAdvice(err, server)
	}
	own := &postgresConn{Conn: opened.(*pgdriver.Conn), drops: c.drops, before: drops, opened: time.Now()}
	if _, err := own.Conn.ExecContext(ctx, c.setUp, nil); err != nil {
		return nil, withAdvice(err, server)
	}
	own.readOnly, err = own.isReadOnly(ctx, "")
	return own, err
}

// withAdvice adds to an error what to change in the database URL.
func withAdvice(err error, server postgresServer) error {
	var answer pgdriver.Error
	var unknown x509.UnknownAuthorityError
	errors.As(err, &answer)
	advice := ""
	switch {
	case strings.HasSuffix(err.Error(), "SSL is not enabled on the server"):
		return fmt.Errorf("%s offers no TLS: add sslmode=disable to the database URL if nobody else can read the network in between", server.addr)
	case errors.As(err, &unknown):
		advice = "name the authority's certificate by sslrootcert=FILE in the database URL"
	case answer.Field('C') == "28000" && strings.Contains(answer.Field('M'), "no encryption"):
		advice = "add sslmode=require to the database URL"
	case answer.Field('C') == "42704":
		advice = "remove that parameter from the database URL"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, advice)
}

// postgresConn is a connection that database/sql drops once its server takes no writes,
// such as after a fail-over.
type postgresConn struct {
	*pgdriver.Conn
	opened   time.Time
	readOnly bool // its server took no writes then
	drops    *atomic.Int64
	before   int64 // the value of drops then
}

// isReadOnly runs a query and reports whether the server then takes no writes. On a
// standby, transactions are always read-only.
func (c *postgresConn) isReadOnly(ctx context.Context, query string) (bool, error) {
	rows, err := c.Conn.QueryContext(ctx, query+"SHOW transaction_read_only", nil)
	if err != nil {
		return false, err
	}
	value := make([]driver.Value, 1)
	err = errors.Join(rows.Next(value), rows.Close())
	return value[0] == "on", err
}

// ResetSession implements [driver.SessionResetter].
func (c *postgresConn) ResetSession(ctx context.Context) error {
	if c.before != c.drops.Load() || c.readOnly && time.Since(c.opened) > readOnlyLife {
		return driver.ErrBadConn
	}
	return c.Conn.ResetSession(ctx)
}

// ExecContext implements [driver.ExecerContext].
func (c *postgresConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.Conn.ExecContext(ctx, query, args)
	return result, c.dropIfReadOnly(err)
}

// QueryContext implements [driver.QueryerContext].
func (c *postgresConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, query, args)
	return rows, c.dropIfReadOnly(err)
}

// dropIfReadOnly drops the connection if err says that the server takes no writes
// (PostgreSQL, appendix A: 25006). If it took some before, every connection of the pool
// is dropped. The statement changed nothing, so database/sql repeats it on a new
// connection, unless it is within a transaction.
func (c *postgresConn) dropIfReadOnly(err error) error {
	var answer pgdriver.Error
	errors.As(err, &answer)
	if !errors.Is(err, errReadOnly) && answer.Field('C') != "25006" {
		return err
	}
	if !c.readOnly {
		c.drops.CompareAndSwap(c.before, c.before+1)
	}
	_ = c.Conn.Close()
	return fmt.Errorf("%w: %w", driver.ErrBadConn, errReadOnly)
}

// BeginTx implements [driver.ConnBeginTx]. It begins no transaction on a server that
// no longer takes writes, so database/sql begins it on a new connection.
func (c *postgresConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if c.readOnly || options != (driver.TxOptions{}) {
		return c.Conn.BeginTx(ctx, options)
	}
	if !c.IsValid() {
		return nil, driver.ErrBadConn
	}
	readOnly, err := c.isReadOnly(ctx, "BEGIN; ")
	if err == nil && readOnly {
		err = errReadOnly
	}
	if err != nil {
		_ = c.Conn.Close() // a transaction may have begun
		return nil, c.dropIfReadOnly(err)
	}
	return postgresTx{c.Conn}, nil
}

// postgresTx is a transaction. As in the driver, its end waits for the server whatever
// became of the request.
type postgresTx struct{ conn *pgdriver.Conn }

// Commit implements [driver.Tx].
func (tx postgresTx) Commit() error { return tx.end("COMMIT") }

// Rollback implements [driver.Tx].
func (tx postgresTx) Rollback() error { return tx.end("ROLLBACK") }

func (tx postgresTx) end(query string) error {
	_, err := tx.conn.ExecContext(context.Background(), query, nil)
	return err
}
