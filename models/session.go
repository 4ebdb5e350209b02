package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Session is a signed-in browser. The browser alone holds the token.
type Session struct {
	bun.BaseModel `bun:"table:sessions,alias:s"`

	ID              uuid.UUID `bun:",pk"`
	UserID          uuid.UUID
	TokenHash       []byte
	IP              string // at sign-in
	UserAgent       string // at sign-in
	CreatedAt       time.Time
	AuthenticatedAt time.Time // when the person last gave the password
	LastSeenAt      time.Time
	ExpiresAt       time.Time

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

// Device is what a session remembers of the browser that signed in.
type Device struct{ IP, UserAgent string }

// maxUserAgent cuts what a browser says of itself; none needs more.
const maxUserAgent = 500

// maxSessions is how many a user may have, since pages list them all. The oldest
// end.
const maxSessions = 100

// CreateSession signs user in and returns the session and the token for the
// browser's cookie, which is stored nowhere. It returns ErrChanged when the user
// has changed since it was read, and ErrNotFound for a disabled one.
func (db *DB) CreateSession(ctx context.Context, user *User, client Device, life Lifetime) (*Session, string, error) {
	token, hash := newSecret()
	t := now()
	s := &Session{
		ID:              newID(),
		UserID:          user.ID,
		TokenHash:       hash,
		IP:              client.IP,
		UserAgent:       clean(client.UserAgent, maxUserAgent),
		CreatedAt:       t,
		AuthenticatedAt: t,
		LastSeenAt:      t,
		ExpiresAt:       life.expiry(t, t),
		User:            user,
	}
	err := db.InTx(ctx, func(tx *DB) error {
		// Locked, so that who disables the user or changes the password at this
		// moment either ends this session too, or is seen here.
		locked, err := tx.lockAs(ctx, user)
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

// SessionByToken finds the living session of a cookie's token, with its user,
// in one query. It returns ErrNotFound for an unknown or expired one, and
// without a query for a malformed one.
func (db *DB) SessionByToken(ctx context.Context, token string) (*Session, error) {
	hash, ok := hashSecret(token)
	if !ok {
		return nil, ErrNotFound
	}
	s := new(Session)
	err := db.bun.NewSelect().Conn(db.prepared(hash, db.instant(now()))).Model(s).Relation("User").
		Where("s.token_hash = ?", db.parameter(1)).Where("s.expires_at > ?", db.parameter(2)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
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

// RenewSession notes that the person has just given the password again, and
// returns a new token for the cookie: one that leaked before is worth nothing.
// It returns ErrChanged when the session has ended, or was renewed, meanwhile.
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

// Sessions lists the living sessions of user, the last seen first.
func (db *DB) Sessions(ctx context.Context, user uuid.UUID) ([]Session, error) {
	var sessions []Session
	err := db.bun.NewSelect().Model(&sessions).
		Where("user_id = ?", user).Where("expires_at > ?", now()).
		Order("last_seen_at DESC", "id DESC").Scan(ctx)
	return sessions, err
}

// DeleteSession ends user's session of that id. It returns ErrNotFound when the
// user has none.
func (db *DB) DeleteSession(ctx context.Context, user, id uuid.UUID) error {
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("id = ?", id).Where("user_id = ?", user).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// DeleteSessions ends every session of user but keep, which may be the zero id,
// and returns how many those were.
func (db *DB) DeleteSessions(ctx context.Context, user, keep uuid.UUID) (int, error) {
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("user_id = ?", user).Where("id <> ?", keep).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
