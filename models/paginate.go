package models

import (
	"iter"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// pageSize is how many rows of a listing are in memory at a time.
const pageSize = 200

// newestBefore selects up to limit rows of a model, newest first, starting after the one with
// the id before unless that is zero.
func newestBefore(before uuid.UUID, limit int64) func(*bun.SelectQuery) *bun.SelectQuery {
	return func(q *bun.SelectQuery) *bun.SelectQuery {
		if before != uuid.Nil {
			q = q.Where("?TableAlias.id < ?", before)
		}
		return q.OrderExpr("?TableAlias.id DESC").Limit(limit)
	}
}

// paginate iterates over rows a page at a time. Read returns the next pageSize
// rows after an id, in ascending or descending order of ids. Iteration ends after
// the first error.
func paginate[T any](read func(after uuid.UUID) ([]T, error), id func(*T) uuid.UUID) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var after uuid.UUID
		for {
			rows, err := read(after)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range rows {
				if !yield(&rows[i], nil) {
					return
				}
			}
			if len(rows) < pageSize {
				return
			}
			after = id(&rows[len(rows)-1])
		}
	}
}
