package models

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"
)

// statements are the queries of every request. The database parses and plans
// each once a connection, which is most of what such a query costs it.
type statements struct {
	session statement
}

// statement is a query that is prepared when it is first used: before the
// migrations there are no tables for it.
type statement struct{ prepared atomic.Pointer[sql.Stmt] }

// scan reads the one row of query into model. The query's arguments are
// db.parameter(1) and so on. It returns sql.ErrNoRows when there is no row.
func (s *statement) scan(ctx context.Context, db *DB, query func() *bun.SelectQuery, model any, args ...any) error {
	stmt, err := s.on(ctx, db, query)
	if err != nil {
		return err
	}
	err = db.scan(ctx, stmt, model, args)
	if outdated(err) && db.bun == bun.IDB(db.pool) { // in a transaction nothing more can be asked
		if s.prepared.CompareAndSwap(stmt, nil) {
			_ = stmt.Close() // what runs on it is waited for
		}
		if stmt, err = s.on(ctx, db, query); err != nil {
			return err
		}
		err = db.scan(ctx, stmt, model, args)
	}
	return err
}

// on returns the statement for use on db.
func (s *statement) on(ctx context.Context, db *DB, query func() *bun.SelectQuery) (*sql.Stmt, error) {
	stmt := s.prepared.Load()
	if stmt == nil {
		var err error
		if stmt, err = db.pool.DB.PrepareContext(ctx, query().String()); err != nil {
			return nil, err
		}
		if !s.prepared.CompareAndSwap(nil, stmt) { // another request has prepared it meanwhile
			defer stmt.Close()
			return s.on(ctx, db, query)
		}
	}
	if tx, ok := db.bun.(bun.Tx); ok {
		return tx.Tx.StmtContext(ctx, stmt), nil
	}
	return stmt, nil
}

// outdated tells whether a migration has changed the type of a column since the
// statement was prepared (PostgreSQL, appendix A: feature not supported).
func outdated(err error) bool {
	var pgErr pgdriver.Error
	return errors.As(err, &pgErr) && pgErr.Field('C') == "0A000"
}

// parameter stands for the nth argument of a statement.
func (db *DB) parameter(n int) bun.Safe {
	if db.Postgres() {
		return bun.Safe("$" + strconv.Itoa(n))
	}
	return bun.Safe("?" + strconv.Itoa(n))
}

// instant is t as an argument of a statement: in the form in which Bun stores it.
func (db *DB) instant(t time.Time) string {
	return strings.Trim(string(db.pool.Dialect().AppendTime(nil, t)), "'")
}

func (db *DB) scan(ctx context.Context, stmt *sql.Stmt, model any, args []any) error {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := db.pool.ScanRow(ctx, rows, model); err != nil {
		return err
	}
	return rows.Close()
}
