package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Session is a signed-in browser. The browser alone holds the token; the row
// holds its SHA-256, so that a copy of the table lets nobody in. A plain hash
// is enough, as 256 random bits cannot be guessed.
type Session struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID         uuid.UUID `bun:",pk"`
	UserID     uuid.UUID
	TokenHash  []byte
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// Lifetime says how long a session lives: Idle without a request, and Max from
// sign-in however busy it is.
type Lifetime struct{ Idle, Max time.Duration }

// expiry is when a session made at created and used at t ends.
func (l Lifetime) expiry(created, t time.Time) time.Time {
	if end := created.Add(l.Max); t.Add(l.Idle).After(end) {
		return end
	}
	return t.Add(l.Idle)
}

// tokenBytes is the length of a session token: 256 bits, four times what ASVS
// 5.0 7.2.3 asks for at least.
const tokenBytes = 32

// CreateSession signs user in and returns the session and the token for the
// browser's cookie, which is stored nowhere.
func (db *DB) CreateSession(ctx context.Context, user *User, life Lifetime) (*Session, string, error) {
	secret := make([]byte, tokenBytes)
	rand.Read(secret)
	hash := sha256.Sum256(secret)
	t := now()
	s := &Session{
		ID:         newID(),
		UserID:     user.ID,
		TokenHash:  hash[:],
		CreatedAt:  t,
		LastSeenAt: t,
		ExpiresAt:  life.expiry(t, t),
		User:       user,
	}
	if _, err := db.bun.NewInsert().Model(s).Exec(ctx); err != nil {
		return nil, "", err
	}
	return s, base64.RawURLEncoding.EncodeToString(secret), nil
}

// SessionByToken finds the living session of a cookie's token, with its user,
// in one query. It returns ErrNotFound for an unknown or expired one, and
// without a query for a malformed one.
func (db *DB) SessionByToken(ctx context.Context, token string) (*Session, error) {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(secret) != tokenBytes {
		return nil, ErrNotFound
	}
	hash := sha256.Sum256(secret)
	s := new(Session)
	err = db.bun.NewSelect().Model(s).Relation("User").
		Where("s.token_hash = ?", hash[:]).Where("s.expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, one(err)
	}
	return s, nil
}

// lastSeenStep is how exact Session.LastSeenAt is: it is written at most this
// often, so that reading pages does not write.
const lastSeenStep = time.Minute

// TouchSession notes that s is in use. It extends s when half of its idle
// lifetime is gone and then returns true: the cookie is to be sent again.
// Most calls write nothing.
func (db *DB) TouchSession(ctx context.Context, s *Session, life Lifetime) (renewed bool, err error) {
	t := now()
	expires := life.expiry(s.CreatedAt, t)
	renewed = s.ExpiresAt.Sub(t) < life.Idle/2 && expires.After(s.ExpiresAt)
	if !renewed && t.Sub(s.LastSeenAt) < lastSeenStep {
		return false, nil
	}
	s.LastSeenAt = t
	if renewed {
		s.ExpiresAt = expires
	}
	_, err = db.bun.NewUpdate().Model(s).WherePK().Column("last_seen_at", "expires_at").Exec(ctx)
	return renewed, err
}

// DeleteSession ends s.
func (db *DB) DeleteSession(ctx context.Context, s *Session) error {
	_, err := db.bun.NewDelete().Model(s).WherePK().Exec(ctx)
	return err
}

// purgeBatch keeps each delete short, so that a large purge holds no lock long.
const purgeBatch = 1000

// PurgeSessions deletes the expired sessions and returns how many there were.
func (db *DB) PurgeSessions(ctx context.Context) (int, error) {
	total := 0
	for {
		expired := db.bun.NewSelect().Model((*Session)(nil)).Column("id").
			Where("expires_at <= ?", now()).Limit(purgeBatch)
		result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("id IN (?)", expired).Exec(ctx)
		if err != nil {
			return total, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return total, err
		}
		total += int(n)
		if n < purgeBatch {
			return total, nil
		}
	}
}
