package models

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"
)

// prepared is a connection for a select that many requests make. The database
// parses and plans it once per connection; unprepared, finding a session takes
// 2 to 3 times as long on both databases. The query must be the same each time:
// values that change go into args, and db.parameter(1) stands for the first of
// them. Inside a transaction it runs on the transaction's connection.
type prepared struct {
	bun.IConn
	db   *DB
	args []any
}

func (db *DB) prepared(args ...any) prepared { return prepared{db.bun, db, args} }

// QueryContext runs a query built by Bun.
func (p prepared) QueryContext(ctx context.Context, query string, _ ...any) (*sql.Rows, error) {
	if tx, ok := p.db.bun.(bun.Tx); ok { // it has a connection, and must not wait for a second one
		return tx.Tx.QueryContext(ctx, query, p.args...)
	}
	stmt, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, p.args...)
	if isOutdated(err) {
		if p.db.statements.CompareAndDelete(query, stmt) {
			_ = stmt.Close() // waits for its running queries
		}
		if stmt, err = p.statement(ctx, query); err != nil {
			return nil, err
		}
		rows, err = stmt.QueryContext(ctx, p.args...)
	}
	return rows, err
}

func (p prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	kept, ok := p.db.statements.Load(query)
	if !ok {
		stmt, err := p.db.pool.DB.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		if kept, ok = p.db.statements.LoadOrStore(query, stmt); ok { // another request got here first
			_ = stmt.Close()
		}
	}
	stmt, _ := kept.(*sql.Stmt)
	return stmt, nil
}

// isOutdated reports whether a migration has changed a column's type since the
// statement was prepared (PostgreSQL, appendix A: feature not supported).
func isOutdated(err error) bool {
	var pgErr pgdriver.Error
	return errors.As(err, &pgErr) && pgErr.Field('C') == "0A000"
}

// parameter returns the placeholder of the nth argument of a prepared query,
// counted from 1.
func (db *DB) parameter(n int) bun.Safe {
	if db.Postgres() {
		return bun.Safe("$" + strconv.Itoa(n))
	}
	return bun.Safe("?" + strconv.Itoa(n))
}

// timeArg returns t as an argument of a prepared query, formatted as Bun stores it.
func (db *DB) timeArg(t time.Time) string {
	return strings.Trim(string(db.pool.Dialect().AppendTime(nil, t)), "'")
}
