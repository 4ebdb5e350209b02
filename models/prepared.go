package models

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
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
	if p.db.Postgres() { // its connections keep what they have prepared
		return p.db.pool.DB.QueryContext(ctx, query, p.args...)
	}
	stmt, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, p.args...)
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
