package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// PurgeUnconfirmed deletes the accounts that have waited longer than retention for their
// email address to be confirmed, which frees their names and addresses. It deletes what
// DeleteUser does, and records an event for each. It returns their number. A retention
// of zero keeps them all.
//
// An account that confirmed any address stays. So do disabled ones, or their owners could
// sign up again, and the last owners of organizations with other members.
//
// The time of an account begins when it is created, or when PurgeUnconfirmed first sees
// one of an earlier version.
func (db *DB) PurgeUnconfirmed(ctx context.Context, retention time.Duration) (int, error) {
	if retention == 0 {
		return 0, nil
	}
	if err := db.startUnconfirmed(ctx); err != nil {
		return 0, err
	}
	total, bound, last := 0, now().Add(-retention), User{}
	for {
		var due []User
		err := db.bun.NewSelect().Model(&due).Column("id", "unconfirmed_since").
			Where("verified_at IS NULL").Where("disabled_at IS NULL").Where("unconfirmed_since <= ?", bound).
			Where("(unconfirmed_since, id) > (?, ?)", last.UnconfirmedSince, last.ID).
			Order("unconfirmed_since", "id").Limit(int64(db.purgeBatch())).Scan(ctx)
		if err != nil || len(due) == 0 {
			return total, err
		}
		for _, last = range due {
			start := time.Now()
			switch err := db.deleteUnconfirmed(ctx, last.ID); {
			case errors.Is(err, ErrNotFound), errors.As(err, new(*LastOwnerError)):
			case err != nil:
				return total, err
			default:
				total++
			}
			if err := pauseSince(ctx, start); err != nil {
				return total, err
			}
		}
	}
}

// startUnconfirmed begins the time of the accounts of an earlier version.
func (db *DB) startUnconfirmed(ctx context.Context) error {
	for batch := db.purgeBatch(); ; {
		start := time.Now()
		waiting := db.bun.NewSelect().Model((*User)(nil)).Column("id").
			Where("verified_at IS NULL").Where("unconfirmed_since IS NULL").Limit(int64(batch))
		result, err := db.bun.NewUpdate().Model((*User)(nil)).Set("unconfirmed_since = ?", now()).
			Where("id IN (?)", waiting).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n < int64(batch) {
			return err
		}
		if err := pauseSince(ctx, start); err != nil {
			return err
		}
	}
}

// deleteUnconfirmed deletes a user. It returns ErrNotFound if they were deleted, confirmed
// an address or were disabled in the meantime, and a *LastOwnerError if an organization
// with other members would be left without an owner.
func (db *DB) deleteUnconfirmed(ctx context.Context, id uuid.UUID) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, id)
		if err != nil {
			return err
		}
		if u.Verified() || u.Disabled() {
			return ErrNotFound
		}
		if err := tx.deleteLocked(ctx, u); err != nil {
			return err
		}
		return tx.Record(ctx, Event{Kind: EventUnconfirmed, UserID: u.ID})
	})
}
