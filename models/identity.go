package models

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// Identity is an account elsewhere by which a user signs in. Issuer and Subject say whose
// it is; its address and its name there may change, and become another's.
type Identity struct {
	bun.BaseModel `bun:"table:identities,alias:i"`

	ID         uuid.UUID `bun:",pk"`
	UserID     uuid.UUID
	Provider   string // its name, at the last use
	Issuer     string
	Subject    string
	Name       string // how its owner knows it, at the last use
	CreatedAt  time.Time
	LastUsedAt time.Time `bun:",nullzero"`

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// MaxIdentities is how many identities a user may have, as pages list them all.
const MaxIdentities = 25

// maxIdentityName is the length of a stored name in bytes; the rest is dropped.
const maxIdentityName = 254

// IdentityBySubject finds the identity of an issuer's subject, and its user. It returns
// ErrNotFound if there is none.
func (db *DB) IdentityBySubject(ctx context.Context, issuer, subject string) (*Identity, error) {
	i := new(Identity)
	err := db.bun.NewSelect().Model(i).Relation("User").Where("i.issuer = ?", issuer).Where("i.subject = ?", subject).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return i, nil
}

// Identities lists the identities of user, oldest first.
func (db *DB) Identities(ctx context.Context, user uuid.UUID) ([]Identity, error) {
	var identities []Identity
	err := db.bun.NewSelect().Model(&identities).Where("user_id = ?", user).Order("id").Scan(ctx)
	return identities, err
}

// IdentityByID finds an identity of user. It returns ErrNotFound if there is none.
func (db *DB) IdentityByID(ctx context.Context, user, id uuid.UUID) (*Identity, error) {
	i := new(Identity)
	if err := db.bun.NewSelect().Model(i).Where("id = ?", id).Where("user_id = ?", user).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return i, nil
}

// hasIdentity reports whether user has an identity.
func (db *DB) hasIdentity(ctx context.Context, user uuid.UUID) (bool, error) {
	return db.bun.NewSelect().Model((*Identity)(nil)).Where("user_id = ?", user).Exists(ctx)
}

// UseIdentity records that the owner of i has signed in there, and what provider and name
// are now. It returns ErrNotFound if i was removed.
func (db *DB) UseIdentity(ctx context.Context, i *Identity, provider, name string) error {
	i.Provider, i.Name, i.LastUsedAt = provider, identityName(name), now()
	result, err := db.bun.NewUpdate().Model(i).WherePK().Column("provider", "name", "last_used_at").Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// identityName returns a name from a provider as it is stored.
func identityName(name string) string { return sanitize(text.Line(name), maxIdentityName) }

// AddIdentity stores a new identity of u, fills in its id and time, and notifies u by
// email, which calls the provider label. It returns a *FullError if u has MaxIdentities, a
// *TakenError if somebody has it already, and ErrChanged if u has changed since it was
// read.
func (db *DB) AddIdentity(ctx context.Context, u *User, i *Identity, label string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		if err := tx.insertIdentity(ctx, u, i); err != nil {
			return err
		}
		return tx.tellFactor(ctx, u, MailDetail{Change: EventConnectionAdded, Factor: i.ID, Connection: label})
	})
}

func (db *DB) insertIdentity(ctx context.Context, u *User, i *Identity) error {
	i.ID, i.UserID, i.CreatedAt, i.Name = newID(), u.ID, now(), identityName(i.Name)
	if err := requireRoom(ctx, MaxIdentities, db.bun.NewSelect().Model((*Identity)(nil)).Where("user_id = ?", u.ID)); err != nil {
		return err
	}
	result, err := db.bun.NewInsert().Model(i).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		return err
	}
	if requireRows(result) != nil {
		return &TakenError{Field: "identity"}
	}
	return nil
}

// CreateUserWithIdentity is CreateUser for a user without a password, who signs in by i. It
// ends the sign-up that waited for it, and returns ErrChanged if another request has.
func (db *DB) CreateUserWithIdentity(ctx context.Context, u *User, i *Identity, waiting *Authorization) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.useSignUp(ctx, waiting); err != nil {
			return err
		}
		if err := tx.CreateUser(ctx, u); err != nil {
			return err
		}
		i.LastUsedAt = now()
		if u.Verified() {
			if err := tx.useSiteInvitation(ctx, u); err != nil {
				return err
			}
		}
		return tx.insertIdentity(ctx, u, i)
	})
}

// ClaimUser gives the account of id, which never confirmed its address, to the owner of i,
// who has proved the address at a provider. Whoever prepared the account loses the password,
// the sessions and every other factor. It returns the user, and ErrChanged if the account has
// confirmed an address, changed it or was disabled in the meantime.
func (db *DB) ClaimUser(ctx context.Context, id uuid.UUID, email string, i *Identity, label string) (u *User, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		if u, err = tx.lockUser(ctx, id); err != nil {
			return asChanged(err)
		}
		if u.Verified() || u.Disabled() || u.EmailKey != text.EmailKey(email) {
			return ErrChanged
		}
		if err := tx.deleteWaysIn(ctx, u.ID); err != nil {
			return err
		}
		if err := tx.markVerified(ctx, u); err != nil {
			return err
		}
		i.LastUsedAt = now()
		if err := tx.insertIdentity(ctx, u, i); err != nil {
			return err
		}
		return tx.setPassword(ctx, u, "", uuid.Nil, MailFactorChanged, MailDetail{Change: EventConnectionAdded, Connection: label})
	})
	return u, err
}

// RemoveIdentity deletes an identity of u, and notifies u by email, which calls the
// provider label. It returns ErrLastWayIn if u has no password, no passkey and no other
// identity, ErrNotFound if there is no such identity, and ErrChanged if u has changed since
// it was read.
func (db *DB) RemoveIdentity(ctx context.Context, u *User, id uuid.UUID, label string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		i, err := tx.IdentityByID(ctx, u.ID, id)
		if err != nil {
			return err
		}
		if _, err := tx.bun.NewDelete().Model(i).WherePK().Exec(ctx); err != nil {
			return err
		}
		if err := tx.requireWayIn(ctx, u); err != nil {
			return err
		}
		return tx.tellFactor(ctx, u, MailDetail{Change: EventConnectionRemoved, Connection: label})
	})
}

// requireWayIn returns ErrLastWayIn if u, who is locked, has no way in left: see
// Factors.WayIn.
func (db *DB) requireWayIn(ctx context.Context, u *User) error {
	factors, err := db.Factors(ctx, u)
	if err == nil && !factors.WayIn() {
		return ErrLastWayIn
	}
	return err
}

// deleteWaysIn removes every way in of user but the password: when the address is proved for
// the first time, somebody else may have prepared them.
func (db *DB) deleteWaysIn(ctx context.Context, user uuid.UUID) error {
	if err := db.deleteFactors(ctx, user); err != nil {
		return err
	}
	return db.deleteIdentities(ctx, user)
}

// deleteIdentities deletes every identity of user.
func (db *DB) deleteIdentities(ctx context.Context, user uuid.UUID) error {
	_, err := db.bun.NewDelete().Model((*Identity)(nil)).Where("user_id = ?", user).Exec(ctx)
	return err
}

// EndSessionsOf ends the sessions that began by the subject of an issuer before that time:
// all of them, or only those of the provider's session. With such a session, the subject may
// be empty. It returns the users whose sessions it ended.
func (db *DB) EndSessionsOf(ctx context.Context, issuer, subject, session string, before time.Time) (users []uuid.UUID, err error) {
	of := func() *bun.SelectQuery {
		identities := db.bun.NewSelect().Model((*Identity)(nil)).Where("issuer = ?", issuer)
		if subject != "" {
			identities = identities.Where("subject = ?", subject)
		}
		return identities
	}
	err = db.InTx(ctx, func(tx *DB) error {
		query := tx.bun.NewDelete().Model((*Session)(nil)).Where("identity_id IN (?)", of().Column("id")).Where("created_at <= ?", before.UTC())
		if subject != "" { // by an index
			query = query.Where("user_id IN (?)", of().Column("user_id"))
		}
		switch {
		case session != "" && subject != "":
			query = query.Where("provider_session = ? OR provider_session IS NULL", session)
		case session != "":
			query = query.Where("provider_session = ?", session)
		}
		if _, err := query.Returning("user_id").Exec(ctx, &users); err != nil {
			return err
		}
		slices.SortFunc(users, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
		users = slices.Compact(users)
		for _, user := range users {
			if err := tx.endSignIns(ctx, user); err != nil {
				return err
			}
		}
		return nil
	})
	return users, err
}
