package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Authenticator is an app that shows a user codes (RFC 6238).
type Authenticator struct {
	bun.BaseModel `bun:"table:authenticators,alias:a"`

	ID        uuid.UUID `bun:",pk"`
	UserID    uuid.UUID
	Name      string
	Secret    []byte // encrypted by the key with the id KeyID
	KeyID     string
	LastStep  int64 // of the newest code that was used
	CreatedAt time.Time
	UsedAt    time.Time `bun:",nullzero"`
}

// MaxAuthenticators is how many apps a user may have, as a code is compared with each.
const MaxAuthenticators = 10

// AddAuthenticator stores a for u, and notifies them by email. It returns ErrChanged if u
// has changed since it was read, a *FullError if they have MaxAuthenticators, and a
// *TakenError if a was added already.
func (db *DB) AddAuthenticator(ctx context.Context, u *User, a *Authenticator) error {
	a.UserID, a.CreatedAt = u.ID, now()
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		if added, err := tx.bun.NewSelect().Model(a).WherePK().Exists(ctx); err != nil || added {
			return errors.Join(err, &TakenError{Field: "code"})
		}
		if err := tx.insertUpTo(ctx, MaxAuthenticators, "user_id", u.ID, a); err != nil {
			return err
		}
		return tx.factorAdded(ctx, u, EventAuthenticatorAdded, a.ID)
	})
}

// Authenticators lists the apps of a user, oldest first.
func (db *DB) Authenticators(ctx context.Context, user uuid.UUID) ([]Authenticator, error) {
	var apps []Authenticator
	err := db.bun.NewSelect().Model(&apps).Where("user_id = ?", user).Order("id").Scan(ctx)
	return apps, err
}

// AuthenticatorByID finds an app of user. It returns ErrNotFound if there is none.
func (db *DB) AuthenticatorByID(ctx context.Context, user, id uuid.UUID) (*Authenticator, error) {
	a := new(Authenticator)
	if err := db.bun.NewSelect().Model(a).Where("id = ?", id).Where("user_id = ?", user).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return a, nil
}

// RenameAuthenticator changes the name of an app of user. It returns ErrNotFound if there
// is no such app.
func (db *DB) RenameAuthenticator(ctx context.Context, user, id uuid.UUID, name string) error {
	result, err := db.bun.NewUpdate().Model((*Authenticator)(nil)).Set("name = ?", name).
		Where("id = ?", id).Where("user_id = ?", user).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// RemoveAuthenticator deletes an app of u, and notifies them by email. It returns
// ErrNotFound if there is no such app.
func (db *DB) RemoveAuthenticator(ctx context.Context, u *User, id uuid.UUID) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		result, err := tx.bun.NewDelete().Model((*Authenticator)(nil)).Where("id = ?", id).Where("user_id = ?", u.ID).Exec(ctx)
		if err != nil {
			return err
		}
		if err := requireRows(result); err != nil {
			return err
		}
		return tx.factorRemoved(ctx, u, EventAuthenticatorRemoved)
	})
}

// UseAuthenticator uses up a code of one of u's apps. Match returns the step of the code
// in an app's time, and whether it is a code of that app now. UseAuthenticator returns
// ErrNotFound if it is of none, or was used before, maybe by another request at this
// moment.
func (db *DB) UseAuthenticator(ctx context.Context, u *User, match func(*Authenticator) (step int64, ok bool, err error)) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, u.ID); err != nil {
			return err
		}
		apps, err := tx.Authenticators(ctx, u.ID)
		if err != nil {
			return err
		}
		for i := range apps {
			a := &apps[i]
			step, ok, err := match(a)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			result, err := tx.bun.NewUpdate().Model((*Authenticator)(nil)).Set("last_step = ?", step).Set("used_at = ?", now()).
				Where("id = ?", a.ID).Where("last_step < ?", step).Exec(ctx)
			if err != nil {
				return err
			}
			return requireRows(result)
		}
		return ErrNotFound
	})
}

// TellCodesFailed notifies u by email that somebody entered the password and then wrong
// codes. The detail says who.
func (db *DB) TellCodesFailed(ctx context.Context, u *User, by MailDetail) error {
	return db.mailUser(ctx, u, MailCodesFailed, by)
}

// SecretKeyIDs returns the ids of the keys by which secrets are encrypted.
func (db *DB) SecretKeyIDs(ctx context.Context) ([]string, error) {
	var ids []string
	err := db.bun.NewSelect().Model((*Authenticator)(nil)).Distinct().Column("key_id").Order("key_id").Scan(ctx, &ids)
	return ids, err
}

// ResealSecrets encrypts again each secret whose key isn't that of the id first, and
// returns their number. It reads a few at a time, so it may run while the site does.
func (db *DB) ResealSecrets(ctx context.Context, first string, reseal func(*Authenticator) error) (n int, err error) {
	read := func(after uuid.UUID) ([]Authenticator, error) {
		var apps []Authenticator
		err := db.bun.NewSelect().Model(&apps).Where("key_id <> ?", first).Where("id > ?", after).Order("id").Limit(pageSize).Scan(ctx)
		return apps, err
	}
	for a, err := range paginate(read, func(a *Authenticator) uuid.UUID { return a.ID }) {
		if err != nil {
			return n, err
		}
		old := a.KeyID
		if err := reseal(a); err != nil {
			return n, err
		}
		_, err := db.bun.NewUpdate().Model(a).WherePK().Column("secret", "key_id").Where("key_id = ?", old).Exec(ctx)
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
