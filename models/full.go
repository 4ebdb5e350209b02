package models

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// FullError means that an owner has as many rows of a table as allowed.
type FullError struct{ Most int }

func (e *FullError) Error() string { return fmt.Sprintf("there are %d already", e.Most) }

// insertUpTo stores a row, a pointer to its model, unless its owner has most rows
// already. Column holds the id of the owner, such as "user_id". It returns a *FullError
// if there are too many. On PostgreSQL, inserts at the same moment may exceed most by a
// few.
func (db *DB) insertUpTo(ctx context.Context, most int, column string, owner uuid.UUID, row any) error {
	return db.InTx(ctx, func(tx *DB) error {
		owned := tx.bun.NewSelect().Model(row).Where("? = ?", bun.Ident(column), owner)
		if err := requireRoom(ctx, most, owned); err != nil {
			return err
		}
		_, err := tx.bun.NewInsert().Model(row).Exec(ctx)
		return err
	})
}

// requireRoom returns a *FullError if there are most rows already.
func requireRoom(ctx context.Context, most int, rows *bun.SelectQuery) error {
	n, err := rows.Count(ctx)
	if err == nil && int(n) >= most {
		err = &FullError{most}
	}
	return err
}
