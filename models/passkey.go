package models

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Passkey is a public key with which a user signs in (WebAuthn level 3, 4: credential
// record). Its private key never leaves the user's authenticator.
type Passkey struct {
	bun.BaseModel `bun:"table:passkeys,alias:pk"`

	ID             uuid.UUID `bun:",pk"`
	UserID         uuid.UUID
	CredentialID   []byte
	PublicKey      []byte    // in COSE's form
	AAGUID         uuid.UUID `bun:"aaguid"` // the kind of authenticator; zero if that doesn't say
	SignCount      uint32    // at the last use; zero if the authenticator doesn't count
	Transports     string    // how browsers reach the authenticator, separated by spaces
	BackupEligible bool      // it may be synced; this never changes
	BackedUp       bool      // it was synced at the last use
	Name           string
	CreatedAt      time.Time
	LastUsedAt     time.Time `bun:",nullzero"`
}

// PasskeyAccount is what the passkeys of a user have in common.
type PasskeyAccount struct {
	bun.BaseModel `bun:"table:passkey_accounts,alias:pa"`

	UserID    uuid.UUID `bun:",pk"`
	Handle    []byte    // random, so that an authenticator learns nothing about the user
	OfferedAt time.Time `bun:",nullzero"` // when the site offered to add a passkey
}

// handleBytes is the length of a handle, the longest that WebAuthn allows.
const handleBytes = 64

// NewPasskeyHandle returns a handle for an account.
func NewPasskeyHandle() []byte {
	handle := make([]byte, handleBytes)
	rand.Read(handle)
	return handle
}

// PasskeyCeremony is a challenge that waits for an authenticator's answer.
type PasskeyCeremony struct {
	bun.BaseModel `bun:"table:passkey_ceremonies,alias:pc"`

	Challenge   string `bun:",pk"`
	Kind        CeremonyKind
	BrowserHash []byte    // of the secret in the browser's cookie
	UserID      uuid.UUID `bun:",nullzero"` // who asked for it; zero for a guest
	State       string    // what else the answer is checked against
	ExpiresAt   time.Time
}

// CeremonyKind is the only thing that the answer to a challenge can be used for.
type CeremonyKind string

// The kinds of ceremonies.
const (
	CeremonyAdd     CeremonyKind = "add"     // a signed-in user adds a passkey
	CeremonyConfirm CeremonyKind = "confirm" // a signed-in user confirms who they are
	CeremonySignIn  CeremonyKind = "sign-in"
	CeremonySignUp  CeremonyKind = "sign-up"
)

// CeremonyLife is how long a challenge waits for its answer.
const CeremonyLife = 5 * time.Minute

// MaxPasskeys is how many passkeys a user may have, as pages list them all.
const MaxPasskeys = 25

// Errors of passkeys.
var (
	// ErrLastWayIn means that without the passkey, password or identity the user could not
	// sign in.
	ErrLastWayIn = errors.New("the last way to sign in")
	// ErrPasskeyCopied means that the signature counter didn't increase, so two
	// authenticators may have the private key (WebAuthn level 3, 6.1.1).
	ErrPasskeyCopied = errors.New("the signature counter of the passkey went back")
)

// StartCeremony stores c until an authenticator answers, for the browser whose cookie
// holds secret. It returns the secret for the cookie: a new one if the browser had none.
func (db *DB) StartCeremony(ctx context.Context, secret string, c *PasskeyCeremony) (string, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		secret, hash = newSecret()
	}
	c.BrowserHash, c.ExpiresAt = hash, now().Add(CeremonyLife)
	_, err := db.bun.NewInsert().Model(c).Returning("NULL").Exec(ctx)
	return secret, err
}

// TakeCeremony deletes the ceremony with that challenge and returns it, so that a
// challenge is answered once. It returns ErrNotFound if there is none of that kind, user
// and browser, or it has expired.
func (db *DB) TakeCeremony(ctx context.Context, challenge, secret string, kind CeremonyKind, user uuid.UUID) (*PasskeyCeremony, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil, ErrNotFound
	}
	c := new(PasskeyCeremony)
	query := db.bun.NewDelete().Model(c).Where("challenge = ?", challenge).Where("browser_hash = ?", hash).
		Where("kind = ?", kind).Where("expires_at > ?", now())
	if user == uuid.Nil {
		query = query.Where("user_id IS NULL")
	} else {
		query = query.Where("user_id = ?", user)
	}
	if err := query.Returning("*").Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return c, nil
}

// Passkeys lists the passkeys of user, oldest first.
func (db *DB) Passkeys(ctx context.Context, user uuid.UUID) ([]Passkey, error) {
	var passkeys []Passkey
	err := db.bun.NewSelect().Model(&passkeys).Where("user_id = ?", user).Order("id").Scan(ctx)
	return passkeys, err
}

// HasPasskey reports whether user has a passkey.
func (db *DB) HasPasskey(ctx context.Context, user uuid.UUID) (bool, error) {
	return db.bun.NewSelect().Model((*Passkey)(nil)).Where("user_id = ?", user).Exists(ctx)
}

// PasskeyByID finds a passkey of user. It returns ErrNotFound if there is none.
func (db *DB) PasskeyByID(ctx context.Context, user, id uuid.UUID) (*Passkey, error) {
	p := new(Passkey)
	if err := db.bun.NewSelect().Model(p).Where("id = ?", id).Where("user_id = ?", user).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return p, nil
}

// PasskeyHandle returns the handle of user, or nil if they have never had one.
func (db *DB) PasskeyHandle(ctx context.Context, user uuid.UUID) ([]byte, error) {
	a := &PasskeyAccount{UserID: user}
	if err := asNotFound(db.bun.NewSelect().Model(a).WherePK().Scan(ctx)); err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return a.Handle, nil
}

// EnsurePasskeyHandle returns the handle of user. It stores a new one at the first call.
func (db *DB) EnsurePasskeyHandle(ctx context.Context, user uuid.UUID) ([]byte, error) {
	handle, err := db.PasskeyHandle(ctx, user)
	if err != nil || handle != nil {
		return handle, err
	}
	if err := db.storeHandle(ctx, user, NewPasskeyHandle()); err != nil {
		return nil, err
	}
	return db.PasskeyHandle(ctx, user) // another request may have stored one
}

// storeHandle stores the handle of user, unless there is one already.
func (db *DB) storeHandle(ctx context.Context, user uuid.UUID, handle []byte) error {
	a := &PasskeyAccount{UserID: user, Handle: handle}
	_, err := db.bun.NewInsert().Model(a).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	return err
}

// OfferPasskey reports whether to offer user a passkey now. It does so once, and only to a
// user without one.
func (db *DB) OfferPasskey(ctx context.Context, user uuid.UUID) (bool, error) {
	a := &PasskeyAccount{UserID: user, Handle: NewPasskeyHandle(), OfferedAt: now()}
	result, err := db.bun.NewInsert().Model(a).On("CONFLICT (user_id) DO UPDATE").Set("offered_at = EXCLUDED.offered_at").
		Where("pa.offered_at IS NULL").Returning("NULL").Exec(ctx)
	if err != nil || requireRows(result) != nil {
		return false, err
	}
	has, err := db.HasPasskey(ctx, user)
	return !has && err == nil, err
}

// UserByPasskeyHandle finds the user whose passkeys have that handle. It returns
// ErrNotFound if there is none.
func (db *DB) UserByPasskeyHandle(ctx context.Context, handle []byte) (*User, error) {
	u := new(User)
	owner := db.bun.NewSelect().Model((*PasskeyAccount)(nil)).Column("user_id").Where("handle = ?", handle)
	if err := db.bun.NewSelect().Model(u).Where("id = (?)", owner).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// AddPasskey stores a new passkey of u, fills in its id and time, and notifies u by
// email. It returns a *FullError if u has MaxPasskeys, a *TakenError if the credential is
// known already, and ErrChanged if u has changed since it was read.
func (db *DB) AddPasskey(ctx context.Context, u *User, p *Passkey) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		if err := tx.insertPasskey(ctx, u, p); err != nil {
			return err
		}
		return tx.factorAdded(ctx, u, EventPasskeyAdded, p.ID)
	})
}

// CreateUserWithPasskey is CreateUser for a user without a password. It also stores p and
// the handle by which authenticators know the user.
func (db *DB) CreateUserWithPasskey(ctx context.Context, u *User, handle []byte, p *Passkey) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.CreateUser(ctx, u); err != nil {
			return err
		}
		if err := tx.storeHandle(ctx, u.ID, handle); err != nil {
			return err
		}
		return tx.insertPasskey(ctx, u, p)
	})
}

func (db *DB) insertPasskey(ctx context.Context, u *User, p *Passkey) error {
	p.ID, p.UserID, p.CreatedAt = newID(), u.ID, now()
	if err := requireRoom(ctx, MaxPasskeys, db.bun.NewSelect().Model((*Passkey)(nil)).Where("user_id = ?", u.ID)); err != nil {
		return err
	}
	result, err := db.bun.NewInsert().Model(p).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		return err
	}
	if requireRows(result) != nil {
		return &TakenError{Field: "credential"}
	}
	return nil
}

// UsePasskey records that p signed, with the values that the authenticator now reports.
// It returns ErrPasskeyCopied if another use has counted as far already, also at the
// same moment, and ErrNotFound if p was removed.
func (db *DB) UsePasskey(ctx context.Context, p *Passkey, signCount uint32, backedUp bool) error {
	used := *p
	used.SignCount, used.BackedUp, used.LastUsedAt = signCount, backedUp, now()
	result, err := db.bun.NewUpdate().Model(&used).WherePK().Column("sign_count", "backed_up", "last_used_at").
		Where("sign_count < ?0 OR sign_count = 0 AND ?0 = 0", signCount).Exec(ctx)
	if err != nil {
		return err
	}
	if err := requireRows(result); !errors.Is(err, ErrNotFound) {
		*p = used
		return err
	}
	if _, err := db.PasskeyByID(ctx, p.UserID, p.ID); err != nil { // removed meanwhile
		return err
	}
	return ErrPasskeyCopied
}

// TellPasskeyCopied notifies u by email that p was refused with ErrPasskeyCopied.
func (db *DB) TellPasskeyCopied(ctx context.Context, u *User, p *Passkey) error {
	return db.mailUser(ctx, u, MailFactorChanged, MailDetail{Change: EventPasskeyRefused, Factor: p.ID})
}

// RenamePasskey gives a passkey of u another name, and notifies u by email. It returns
// ErrNotFound if there is no such passkey.
func (db *DB) RenamePasskey(ctx context.Context, u *User, id uuid.UUID, name string) error {
	return db.InTx(ctx, func(tx *DB) error {
		result, err := tx.bun.NewUpdate().Model((*Passkey)(nil)).Set("name = ?", name).
			Where("id = ?", id).Where("user_id = ?", u.ID).Exec(ctx)
		if err != nil {
			return err
		}
		if err := requireRows(result); err != nil {
			return err
		}
		return tx.mailFactorChange(ctx, u, EventPasskeyRenamed)
	})
}

// RemovePasskey deletes a passkey of u, and notifies u by email. It returns ErrLastWayIn
// if u has no password, no other passkey and no identity, ErrNotFound if there is no such passkey, and
// ErrChanged if u has changed since it was read.
func (db *DB) RemovePasskey(ctx context.Context, u *User, id uuid.UUID) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		p, err := tx.PasskeyByID(ctx, u.ID, id)
		if err != nil {
			return err
		}
		if _, err := tx.bun.NewDelete().Model(p).WherePK().Exec(ctx); err != nil {
			return err
		}
		if err := tx.requireWayIn(ctx, u); err != nil {
			return err
		}
		return tx.factorRemoved(ctx, u, EventPasskeyRemoved)
	})
}

// deletePasskeys deletes every passkey of user.
func (db *DB) deletePasskeys(ctx context.Context, user uuid.UUID) error {
	_, err := db.bun.NewDelete().Model((*Passkey)(nil)).Where("user_id = ?", user).Exec(ctx)
	return err
}
