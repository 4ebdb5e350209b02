package models

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"
)

// maxSearch is the length of a search text in bytes; the rest is ignored. A search
// compares it at each position of every text, so a long one takes long.
const maxSearch = 100

// searchTimeout limits one search.
const searchTimeout = 2 * time.Second

// ErrSlowSearch means that a search was stopped after searchTimeout.
var ErrSlowSearch = errors.New("the search took too long")

// searchKey returns the text that a search looks for, as Key folds it, or "" if there
// is none.
func searchKey(text string) string { return sanitize(Key(sanitize(text, maxSearch)), maxSearch) }

// position returns the name of the function that finds a text in another: 0 means that
// it is not there. For long texts it is up to 60 times as fast as LIKE.
func (db *DB) position() bun.Safe {
	if db.Postgres() {
		return "strpos"
	}
	return "instr"
}

// beginsWith selects what begins with key in column, which may be an expression, in the order
// of an index of it. PostgreSQL needs one with the collation C.
func (db *DB) beginsWith(column, key string) func(*bun.SelectQuery) *bun.SelectQuery {
	compared := bun.Safe("(" + column + ")")
	if db.Postgres() {
		compared += ` COLLATE "C"`
	}
	return func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("? >= ?", compared, key).Where("? < ?", compared, key+string(utf8.MaxRune)).OrderExpr("?", compared)
	}
}

// Search runs find, which may only read, and returns ErrSlowSearch if that takes too
// long. It waits for the end even if ctx is canceled: PostgreSQL would go on with a
// query that nobody waits for, and many of them would use up its connections.
func (db *DB) Search(ctx context.Context, find func(ctx context.Context, db *DB) error) error {
	limit := searchTimeout
	if db.Postgres() {
		limit += time.Second // the server stops first
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var err error
	if db.Postgres() {
		err = db.InTx(ctx, func(tx *DB) error {
			_, err := tx.bun.ExecContext(ctx, "SELECT set_config('statement_timeout', ?, true), set_config('max_parallel_workers_per_gather', '0', true)", searchTimeout.String())
			if err != nil {
				return err
			}
			return find(ctx, tx)
		})
	} else { // no transaction, which would keep others from writing
		err = find(ctx, db)
	}
	var pgErr pgdriver.Error
	if err != nil && (ctx.Err() != nil || errors.As(err, &pgErr) && pgErr.Field('C') == "57014") { // query canceled
		return ErrSlowSearch
	}
	return err
}
