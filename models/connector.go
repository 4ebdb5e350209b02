package models

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/uptrace/bun/driver/pgdriver"
)

// connector makes connections to PostgreSQL that do not outlive an error of
// theirs. The driver keeps one on which a prepared statement got no answer in
// time, and would read that answer as the one to the next query: one person would
// see what another asked for.
type connector struct{ *pgdriver.Connector }

// Connect is that of [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: conn.(*pgdriver.Conn)}, nil
}

type connection struct {
	*pgdriver.Conn
	begins bool // the next statement begins a transaction
}

// BeginTx is that of [driver.ConnBeginTx]. The transaction begins with its first
// statement, in the same message: a way to PostgreSQL and back less.
func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts != (driver.TxOptions{}) {
		return c.Conn.BeginTx(ctx, opts)
	}
	if !c.IsValid() {
		return nil, driver.ErrBadConn
	}
	c.begins = true
	return transaction{c}, nil
}

// begun is query, with what has to come before it.
func (c *connection) begun(query string) string {
	if c.begins {
		c.begins = false
		return "BEGIN; " + query
	}
	return query
}

// ExecContext is that of [driver.ExecerContext].
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.ExecContext(ctx, c.begun(query), args)
}

// QueryContext is that of [driver.QueryerContext].
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.QueryContext(ctx, c.begun(query), args)
}

type transaction struct{ conn *connection }

// Commit is that of [driver.Tx].
func (tx transaction) Commit() error { return tx.end("COMMIT") }

// Rollback is that of [driver.Tx].
func (tx transaction) Rollback() error { return tx.end("ROLLBACK") }

func (tx transaction) end(command string) error {
	if tx.conn.begins { // nothing was done in it
		tx.conn.begins = false
		return nil
	}
	_, err := tx.conn.ExecContext(context.Background(), command, nil)
	return err
}

// PrepareContext is that of [driver.ConnPrepareContext].
func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.begins {
		if _, err := c.ExecContext(ctx, "", nil); err != nil {
			return nil, err
		}
	}
	stmt, err := c.Conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.closeAfter(err)
	}
	return statement{stmt, c}, nil
}

// closeAfter closes the connection, unless err is an answer of PostgreSQL's, and
// returns err.
func (c *connection) closeAfter(err error) error {
	if err != nil && !errors.As(err, new(pgdriver.Error)) {
		_ = c.Close() // err says what went wrong
	}
	return err
}

type statement struct {
	driver.Stmt
	conn *connection
}

// ExecContext is that of [driver.StmtExecContext].
func (s statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, s.conn.closeAfter(err)
}

// QueryContext is that of [driver.StmtQueryContext].
func (s statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	return rows, s.conn.closeAfter(err)
}

// Close is that of [driver.Stmt].
func (s statement) Close() error { return s.conn.closeAfter(s.Stmt.Close()) }
