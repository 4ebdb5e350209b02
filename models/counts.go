package models

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// CountSessions returns how many sessions have not ended.
func (db *DB) CountSessions(ctx context.Context) (int64, error) {
	return db.bun.NewSelect().Model((*Session)(nil)).Where("expires_at > ?", now()).Count(ctx)
}

// MailQueue returns how many mails wait to be sent, and when the first of them was queued.
// Mail scheduled for later doesn't count.
func (db *DB) MailQueue(ctx context.Context) (waiting int64, oldest time.Time, err error) {
	var first bun.NullTime
	err = db.bun.NewSelect().Model((*Mail)(nil)).ColumnExpr("count(*), min(created_at)").
		Where("created_at <= ?", now()).Scan(ctx, &waiting, &first)
	return waiting, first.Time, err
}
