package models

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Browser is a browser that a user has signed in from. A long-lived cookie
// identifies it; the cookie grants no access.
type Browser struct {
	bun.BaseModel `bun:"table:browsers,alias:b"`

	UserID    uuid.UUID `bun:",pk"`
	TokenHash []byte    `bun:",pk"`
	SeenAt    time.Time // at the last sign-in
}

// BrowserLife is how long a browser is remembered: as long as browsers keep a
// cookie (RFC 6265bis, section 5.5).
const BrowserLife = 400 * 24 * time.Hour

// maxBrowsers is how many browsers of a user are remembered. A new one beyond that
// replaces the one last seen longest ago.
const maxBrowsers = 100

// RememberBrowser records that user signed in from the browser whose cookie holds
// secret, and returns the secret for its cookie: a new one if the browser had none.
// The user gets an email about a new browser unless quiet, as at sign-up.
func (db *DB) RememberBrowser(ctx context.Context, user *User, secret string, notice MailDetail, quiet bool) (string, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		secret, hash = newSecret()
	}
	b := &Browser{UserID: user.ID, TokenHash: hash, SeenAt: now()}
	return secret, db.InTx(ctx, func(tx *DB) error {
		result, err := tx.bun.NewInsert().Model(b).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		switch {
		case err != nil:
			return err
		case n == 0: // seen before
			_, err := tx.bun.NewUpdate().Model(b).WherePK().Column("seen_at").Exec(ctx)
			return err
		}
		last := tx.bun.NewSelect().Model((*Browser)(nil)).Column("seen_at").Where("user_id = ?", user.ID).
			Order("seen_at DESC").Offset(maxBrowsers).Limit(1)
		_, err = tx.bun.NewDelete().Model((*Browser)(nil)).Where("user_id = ?", user.ID).Where("seen_at <= (?)", last).Exec(ctx)
		if err != nil || quiet {
			return err
		}
		return tx.mailUser(ctx, user, MailNewBrowser, notice)
	})
}

// Browsers lists the browsers that user has signed in from, last seen first.
func (db *DB) Browsers(ctx context.Context, user uuid.UUID) ([]Browser, error) {
	var browsers []Browser
	err := db.bun.NewSelect().Model(&browsers).Where("user_id = ?", user).Order("seen_at DESC").Scan(ctx)
	return browsers, err
}

func (db *DB) deleteBrowsers(ctx context.Context, user *User) error {
	_, err := db.bun.NewDelete().Model((*Browser)(nil)).Where("user_id = ?", user.ID).Exec(ctx)
	return err
}

// KnownBrowser returns an identifier of the browser whose cookie holds secret if
// user has signed in from it before, or "" otherwise.
func (db *DB) KnownBrowser(ctx context.Context, user *User, secret string) (string, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return "", nil
	}
	known, err := db.bun.NewSelect().Model((*Browser)(nil)).Where("user_id = ?", user.ID).Where("token_hash = ?", hash).Exists(ctx)
	if !known || err != nil {
		return "", err
	}
	return hex.EncodeToString(hash[:8]), nil
}
