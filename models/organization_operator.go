package models

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
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

// OrganizationSearch selects organizations for an operator.
type OrganizationSearch struct {
	Text   string    // the beginning of a name or an address, or a whole id; empty for all
	Before uuid.UUID // only organizations before this one; zero for the newest
	Limit  int
}

// Organizations lists organizations. Without a text the newest come first. With one, they are
// those that it finds first, in the order of their names, and Before doesn't count, as with
// [DB.People].
func (db *DB) Organizations(ctx context.Context, search OrganizationSearch) ([]Organization, error) {
	var found []Organization
	if id, err := uuid.Parse(search.Text); err == nil {
		err := db.bun.NewSelect().Model(&found).Where("o.id = ?", id).Scan(ctx)
		return found, err
	}
	key := searchKey(search.Text)
	if key == "" {
		err := db.bun.NewSelect().Model(&found).Apply(newestBefore(search.Before, int64(search.Limit))).Scan(ctx)
		return found, err
	}
	for _, column := range []string{"coalesce(o.name_key, lower(o.name))", "o.slug"} {
		var some []Organization
		if err := db.bun.NewSelect().Model(&some).Apply(db.beginsWith(column, key)).Order("o.id").Limit(int64(search.Limit)).Scan(ctx); err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b Organization) int {
		return cmp.Or(cmp.Compare(Key(a.Name), Key(b.Name)), bytes.Compare(a.ID[:], b.ID[:]))
	})
	found = slices.CompactFunc(found, func(a, b Organization) bool { return a.ID == b.ID })
	return found[:min(len(found), search.Limit)], nil
}

// MemberCounts returns how many members each of the organizations has, up to MaxCount.
func (db *DB) MemberCounts(ctx context.Context, organizations ...Organization) (map[uuid.UUID]int64, error) {
	counts := map[uuid.UUID]int64{}
	for _, o := range organizations {
		n, err := db.countUpToMax(ctx, db.bun.NewSelect().Model((*Membership)(nil)).Where("m.organization_id = ?", o.ID))
		if err != nil {
			return nil, err
		}
		counts[o.ID] = n
	}
	return counts, nil
}

// OrganizationByID finds an organization. It returns ErrNotFound if there is none.
func (db *DB) OrganizationByID(ctx context.Context, id uuid.UUID) (*Organization, error) {
	o := new(Organization)
	if err := db.bun.NewSelect().Model(o).Where("o.id = ?", id).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return o, nil
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
