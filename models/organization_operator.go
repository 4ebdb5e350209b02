package models

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/google/uuid"

	"vestibule/app/text"
)

// AllOrganizations iterates over the organizations in the order they were created: all of
// them, or those whose name or address contains search, in any case.
func (db *DB) AllOrganizations(ctx context.Context, search string) iter.Seq2[*Organization, error] {
	search = Key(text.Line(search))
	all := paginate(func(after uuid.UUID) ([]Organization, error) {
		var organizations []Organization
		err := db.bun.NewSelect().Model(&organizations).Where("o.id > ?", after).Order("o.id").Limit(pageSize).Scan(ctx)
		return organizations, err
	}, func(o *Organization) uuid.UUID { return o.ID })
	return func(yield func(*Organization, error) bool) {
		for o, err := range all {
			matches := err != nil || strings.Contains(Key(o.Name), search) || strings.Contains(o.Slug, search)
			if matches && !yield(o, err) {
				return
			}
		}
	}
}

// OrganizationBySlug finds an organization. It returns ErrNotFound if there is none.
func (db *DB) OrganizationBySlug(ctx context.Context, slug string) (*Organization, error) {
	o := new(Organization)
	if err := db.bun.NewSelect().Model(o).Where("o.slug = ?", slug).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return o, nil
}

// MakeOwner makes user an owner of o, because an operator says so. Unless it is nil, the
// owner former becomes an admin. It returns a *NoMemberError if user is no member or is
// disabled, or former is no owner.
func (db *DB) MakeOwner(ctx context.Context, o *Organization, user, former *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.lockOrganization(ctx, o.ID); err != nil {
			return err
		}
		m, err := tx.MembershipBySlug(ctx, o.Slug, user.ID)
		if errors.Is(err, ErrNotFound) || err == nil && user.Disabled() {
			return &NoMemberError{user, o}
		}
		if err != nil {
			return err
		}
		if former != nil {
			from, err := tx.MembershipBySlug(ctx, o.Slug, former.ID)
			if errors.Is(err, ErrNotFound) || err == nil && from.Role.Kind != RoleOwner {
				return ErrNotAllowed
			}
			if err != nil {
				return err
			}
			if err := tx.setRole(ctx, from, RoleAdmin); err != nil {
				return err
			}
		}
		return tx.setRole(ctx, m, RoleOwner)
	})
}

// RemoveOrganization deletes o and, through foreign keys, all it owns, because an operator
// says so. It returns ErrNotFound if it was deleted already.
func (db *DB) RemoveOrganization(ctx context.Context, o *Organization) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.lockOrganization(ctx, o.ID); err != nil {
			return err
		}
		return tx.deleteOrganization(ctx, o.ID)
	})
}
