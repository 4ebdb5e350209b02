package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Organization is a group of users who work together. Its slug is part of its URLs
// and never changes.
type Organization struct {
	bun.BaseModel `bun:"table:organizations,alias:o"`

	ID        uuid.UUID `bun:",pk"`
	Name      string
	NameKey   string `bun:",nullzero"` // empty if it was named by an earlier version
	Slug      string
	CreatedAt time.Time

	// SecondFactorFrom is when the organization begins to require a second factor of its
	// members; zero if it requires none. NoTrust means that a browser that a member
	// trusts doesn't stand in for it.
	SecondFactorFrom time.Time `bun:",nullzero"`
	NoTrust          bool
}

// RequiresSecondFactor reports whether the organization requires a second factor now.
func (o *Organization) RequiresSecondFactor() bool {
	return !o.SecondFactorFrom.IsZero() && !now().Before(o.SecondFactorFrom)
}

// ErrNotAllowed means that the user's current role does not allow the change, even
// if an earlier one did.
var ErrNotAllowed = errors.New("the user's role does not allow this")

// LastOwnerError means that the change would leave the organization without an owner.
type LastOwnerError struct{ Organization *Organization }

func (e *LastOwnerError) Error() string {
	return fmt.Sprintf("the organization %s (%s) would have no owner: make another member its owner, or delete it", e.Organization.Name, e.Organization.Slug)
}

// MaxOwned is how many organizations a user may own to create one more. Ownership that
// others transfer doesn't count.
const MaxOwned = 20

// CreateOrganization stores a new organization with its built-in roles, makes user
// its owner, and fills in its id and time. It returns a *TakenError if the slug is
// taken, and a *FullError if user has MaxOwned or MaxMemberships.
func (db *DB) CreateOrganization(ctx context.Context, o *Organization, user *User) error {
	o.ID, o.NameKey, o.CreatedAt = newID(), Key(o.Name), now()
	roles := []Role{
		newRole(o, RoleOwner, "Owner", nil),
		newRole(o, RoleAdmin, "Admin", nil),
		newRole(o, RoleMember, "Member", nil),
	}
	return db.InTx(ctx, func(tx *DB) error {
		owned := tx.bun.NewSelect().Model((*Membership)(nil)).Join("JOIN roles AS r ON r.id = m.role_id").
			Where("m.user_id = ?", user.ID).Where("r.kind = ?", RoleOwner)
		if err := requireRoom(ctx, MaxOwned, owned); err != nil {
			return err
		}
		if _, err := tx.bun.NewInsert().Model(o).Exec(ctx); err != nil {
			return asTaken(err, map[string]string{"slug": "slug"})
		}
		if _, err := tx.bun.NewInsert().Model(&roles).Exec(ctx); err != nil {
			return err
		}
		return tx.addMember(ctx, o.ID, user.ID, roles[0].ID)
	})
}

// SlugTaken reports whether an organization has that slug.
func (db *DB) SlugTaken(ctx context.Context, slug string) (bool, error) {
	return db.bun.NewSelect().Model((*Organization)(nil)).Where("slug = ?", slug).Exists(ctx)
}

// RenameOrganization renames actor's organization. It returns ErrNotAllowed if
// actor's role does not allow it.
func (db *DB) RenameOrganization(ctx context.Context, actor *Membership, name string) error {
	return db.inOrganization(ctx, actor, EditOrganization, func(tx *DB, _ *Membership) error {
		_, err := tx.bun.NewUpdate().Model((*Organization)(nil)).Set("name = ?", name).Set("name_key = ?", Key(name)).Where("id = ?", actor.OrganizationID).Exec(ctx)
		return err
	})
}

// DeleteOrganization deletes actor's organization and, through foreign keys, all it
// owns. It returns ErrNotAllowed if actor's role does not allow it.
func (db *DB) DeleteOrganization(ctx context.Context, actor *Membership) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, _ *Membership) error {
		return tx.deleteOrganization(ctx, actor.OrganizationID)
	})
}

func (db *DB) deleteOrganization(ctx context.Context, id uuid.UUID) error {
	if err := db.eraseInvited(ctx, id); err != nil {
		return err
	}
	_, err := db.bun.NewDelete().Model((*Organization)(nil)).Where("id = ?", id).Exec(ctx)
	return err
}

// inOrganization runs f in a transaction that locks the members and roles of
// actor's organization. It passes f a fresh copy of actor. It returns ErrNotAllowed
// if actor's role no longer allows need, and ErrNotFound if actor has left. An
// empty need allows every member.
func (db *DB) inOrganization(ctx context.Context, actor *Membership, need Permission, f func(tx *DB, actor *Membership) error) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.lockOrganization(ctx, actor.OrganizationID); err != nil {
			return err
		}
		actor, err := tx.MemberByID(ctx, actor.OrganizationID, actor.ID)
		if err != nil {
			return err
		}
		if need != "" && !actor.Role.May(need) {
			return ErrNotAllowed
		}
		return f(tx, actor)
	})
}

// lockOrganization serializes changes of an organization's members and roles;
// SQLite has one writer anyway. Lock a user, if needed, before the organization.
// It returns ErrNotFound if the organization was deleted.
func (db *DB) lockOrganization(ctx context.Context, id uuid.UUID) error {
	query := db.bun.NewSelect().Model((*Organization)(nil)).Column("id").Where("id = ?", id)
	if db.Postgres() {
		query = query.For("NO KEY UPDATE") // still allows inserting rows that refer to it
	}
	return asNotFound(query.Scan(ctx, new(uuid.UUID)))
}

// OwnedOrganization is an organization whose last owner is about to delete their
// account.
type OwnedOrganization struct {
	Organization *Organization
	Others       bool // whether it has other members
}

// OwnedOrganizations lists the organizations whose last owner is user.
func (db *DB) OwnedOrganizations(ctx context.Context, user *User) ([]OwnedOrganization, error) {
	all, err := db.Memberships(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	var owned []OwnedOrganization
	for _, m := range all {
		last, err := db.isLastOwner(ctx, &m)
		if err != nil {
			return nil, err
		}
		if !last {
			continue
		}
		others, err := db.bun.NewSelect().Model((*Membership)(nil)).
			Where("organization_id = ?", m.OrganizationID).Where("id <> ?", m.ID).Exists(ctx)
		if err != nil {
			return nil, err
		}
		owned = append(owned, OwnedOrganization{m.Organization, others})
	}
	return owned, nil
}

// leaveOrganizations prepares for the deletion of a user: it deletes the
// organizations that have no other member. It returns a *LastOwnerError if another
// organization would be left without an owner. The user must be locked, so that
// they can't join one in the meantime.
func (db *DB) leaveOrganizations(ctx context.Context, user *User) error {
	if err := db.lockOrganizations(ctx, user.ID); err != nil {
		return err
	}
	owned, err := db.OwnedOrganizations(ctx, user)
	if err != nil {
		return err
	}
	for _, o := range owned {
		if o.Others {
			return &LastOwnerError{o.Organization}
		}
		if err := db.deleteOrganization(ctx, o.Organization.ID); err != nil {
			return err
		}
	}
	return nil
}
