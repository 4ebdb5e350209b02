package models

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// purgeBatch is how many rows one statement deletes: few, so that it holds no lock
// and no core for long. On SQLite, which works within the program, it keeps all
// other writers waiting.
func (db *DB) purgeBatch() int {
	if db.Postgres() {
		return 500
	}
	return 20
}

// Purge deletes the expired sessions and tokens, the browsers not seen for
// BrowserLife, the invitations expired for longer than they are kept, the
// throttles that count no more and the events older than retention, and returns
// how many rows that were. It takes its time: two thirds of it are left to others.
func (db *DB) Purge(ctx context.Context, retention time.Duration) (int, error) {
	total, batch := 0, db.purgeBatch()
	for _, expired := range []struct {
		model   any
		key, at string
		bound   time.Time
	}{
		{(*Session)(nil), "id", "expires_at", now()},
		{(*Token)(nil), "id", "expires_at", now()},
		{(*Browser)(nil), "token_hash", "seen_at", now().Add(-BrowserLife)},
		{(*Invitation)(nil), "id", "expires_at", now().Add(-invitationKept)},
		{(*Throttle)(nil), "key", "forget_at", now()},
		{(*Event)(nil), "id", "created_at", now().Add(-retention)},
	} {
		at := bun.Ident(expired.at)
		// In the order of the index, each batch from where the last one ended:
		// PostgreSQL would else look through the whole table, or again and again
		// through the rows deleted so far, which stay until a vacuum.
		for from := (time.Time{}); ; {
			start := time.Now()
			oldest := db.bun.NewSelect().Model(expired.model).Column(expired.key).
				Where("? BETWEEN ? AND ?", at, from, expired.bound).OrderExpr("?", at).Limit(int64(batch))
			var deleted []time.Time
			if _, err := db.bun.NewDelete().Model(expired.model).Where("? IN (?)", bun.Ident(expired.key), oldest).
				Where("? <= ?", at, expired.bound). // again: a browser's key is also that of others
				Returning("?", at).Exec(ctx, &deleted); err != nil {
				return total, err
			}
			total += len(deleted)
			if len(deleted) < batch {
				break
			}
			slices.SortFunc(deleted, time.Time.Compare)
			from = deleted[batch-1] // not the last: it may be that of another with the same key
			select {
			case <-ctx.Done():
				return total, ctx.Err()
			case <-time.After(2 * time.Since(start)):
			}
		}
	}
	return total, nil
}
