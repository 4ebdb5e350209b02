package models

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// HandOver makes newOwner an owner of every organization whose last owner is user and
// that has other members, and returns these organizations. It returns a *NoMemberError
// if newOwner is no member of one, or is disabled.
func (db *DB) HandOver(ctx context.Context, user, newOwner *User) (handed []Organization, err error) {
	err = db.eachOwned(ctx, user, func(tx *DB, o *Organization) error {
		m, err := tx.MembershipBySlug(ctx, o.Slug, newOwner.ID)
		if errors.Is(err, ErrNotFound) || err == nil && (newOwner.Disabled() || newOwner.ID == user.ID) {
			return &NoMemberError{newOwner, o}
		}
		if err != nil {
			return err
		}
		handed = append(handed, *o)
		return tx.setRole(ctx, m, RoleOwner)
	})
	return handed, err
}

// NoMemberError means that the user can't become an owner of the organization.
type NoMemberError struct {
	User         *User
	Organization *Organization
}

func (e *NoMemberError) Error() string {
	return e.User.Login() + " is disabled or no member of the organization " + e.Organization.Name + " (" + e.Organization.Slug + ")"
}

// DeleteOwned deletes every organization whose last owner is user and that has other
// members, and returns these organizations.
func (db *DB) DeleteOwned(ctx context.Context, user *User) (deleted []Organization, err error) {
	err = db.eachOwned(ctx, user, func(tx *DB, o *Organization) error {
		deleted = append(deleted, *o)
		return tx.deleteOrganization(ctx, o.ID)
	})
	return deleted, err
}

// LeftWithoutOwner lists the organizations with other members whose last owner is user.
func (db *DB) LeftWithoutOwner(ctx context.Context, user *User) ([]Organization, error) {
	owned, err := db.OwnedOrganizations(ctx, user)
	var left []Organization
	for _, o := range owned {
		if o.Others {
			left = append(left, *o.Organization)
		}
	}
	return left, err
}

// eachOwned calls f for each organization with other members whose last owner is user, in
// one transaction that locks the organizations of user.
func (db *DB) eachOwned(ctx context.Context, user *User, f func(tx *DB, o *Organization) error) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, user.ID); err != nil {
			return asChanged(err)
		}
		if err := tx.lockOrganizations(ctx, user.ID); err != nil {
			return err
		}
		left, err := tx.LeftWithoutOwner(ctx, user)
		if err != nil {
			return err
		}
		for i := range left {
			if err := f(tx, &left[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// lockOrganizations locks the organizations of a user, in order to avoid deadlocks.
func (db *DB) lockOrganizations(ctx context.Context, user uuid.UUID) error {
	var ids []uuid.UUID
	err := db.bun.NewSelect().Model((*Membership)(nil)).Column("organization_id").
		Where("user_id = ?", user).Order("organization_id").Scan(ctx, &ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := db.lockOrganization(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
