package models

import (
	"bytes"
	"context"
	"errors"
	"iter"
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

	// SecondFactor is what the user proved besides the first factor, at sign-in or since;
	// zero if nothing, or if they have no second factor any more.
	SecondFactor Proof `bun:",nullzero"`

	IdentityID      uuid.UUID `bun:",nullzero"` // by which it began; zero for another way
	ProviderSession string    `bun:",nullzero"` // in which session there, if that is known

	PreviousTokenHash []byte    // of the token that TokenHash replaced
	ReplacedAt        time.Time `bun:",nullzero"`

	User     *User     `bun:"rel:belongs-to,join:user_id=id"`
	Recovery *Recovery `bun:"rel:has-one,join:user_id=user_id"`   // of User; nil if there is none
	Identity *Identity `bun:"rel:belongs-to,join:identity_id=id"` // loaded by RunningSessions alone

	Impersonation *Impersonation `bun:"rel:has-one,join:id=session_id"` // of somebody else by User; nil if there is none

	// Replaced reports that the session was found by its previous token.
	Replaced bool `bun:"-"`
}

// replacedLife is how long a replaced token still works: longer than any request takes,
// so that those under way are not signed out.
const replacedLife = time.Minute

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

// lockToSignIn locks user, so that disabling them or changing the password at this moment
// either ends the new session too or is seen here. It returns ErrNotFound if user is
// disabled.
func (db *DB) lockToSignIn(ctx context.Context, user *User) error {
	locked, err := db.lockUnchanged(ctx, user)
	if err == nil && locked.Disabled() {
		err = ErrNotFound
	}
	return err
}

// insertSession starts a session of a user that is locked, to which the proofs led. It
// returns the session and the token for the browser's cookie, which is not stored.
func (db *DB) insertSession(ctx context.Context, user *User, proofs []Proof, device Device, life Lifetime) (*Session, string, error) {
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
		SecondFactor:    secondFactor(proofs),
		User:            user,
	}
	for _, p := range proofs {
		if p.Identity != uuid.Nil {
			s.IdentityID, s.ProviderSession = p.Identity, p.ProviderSession
		}
	}
	if _, err := db.bun.NewInsert().Model(s).Exec(ctx); err != nil {
		return nil, "", err
	}
	last := db.bun.NewSelect().Model((*Session)(nil)).Column("id").Where("user_id = ?", user.ID).
		Order("id DESC").Offset(maxSessions).Limit(1)
	_, err := db.bun.NewDelete().Model((*Session)(nil)).Where("user_id = ?", user.ID).Where("id <= (?)", last).Exec(ctx)
	return s, token, err
}

// SessionByToken finds the active session with that token, its user, their recovery and their
// impersonation, in one query; whom they impersonate takes another. It returns ErrNotFound if
// the session is unknown or expired, and does so without a query if the token is malformed.
//
// A token that was replaced less than replacedLife ago finds its session too, but not
// as one whose user entered the password, or a second factor, when it was replaced: only
// the new token says so.
func (db *DB) SessionByToken(ctx context.Context, token string) (*Session, error) {
	hash, ok := hashSecret(token)
	if !ok {
		return nil, ErrNotFound
	}
	s, t := new(Session), now()
	err := db.bun.NewSelect().Conn(db.prepared(hash, db.timeArg(t), db.timeArg(t.Add(-replacedLife)))).Model(s).Relation("User").Relation("Recovery").Relation("Impersonation").
		Where("s.token_hash = ?0 OR s.previous_token_hash = ?0 AND s.replaced_at > ?1", db.parameter(1), db.parameter(3)).
		Where("s.expires_at > ?", db.parameter(2)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	if s.Replaced = !bytes.Equal(s.TokenHash, hash); s.Replaced {
		s.AuthenticatedAt = time.Time{}
		if !s.SecondFactor.At.Before(s.ReplacedAt) {
			s.SecondFactor = Proof{}
		}
	}
	if s.Impersonation != nil {
		if s.Impersonation.User, err = db.UserByID(ctx, s.Impersonation.UserID); errors.Is(err, ErrNotFound) { // deleted at this moment, with it
			s.Impersonation, err = nil, nil
		}
	}
	return s, err
}

// lastSeenInterval is how often Session.LastSeenAt is written at most, so that most
// requests write nothing.
const lastSeenInterval = time.Minute

// TouchSession records that s is in use. Once half of the idle lifetime has passed
// it extends s and returns true; the caller must then send the cookie again. A request
// with a replaced token extends nothing: its cookie would hide the new one.
func (db *DB) TouchSession(ctx context.Context, s *Session, life Lifetime) (renewed bool, err error) {
	t := now()
	expires := life.expiry(s.CreatedAt, t)
	renewed = s.ExpiresAt.Sub(t) < life.Idle/2 && expires.After(s.ExpiresAt) && !s.Replaced
	if !renewed && t.Sub(s.LastSeenAt) < lastSeenInterval {
		return false, nil
	}
	s.LastSeenAt = t
	query := db.bun.NewUpdate().Model(s).WherePK().Column("last_seen_at")
	if renewed {
		s.ExpiresAt = expires
		query = query.Column("expires_at").Where("token_hash = ?", s.TokenHash)
	}
	result, err := query.Exec(ctx)
	if err != nil || !renewed {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// RenewSession records that the user has just entered the password again, and
// returns a new token for the cookie, so that a leaked one stops working. The token
// of the request works for replacedLife more.
//
// If another request has just replaced the token, its answer carries the new one, and
// RenewSession returns none. It returns ErrChanged if the session has ended.
func (db *DB) RenewSession(ctx context.Context, s *Session) (token string, err error) {
	of, t := s.TokenHash, now()
	if s.Replaced { // the answer with the new token was lost
		of = s.PreviousTokenHash
	}
	token, err = db.replaceToken(ctx, s, of)
	if !errors.Is(err, ErrChanged) {
		return token, err
	}
	result, err := db.bun.NewUpdate().Model((*Session)(nil)).Set("authenticated_at = ?", t).Where("id = ?", s.ID).
		Where("previous_token_hash = ?", of).Where("replaced_at > ?", t.Add(-replacedLife)).Exec(ctx)
	if err != nil {
		return "", err
	}
	return "", asChanged(requireRows(result))
}

// replaceToken gives s a new token. The one with the hash previous, which may be nil,
// works for replacedLife more. It returns ErrChanged if the session has ended or got
// another token in the meantime.
func (db *DB) replaceToken(ctx context.Context, s *Session, previous []byte) (token string, err error) {
	renewed := *s
	token, renewed.TokenHash = newSecret()
	renewed.AuthenticatedAt = now()
	renewed.PreviousTokenHash, renewed.ReplacedAt, renewed.Replaced = previous, renewed.AuthenticatedAt, false
	result, err := db.bun.NewUpdate().Model(&renewed).WherePK().Where("token_hash = ?", s.TokenHash).
		Column("token_hash", "authenticated_at", "previous_token_hash", "replaced_at").Exec(ctx)
	if err != nil {
		return "", err
	}
	if err := asChanged(requireRows(result)); err != nil {
		return "", err
	}
	*s = renewed
	return token, nil
}

// HasSecondFactor reports whether the session has two factors. A trusted browser counts
// as one if browsers do.
func (s *Session) HasSecondFactor(browsers bool) bool {
	return !s.SecondFactor.IsZero() && (browsers || s.SecondFactor.Factor != FactorBrowser)
}

// Strengthen records that the user has just proved a second factor in s, unless s has one
// already.
func (db *DB) Strengthen(ctx context.Context, s *Session, factor Factor) error {
	if s.HasSecondFactor(false) {
		return nil
	}
	s.SecondFactor = Proof{Factor: factor, At: now()}
	_, err := db.bun.NewUpdate().Model(s).WherePK().Column("second_factor").Exec(ctx)
	return err
}

// weakenSessions makes every session of user one with a single factor.
func (db *DB) weakenSessions(ctx context.Context, user uuid.UUID) error {
	_, err := db.bun.NewUpdate().Model((*Session)(nil)).Set("second_factor = NULL").
		Where("user_id = ?", user).Where("second_factor IS NOT NULL").Exec(ctx)
	return err
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
// and returns their number. It also ends the sign-ins that wait for another factor.
func (db *DB) DeleteSessions(ctx context.Context, user, keep uuid.UUID) (int, error) {
	if err := db.endSignIns(ctx, user); err != nil {
		return 0, err
	}
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("user_id = ?", user).Where("id <> ?", keep).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// AllSessions iterates over the active sessions in the order they were created:
// those of user, or of everyone if user is the zero id. Of each session's user
// only the username and email address are loaded, and its token hashes are not.
func (db *DB) AllSessions(ctx context.Context, user uuid.UUID) iter.Seq2[*Session, error] {
	read := func(after uuid.UUID) ([]Session, error) {
		var sessions []Session
		query := db.bun.NewSelect().Model(&sessions).ExcludeColumn("token_hash", "previous_token_hash").
			Relation("User", loginColumns).
			Where("s.id > ?", after).Where("s.expires_at > ?", now()).Order("s.id").Limit(pageSize)
		if user != uuid.Nil {
			query = query.Where("s.user_id = ?", user)
		}
		err := query.Scan(ctx)
		return sessions, err
	}
	return paginate(read, func(s *Session) uuid.UUID { return s.ID })
}

// SessionByID finds any user's session, and its user. It returns ErrNotFound if there is none.
func (db *DB) SessionByID(ctx context.Context, id uuid.UUID) (*Session, error) {
	s := new(Session)
	err := db.bun.NewSelect().Model(s).ExcludeColumn("token_hash", "previous_token_hash").Relation("User").Where("s.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return s, nil
}

// EndSession ends any user's session by its id and returns the session's user and user
// agent. It returns ErrNotFound if there is no such session.
func (db *DB) EndSession(ctx context.Context, id uuid.UUID) (*Session, error) {
	s := new(Session)
	err := db.bun.NewDelete().Model(s).Where("id = ?", id).Returning("user_id, user_agent").Scan(ctx)
	return s, asNotFound(err)
}

// EndAllSessions ends every session of every user, the sign-ins that wait, mailed codes and
// the trust in browsers. It returns the number of sessions.
func (db *DB) EndAllSessions(ctx context.Context) (int, error) {
	for _, waiting := range []any{(*SignIn)(nil), (*Code)(nil)} {
		if _, err := db.bun.NewDelete().Model(waiting).Where("TRUE").Exec(ctx); err != nil {
			return 0, err
		}
	}
	if err := db.untrust(ctx, db.bun.NewUpdate().Where("trusted_until IS NOT NULL")); err != nil {
		return 0, err
	}
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("TRUE").Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
