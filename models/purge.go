package models

import (
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// purgeBatch returns how many rows one statement deletes: few, so that it holds no
// lock for long. On SQLite all other writers wait for it.
func (db *DB) purgeBatch() int {
	if db.Postgres() {
		return 500
	}
	return 20
}

// Purge deletes expired sessions, tokens, codes, waiting sign-ins, passkey ceremonies and
// recoveries, former addresses of FormerEmailLife, authorizations, browsers not seen for BrowserLife,
// invitations that expired more than invitationRetention ago, expired throttles, old
// refused mail and events older than retention. It returns the number of deleted rows.
// It pauses between batches. On SQLite it also empties the write-ahead log.
func (db *DB) Purge(ctx context.Context, retention time.Duration) (int, error) {
	total, batch := 0, db.purgeBatch()
	for _, expired := range []struct {
		model   any
		key, at string
		bound   time.Time
	}{
		{(*Session)(nil), "id", "expires_at", now()},
		{(*Token)(nil), "id", "expires_at", now()},
		{(*Code)(nil), "id", "expires_at", now()},
		{(*SignIn)(nil), "id", "expires_at", now()},
		{(*PasskeyCeremony)(nil), "challenge", "expires_at", now()},
		{(*Recovery)(nil), "user_id", "expires_at", now()},
		{(*FormerEmail)(nil), "id", "replaced_at", now().Add(-FormerEmailLife)},
		{(*Authorization)(nil), "state_hash", "expires_at", now()},
		{(*Browser)(nil), "token_hash", "seen_at", now().Add(-BrowserLife)},
		{(*Invitation)(nil), "id", "expires_at", now().Add(-invitationRetention)},
		{(*SiteInvitation)(nil), "id", "expires_at", now().Add(-invitationRetention)},
		{(*Throttle)(nil), "key", "forget_at", now()},
		{(*RefusedMail)(nil), "id", "refused_at", now().Add(-refusedMailLife)},
		{(*Event)(nil), "id", "created_at", now().Add(-retention)},
	} {
		at := bun.Ident(expired.at)
		// Each batch starts where the last one ended, in index order. Otherwise
		// PostgreSQL would scan the whole table, or scan the rows deleted so far
		// again and again, as they stay until a vacuum.
		for from := (time.Time{}); ; {
			start := time.Now()
			oldest := db.bun.NewSelect().Model(expired.model).Column(expired.key).
				Where("? BETWEEN ? AND ?", at, from, expired.bound).OrderExpr("?", at).Limit(int64(batch))
			var deleted []time.Time
			if _, err := db.bun.NewDelete().Model(expired.model).Where("? IN (?)", bun.Ident(expired.key), oldest).
				Where("? <= ?", at, expired.bound). // again, as a browser's token_hash may be in other rows too
				Returning("?", at).Exec(ctx, &deleted); err != nil {
				return total, err
			}
			total += len(deleted)
			if len(deleted) < batch {
				break
			}
			slices.SortFunc(deleted, time.Time.Compare)
			from = deleted[batch-1] // not the last, which may be of another row with the same key
			if err := pauseSince(ctx, start); err != nil {
				return total, err
			}
		}
	}
	return total, db.truncateWAL(ctx)
}

// truncateWAL empties SQLite's write-ahead log, which holds earlier versions of pages,
// and so people who were deleted. It gives up at once if somebody reads or writes, until
// the next purge.
func (db *DB) truncateWAL(ctx context.Context) error {
	if db.Postgres() {
		return nil
	}
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return err
	}
	// Not to the pool again, where other statements wait for a lock.
	defer conn.Raw(func(any) error { return driver.ErrBadConn })
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	var busy, pages, moved int
	return conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
}

// pauseSince pauses twice as long as the work since start took, and so leaves two thirds of
// the time to others. It returns ctx's error if that ends first.
func pauseSince(ctx context.Context, start time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Since(start)):
		return nil
	}
}
