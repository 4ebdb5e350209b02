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
	return connection{conn.(*pgdriver.Conn)}, nil
}

type connection struct{ *pgdriver.Conn }

// PrepareContext is that of [driver.ConnPrepareContext].
func (c connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, c.closeAfter(err)
	}
	return statement{stmt, c}, nil
}

// closeAfter closes the connection, unless err is an answer of PostgreSQL's, and
// returns err.
func (c connection) closeAfter(err error) error {
	if err != nil && !errors.As(err, new(pgdriver.Error)) {
		_ = c.Close() // err says what went wrong
	}
	return err
}

type statement struct {
	driver.Stmt
	conn connection
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
