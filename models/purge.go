package models

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// purgeBatch keeps each delete short, so that a large purge holds no lock long.
const purgeBatch = 1000

// Purge deletes the expired sessions and tokens, the browsers not seen for
// BrowserLife, the throttles that count no more and the events older than retention, and returns how many rows that
// were.
func (db *DB) Purge(ctx context.Context, retention time.Duration) (int, error) {
	total := 0
	for _, expired := range []struct {
		model      any
		key, where string
		bound      any
	}{
		{(*Session)(nil), "id", "expires_at <= ?", now()},
		{(*Token)(nil), "id", "expires_at <= ?", now()},
		{(*Browser)(nil), "token_hash", "seen_at <= ?", now().Add(-BrowserLife)},
		{(*Invitation)(nil), "id", "expires_at <= ?", now().Add(-invitationKept)},
		{(*Throttle)(nil), "key", "forget_at <= ?", now()},
		{(*Event)(nil), "id", "created_at <= ?", now().Add(-retention)},
	} {
		for {
			batch := db.bun.NewSelect().Model(expired.model).Column(expired.key).
				Where(expired.where, expired.bound).Limit(purgeBatch)
			result, err := db.bun.NewDelete().Model(expired.model).Where("? IN (?)", bun.Ident(expired.key), batch).
				Where(expired.where, expired.bound).Exec(ctx) // again: a browser's key is also that of others
			if err != nil {
				return total, err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return total, err
			}
			total += int(n)
			if n < purgeBatch {
				break
			}
		}
	}
	return total, nil
}
