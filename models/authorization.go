package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Authorization is a request to a provider that waits for its answer, or a sign-up that
// waits for what the provider doesn't say. It counts once, in the browser that began it.
type Authorization struct {
	bun.BaseModel `bun:"table:authorizations,alias:az"`

	StateHash   []byte `bun:",pk"`
	BrowserHash []byte // of the secret in the browser's cookie
	Provider    string // its name
	Kind        AuthorizationKind
	UserID      uuid.UUID `bun:",nullzero"` // who began it; zero for a guest
	Nonce       string
	Verifier    string
	Next        string // where it leads
	Claims      Claims `bun:",nullzero"` // of a sign-up
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// AuthorizationKind is the only thing that the answer of a provider can be used for.
type AuthorizationKind string

// The kinds of authorizations.
const (
	AuthorizeSignIn  AuthorizationKind = "sign-in"
	AuthorizeSignUp  AuthorizationKind = "sign-up" // the provider has answered
	AuthorizeConfirm AuthorizationKind = "confirm" // a signed-in user confirms who they are
	AuthorizeConnect AuthorizationKind = "connect" // a signed-in user adds a way in
)

// Claims are what a provider says about somebody who signs up.
type Claims struct {
	Issuer, Subject     string
	Email               string
	EmailVerified       bool
	FirstName, LastName string
	Username            string
	SessionID           string // of the provider
}

// IsZero reports whether no provider has said anything. Then the column is NULL.
func (c Claims) IsZero() bool { return c == Claims{} }

// AuthorizationLife is how long a provider's answer is waited for, and then how long what
// is missing is.
const AuthorizationLife = 10 * time.Minute

// StartAuthorization stores a until the provider answers, for the browser whose cookie
// holds secret. It returns the state that the answer must bring, and the secret for the
// cookie: a new one if the browser had none. A sign-up is found by the secret alone, so it
// gets one that nobody who used the browser before can have copied.
func (db *DB) StartAuthorization(ctx context.Context, secret string, a *Authorization) (state, browser string, err error) {
	hash, ok := hashSecret(secret)
	if !ok || a.Kind == AuthorizeSignUp {
		secret, hash = newSecret()
	}
	a.BrowserHash, a.CreatedAt = hash, now()
	a.ExpiresAt = a.CreatedAt.Add(AuthorizationLife)
	state, a.StateHash = newSecret()
	_, err = db.bun.NewInsert().Model(a).Returning("NULL").Exec(ctx)
	return state, secret, err
}

// TakeAuthorization deletes the authorization with that state and returns it, so that it
// is answered once. It returns ErrNotFound if there is none of that browser and provider,
// or it has expired.
func (db *DB) TakeAuthorization(ctx context.Context, state, secret, provider string) (*Authorization, error) {
	stateHash, known := hashSecret(state)
	browserHash, ours := hashSecret(secret)
	if !known || !ours {
		return nil, ErrNotFound
	}
	a := new(Authorization)
	err := db.bun.NewDelete().Model(a).Where("state_hash = ?", stateHash).Where("browser_hash = ?", browserHash).
		Where("provider = ?", provider).Where("kind <> ?", AuthorizeSignUp).Where("expires_at > ?", now()).Returning("*").Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return a, nil
}

// WaitingSignUp returns the newest sign-up of the browser whose cookie holds secret that
// waits for what its provider doesn't say. It returns ErrNotFound if there is none.
func (db *DB) WaitingSignUp(ctx context.Context, secret string) (*Authorization, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil, ErrNotFound
	}
	a := new(Authorization)
	err := db.bun.NewSelect().Model(a).Where("browser_hash = ?", hash).Where("kind = ?", AuthorizeSignUp).
		Where("expires_at > ?", now()).Order("created_at DESC").Limit(1).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return a, nil
}

// EndWaitingSignUps ends the sign-ups of the browser whose cookie holds secret that wait,
// so that nobody who comes after the person finds them.
func (db *DB) EndWaitingSignUps(ctx context.Context, secret string) error {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil
	}
	_, err := db.bun.NewDelete().Model((*Authorization)(nil)).Where("browser_hash = ?", hash).Where("kind = ?", AuthorizeSignUp).Exec(ctx)
	return err
}

// useSignUp deletes a sign-up that waits. It returns ErrChanged if another request has used
// it.
func (db *DB) useSignUp(ctx context.Context, a *Authorization) error {
	result, err := db.bun.NewDelete().Model(a).WherePK().Where("expires_at > ?", now()).Exec(ctx)
	if err != nil {
		return err
	}
	return asChanged(requireRows(result))
}
