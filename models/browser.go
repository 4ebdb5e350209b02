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

	TrustedUntil time.Time `bun:",nullzero"` // not asked for a second factor before that
	UserAgent    string    // if it is trusted
}

// Key identifies the browser among those of its user.
func (b *Browser) Key() string { return hex.EncodeToString(b.TokenHash[:8]) }

// BrowserLife is how long a browser is remembered: as long as browsers keep a
// cookie (RFC 6265bis, section 5.5).
const BrowserLife = 400 * 24 * time.Hour

// maxBrowsers is how many browsers of a user are remembered. A new one beyond that
// replaces the one last seen longest ago.
const maxBrowsers = 100

// RememberBrowser records that user signed in from the browser whose cookie holds
// secret, and returns a new secret for its cookie: somebody who used the browser before
// may have copied the old one. The user gets an email about a new browser unless quiet, as
// at sign-up.
func (db *DB) RememberBrowser(ctx context.Context, user *User, secret string, notice MailDetail, quiet bool) (string, error) {
	old, known := hashSecret(secret)
	secret, hash := newSecret()
	b := &Browser{UserID: user.ID, TokenHash: hash, SeenAt: now()}
	return secret, db.InTx(ctx, func(tx *DB) error {
		if known { // by user, or by others who share the browser
			_, err := tx.bun.NewUpdate().Model((*Browser)(nil)).Set("token_hash = ?", hash).Where("token_hash = ?", old).Exec(ctx)
			if err != nil {
				return err
			}
		}
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
	return (&Browser{TokenHash: hash}).Key(), nil
}

// TrustBrowser records that user isn't asked for a second factor on the browser whose
// cookie will hold secret, for that long. RememberBrowser has just made that secret, so
// nobody else has seen it.
func (db *DB) TrustBrowser(ctx context.Context, user *User, secret, userAgent string, d time.Duration) error {
	hash, _ := hashSecret(secret)
	result, err := db.bun.NewUpdate().Model((*Browser)(nil)).Set("trusted_until = ?", now().Add(d)).
		Set("user_agent = ?", sanitize(userAgent, maxUserAgent)).Where("user_id = ?", user.ID).Where("token_hash = ?", hash).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// trusts reports whether user trusts the browser whose cookie holds secret.
func (db *DB) trusts(ctx context.Context, user *User, secret string) (bool, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return false, nil
	}
	return db.bun.NewSelect().Model((*Browser)(nil)).Where("user_id = ?", user.ID).Where("token_hash = ?", hash).
		Where("trusted_until > ?", now()).Exists(ctx)
}

// TrustedBrowsers lists the browsers that user trusts, last seen first.
func (db *DB) TrustedBrowsers(ctx context.Context, user uuid.UUID) ([]Browser, error) {
	var browsers []Browser
	err := db.bun.NewSelect().Model(&browsers).Where("user_id = ?", user).Where("trusted_until > ?", now()).Order("seen_at DESC").Scan(ctx)
	return browsers, err
}

// UntrustBrowser ends the trust in the browser of user with that key. It returns
// ErrNotFound if user doesn't trust it.
func (db *DB) UntrustBrowser(ctx context.Context, user uuid.UUID, key string) error {
	browsers, err := db.TrustedBrowsers(ctx, user)
	if err != nil {
		return err
	}
	for _, b := range browsers {
		if b.Key() == key {
			return db.untrust(ctx, db.bun.NewUpdate().Where("user_id = ?", user).Where("token_hash = ?", b.TokenHash))
		}
	}
	return ErrNotFound
}

// UntrustBrowsers ends the trust of user in every browser but the one whose cookie holds
// keep, which may be empty.
func (db *DB) UntrustBrowsers(ctx context.Context, user uuid.UUID, keep string) error {
	query := db.bun.NewUpdate().Where("user_id = ?", user)
	if hash, ok := hashSecret(keep); ok {
		query = query.Where("token_hash <> ?", hash)
	}
	return db.untrust(ctx, query)
}

func (db *DB) untrust(ctx context.Context, query *bun.UpdateQuery) error {
	_, err := query.Model((*Browser)(nil)).Set("trusted_until = NULL").Set("user_agent = ''").Exec(ctx)
	return err
}
