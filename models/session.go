package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Session is a signed-in browser. Only the browser has the token.
type Session struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID              uuid.UUID `bun:",pk"`
	UserID          uuid.UUID
	TokenHash       []byte
	IP              string // at sign-in
	UserAgent       string // at sign-in
	CreatedAt       time.Time
	AuthenticatedAt time.Time // when the user last entered the password
	LastSeenAt      time.Time
	ExpiresAt       time.Time

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// Lifetime limits a session: Idle is the time without a request, Max the time since
// sign-in.
type Lifetime struct{ Idle, Max time.Duration }

// expiry returns when a session created at created and last used at t expires.
func (l Lifetime) expiry(created, t time.Time) time.Time {
	if end := created.Add(l.Max); t.Add(l.Idle).After(end) {
		return end
	}
	return t.Add(l.Idle)
}

// Device is what a session records about the browser that signed in.
type Device struct{ IP, UserAgent string }

// maxUserAgent is the length of a stored user agent in bytes; the rest is dropped.
const maxUserAgent = 500

// maxSessions is how many sessions a user may have, as pages list them all. A new
// one beyond that ends the oldest.
const maxSessions = 100

// CreateSession signs user in. It returns the session and the token for the
// browser's cookie, which is not stored. It returns ErrChanged if user has changed
// since it was read, and ErrNotFound if user is disabled.
func (db *DB) CreateSession(ctx context.Context, user *User, device Device, life Lifetime) (*Session, string, error) {
	token, hash := newSecret()
	t := now()
	s := &Session{
		ID:              newID(),
		UserID:          user.ID,
		TokenHash:       hash,
		IP:              device.IP,
		UserAgent:       sanitize(device.UserAgent, maxUserAgent),
		CreatedAt:       t,
		AuthenticatedAt: t,
		LastSeenAt:      t,
		ExpiresAt:       life.expiry(t, t),
		User:            user,
	}
	err := db.InTx(ctx, func(tx *DB) error {
		// Lock the user, so that disabling them or changing the password at this
		// moment either ends this session too or is seen here.
		locked, err := tx.lockUnchanged(ctx, user)
		if err != nil {
			return err
		}
		if locked.Disabled() {
			return ErrNotFound
		}
		if _, err := tx.bun.NewInsert().Model(s).Exec(ctx); err != nil {
			return err
		}
		last := tx.bun.NewSelect().Model((*Session)(nil)).Column("id").Where("user_id = ?", user.ID).
			Order("id DESC").Offset(maxSessions).Limit(1)
		_, err = tx.bun.NewDelete().Model((*Session)(nil)).Where("user_id = ?", user.ID).Where("id <= (?)", last).Exec(ctx)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return s, token, nil
}

// SessionByToken finds the active session with that token, and its user, in one
// query. It returns ErrNotFound if the session is unknown or expired, and does so
// without a query if the token is malformed.
func (db *DB) SessionByToken(ctx context.Context, token string) (*Session, error) {
	hash, ok := hashSecret(token)
	if !ok {
		return nil, ErrNotFound
	}
	s := new(Session)
	err := db.bun.NewSelect().Conn(db.prepared(hash, db.timeArg(now()))).Model(s).Relation("User").
		Where("s.token_hash = ?", db.parameter(1)).Where("s.expires_at > ?", db.parameter(2)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return s, nil
}

// lastSeenInterval is how often Session.LastSeenAt is written at most, so that most
// requests write nothing.
const lastSeenInterval = time.Minute

// TouchSession records that s is in use. Once half of the idle lifetime has passed
// it extends s and returns true; the caller must then send the cookie again.
func (db *DB) TouchSession(ctx context.Context, s *Session, life Lifetime) (renewed bool, err error) {
	t := now()
	expires := life.expiry(s.CreatedAt, t)
	renewed = s.ExpiresAt.Sub(t) < life.Idle/2 && expires.After(s.ExpiresAt)
	if !renewed && t.Sub(s.LastSeenAt) < lastSeenInterval {
		return false, nil
	}
	s.LastSeenAt = t
	if renewed {
		s.ExpiresAt = expires
	}
	_, err = db.bun.NewUpdate().Model(s).WherePK().Column("last_seen_at", "expires_at").Exec(ctx)
	return renewed, err
}

// RenewSession records that the user has just entered the password again, and
// returns a new token for the cookie, so that a leaked one stops working. It
// returns ErrChanged if the session has ended or was renewed in the meantime.
func (db *DB) RenewSession(ctx context.Context, s *Session) (token string, err error) {
	token, hash := newSecret()
	t := now()
	result, err := db.bun.NewUpdate().Model((*Session)(nil)).
		Set("token_hash = ?", hash).Set("authenticated_at = ?", t).
		Where("id = ?", s.ID).Where("token_hash = ?", s.TokenHash).Exec(ctx)
	if err != nil {
		return "", err
	}
	if err := asChanged(requireRows(result)); err != nil {
		return "", err
	}
	s.TokenHash, s.AuthenticatedAt = hash, t
	return token, nil
}

// Sessions lists the active sessions of user, last seen first.
func (db *DB) Sessions(ctx context.Context, user uuid.UUID) ([]Session, error) {
	var sessions []Session
	err := db.bun.NewSelect().Model(&sessions).
		Where("user_id = ?", user).Where("expires_at > ?", now()).
		Order("last_seen_at DESC", "id DESC").Scan(ctx)
	return sessions, err
}

// DeleteSession ends a session of user. It returns ErrNotFound if user has no such
// session.
func (db *DB) DeleteSession(ctx context.Context, user, id uuid.UUID) error {
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("id = ?", id).Where("user_id = ?", user).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// DeleteSessions ends every session of user except keep, which may be the zero id,
// and returns their number.
func (db *DB) DeleteSessions(ctx context.Context, user, keep uuid.UUID) (int, error) {
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("user_id = ?", user).Where("id <> ?", keep).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
