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
	begins bool   // the next statement begins a transaction
	failed bool   // it did not
	ending string // the statements that come with the transaction's commit
}

// errNotBegun says that a transaction's first statement failed, perhaps with the
// BEGIN before it, so that nothing else may be done in it.
var errNotBegun = errors.New("the transaction has failed at its first statement")

// BeginTx is that of [driver.ConnBeginTx]. The transaction begins with its first
// statement, in the same message: a way to PostgreSQL and back less.
func (c *connection) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts != (driver.TxOptions{}) {
		if _, err := c.Conn.BeginTx(ctx, opts); err != nil {
			return nil, err
		}
		return transaction{c}, nil
	}
	if !c.IsValid() {
		return nil, driver.ErrBadConn
	}
	c.begins = true
	return transaction{c}, nil
}

// send has execute send query, with the BEGIN that may have to come before it.
func (c *connection) send(query string, execute func(query string) error) error {
	switch {
	case c.failed:
		return errNotBegun
	case !c.begins:
		return execute(query)
	}
	c.begins = false
	err := execute("BEGIN; " + query)
	c.failed = err != nil
	return err
}

// atEnd is the key in the context of statements, each with its semicolon, that are
// to go with the commit of their transaction, in one message: they fail there.
type atEnd struct{}

// ExecContext is that of [driver.ExecerContext].
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	if ctx.Value(atEnd{}) != nil {
		c.ending += query
		return driver.ResultNoRows, nil
	}
	err = c.send(query, func(query string) (err error) {
		result, err = c.Conn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

// QueryContext is that of [driver.QueryerContext].
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	err = c.send(query, func(query string) (err error) {
		rows, err = c.Conn.QueryContext(ctx, query, args)
		return err
	})
	return rows, err
}

// start begins a transaction that is to begin, for what is no simple statement.
func (c *connection) start(ctx context.Context) error {
	if !c.begins && !c.failed {
		return nil
	}
	_, err := c.ExecContext(ctx, "", nil)
	return err
}

type transaction struct{ conn *connection }

// Commit is that of [driver.Tx].
func (tx transaction) Commit() error {
	c := tx.conn
	switch {
	case c.failed:
		return errors.Join(errNotBegun, tx.Rollback())
	case c.ending == "":
		return tx.end("COMMIT")
	}
	// PostgreSQL does not go on to the COMMIT after a statement that fails.
	if _, err := c.ExecContext(context.Background(), c.ending+"COMMIT", nil); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	c.ending = ""
	return nil
}

// Rollback is that of [driver.Tx].
func (tx transaction) Rollback() error { return tx.end("ROLLBACK") }

func (tx transaction) end(command string) error {
	c := tx.conn
	nothing := c.begins // was done in it
	c.begins, c.failed, c.ending = false, false, ""
	if nothing {
		return nil
	}
	_, err := c.ExecContext(context.Background(), command, nil)
	return err
}

// PrepareContext is that of [driver.ConnPrepareContext].
func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.start(ctx); err != nil {
		return nil, err
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
	if err := s.conn.start(ctx); err != nil {
		return nil, err
	}
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, s.conn.closeAfter(err)
}

// QueryContext is that of [driver.StmtQueryContext].
func (s statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.start(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	return rows, s.conn.closeAfter(err)
}

// Close is that of [driver.Stmt].
func (s statement) Close() error { return s.conn.closeAfter(s.Stmt.Close()) }
