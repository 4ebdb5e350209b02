package models

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Browser is one from which a user has signed in. It holds a long-lived cookie
// by which it is known again; the cookie opens nothing.
type Browser struct {
	bun.BaseModel `bun:"table:browsers,alias:b"`

	UserID    uuid.UUID `bun:",pk"`
	TokenHash []byte    `bun:",pk"`
	SeenAt    time.Time // at the last sign-in
}

// BrowserLife is how long a browser is known again: as long as browsers keep a
// cookie (RFC 6265bis, 5.5).
const BrowserLife = 400 * 24 * time.Hour

// RememberBrowser notes that user signed in from the browser with that mark,
// and returns the mark that its cookie is to hold: a new one when the browser
// had none. The user gets a mail about a browser never seen before, unless
// quietly, as at sign-up.
func (db *DB) RememberBrowser(ctx context.Context, user *User, mark string, notice MailDetail, quietly bool) (string, error) {
	hash, ok := hashSecret(mark)
	if !ok {
		mark, hash = newSecret()
	}
	b := &Browser{UserID: user.ID, TokenHash: hash, SeenAt: now()}
	return mark, db.InTx(ctx, func(tx *DB) error {
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
		case quietly:
			return nil
		}
		return tx.mailUser(ctx, user, MailNewBrowser, notice)
	})
}

// Browsers lists the browsers from which user has signed in, the last seen
// first.
func (db *DB) Browsers(ctx context.Context, user uuid.UUID) ([]Browser, error) {
	var browsers []Browser
	err := db.bun.NewSelect().Model(&browsers).Where("user_id = ?", user).Order("seen_at DESC").Scan(ctx)
	return browsers, err
}

func (db *DB) forgetBrowsers(ctx context.Context, user *User) error {
	_, err := db.bun.NewDelete().Model((*Browser)(nil)).Where("user_id = ?", user.ID).Exec(ctx)
	return err
}

// KnownBrowser returns a name for the browser with that mark if user has signed
// in from it before, else nothing.
func (db *DB) KnownBrowser(ctx context.Context, user *User, mark string) (string, error) {
	hash, ok := hashSecret(mark)
	if !ok {
		return "", nil
	}
	known, err := db.bun.NewSelect().Model((*Browser)(nil)).Where("user_id = ?", user.ID).Where("token_hash = ?", hash).Exists(ctx)
	if !known || err != nil {
		return "", err
	}
	return hex.EncodeToString(hash[:8]), nil
}
