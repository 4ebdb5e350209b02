package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// A Purpose is what a mailed token is good for, and for nothing else.
type Purpose string

// The purposes of tokens.
const (
	VerifyEmail   Purpose = "verify-email"
	ChangeEmail   Purpose = "change-email"
	ResetPassword Purpose = "reset-password"
)

// lifetime is how long a token of that purpose is good.
func (p Purpose) lifetime() time.Duration {
	if p == ResetPassword {
		return time.Hour
	}
	return 24 * time.Hour
}

// Token is a right that a mailed link gives, once and for one address.
type Token struct {
	bun.BaseModel `bun:"table:tokens,alias:t"`

	ID        uuid.UUID `bun:",pk"`
	UserID    uuid.UUID
	Purpose   Purpose
	Email     string // the address that the link goes to
	TokenHash []byte
	CreatedAt time.Time
	ExpiresAt time.Time

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// CreateToken makes a token for user, to be sent to email, and returns what goes
// into the link. An older one of the same purpose is void from then on. If it is
// for a queued mail m, it returns ErrNotFound when that was taken out of the
// queue meanwhile, as a change of the password does; m may be nil.
func (db *DB) CreateToken(ctx context.Context, m *Mail, user *User, purpose Purpose, email string) (string, error) {
	secret, hash := newSecret()
	t := now()
	token := &Token{
		ID:        newID(),
		UserID:    user.ID,
		Purpose:   purpose,
		Email:     email,
		TokenHash: hash,
		CreatedAt: t,
		ExpiresAt: t.Add(purpose.lifetime()),
	}
	return secret, db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, user.ID); err != nil {
			return err
		}
		if m != nil {
			queued, err := tx.bun.NewSelect().Model(m).WherePK().Exists(ctx)
			if err != nil {
				return err
			}
			if !queued {
				return ErrNotFound
			}
		}
		if err := tx.deleteTokens(ctx, user.ID, purpose); err != nil {
			return err
		}
		_, err := tx.bun.NewInsert().Model(token).Exec(ctx)
		return err
	})
}

// TokenBySecret finds the living token of that secret and one of the purposes,
// with its user, and leaves it as it is. It returns ErrNotFound when there is
// none.
func (db *DB) TokenBySecret(ctx context.Context, secret string, purposes ...Purpose) (*Token, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil, ErrNotFound
	}
	token := new(Token)
	err := db.bun.NewSelect().Model(token).Relation("User").
		Where("t.token_hash = ?", hash).Where("t.purpose IN (?)", bun.List(purposes)).
		Where("t.expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return token, nil
}

// useToken deletes token. Of two who use it at once, one gets ErrNotFound.
func (db *DB) useToken(ctx context.Context, token *Token) error {
	result, err := db.bun.NewDelete().Model(token).WherePK().Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

func (db *DB) deleteTokens(ctx context.Context, user uuid.UUID, purposes ...Purpose) error {
	_, err := db.bun.NewDelete().Model((*Token)(nil)).Where("user_id = ?", user).Where("purpose IN (?)", bun.List(purposes)).Exec(ctx)
	return err
}
