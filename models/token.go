package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// Purpose is the only thing that an emailed token or code can be used for.
type Purpose string

// The purposes of tokens and codes.
const (
	VerifyEmail   Purpose = "verify-email"
	ChangeEmail   Purpose = "change-email"
	ResetPassword Purpose = "reset-password"

	Recover        Purpose = "recover"         // begins a recovery
	CancelRecovery Purpose = "cancel-recovery" // one for each address that was told
	FinishRecovery Purpose = "finish-recovery"
	ReportChange   Purpose = "report-change" // one for each notice

	SignInByCode Purpose = "sign-in" // of a code alone
)

// lifetime returns how long a token with that purpose is valid.
func (p Purpose) lifetime() time.Duration {
	switch p {
	case ResetPassword, Recover:
		return CodeLife
	case FinishRecovery:
		return RecoveryLife
	case ReportChange:
		return FormerEmailLife
	}
	return 24 * time.Hour
}

// several reports whether a user can have several tokens with that purpose, each for a
// mail of its own.
func (p Purpose) several() bool { return p == CancelRecovery || p == ReportChange }

// Token belongs to an emailed link. It works once, for one address.
type Token struct {
	bun.BaseModel `bun:"table:tokens,alias:t"`

	ID        uuid.UUID `bun:",pk"`
	UserID    uuid.UUID
	Purpose   Purpose
	Email     string // where the link is sent
	TokenHash []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	Detail    TokenDetail `bun:",nullzero"`

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// MaySetPassword reports whether holding the token is enough to set another password
// for user, its user. The link that confirms a first address is: nobody has proved yet
// that the account is theirs. The link that confirms a change isn't: the account belongs
// to the one who asked, who may have mistyped a stranger's address.
func (t *Token) MaySetPassword(user *User) bool {
	switch t.Purpose {
	case ResetPassword:
		return user.EmailKey == text.EmailKey(t.Email)
	case VerifyEmail:
		return user.EmailKey == text.EmailKey(t.Email) && !user.Verified()
	}
	return false
}

// CreateToken creates a token for user, to be sent to email, and returns the secret
// for the link. It voids older tokens with that purpose. If the token is for a
// queued mail m, CreateToken returns ErrNotFound if m was removed from the queue in
// the meantime, as a change of the password does; m may be nil.
func (db *DB) CreateToken(ctx context.Context, m *Mail, user *User, purpose Purpose, email string) (secret string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, user.ID); err != nil {
			return err
		}
		secret, err = tx.insertToken(ctx, m, newToken(user, purpose, email))
		return err
	})
	return secret, err
}

// CreateCancelToken is CreateToken for a notice that r has begun, with a link that cancels
// it as long as r is there.
func (db *DB) CreateCancelToken(ctx context.Context, m *Mail, r *Recovery) (secret string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, r.UserID)
		if err != nil {
			return err
		}
		token := newToken(u, CancelRecovery, m.Recipient)
		token.ExpiresAt = r.ExpiresAt
		secret, err = tx.insertToken(ctx, m, token)
		return err
	})
	return secret, err
}

// newToken returns a token of user without its secret.
func newToken(user *User, purpose Purpose, email string) *Token {
	t := now()
	return &Token{ID: newID(), UserID: user.ID, Purpose: purpose, Email: email, CreatedAt: t, ExpiresAt: t.Add(purpose.lifetime())}
}

// insertToken is CreateToken for a user that is locked. If there can be several tokens with
// that purpose, it voids that of an earlier attempt to send m.
func (db *DB) insertToken(ctx context.Context, m *Mail, token *Token) (secret string, err error) {
	if m != nil {
		if err := db.requireQueued(ctx, m); err != nil {
			return "", err
		}
	}
	if token.Purpose.several() {
		token.ID = m.ID
		_, err = db.bun.NewDelete().Model(token).WherePK().Exec(ctx)
	} else {
		err = db.deleteTokens(ctx, token.UserID, token.Purpose)
	}
	if err != nil {
		return "", err
	}
	secret, token.TokenHash = newSecret()
	_, err = db.bun.NewInsert().Model(token).Exec(ctx)
	return secret, err
}

// requireQueued returns ErrNotFound if m was removed from the queue.
func (db *DB) requireQueued(ctx context.Context, m *Mail) error {
	queued, err := db.bun.NewSelect().Model(m).WherePK().Exists(ctx)
	if err == nil && !queued {
		err = ErrNotFound
	}
	return err
}

// TokenBySecret finds the valid token with that secret and one of the purposes, and
// its user. It does not use the token up. It returns ErrNotFound if there is none.
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

// useToken deletes token. It returns ErrNotFound if token was used already.
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
