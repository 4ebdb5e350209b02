package models

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Organization is what people do something in together. Its slug stands in
// every URL of it, and stays.
type Organization struct {
	bun.BaseModel `bun:"table:organizations,alias:o"`

	ID        uuid.UUID `bun:",pk"`
	Name      string
	Slug      string
	CreatedAt time.Time
}

// ErrNotAllowed says that the person's role does not allow the change, be it
// that it was another when they began.
var ErrNotAllowed = errors.New("the role does not allow it")

// LastOwnerError says that the change would leave the organization to nobody.
type LastOwnerError struct{ Organization *Organization }

func (e *LastOwnerError) Error() string {
	return fmt.Sprintf("the last owner of the organization %s (%s) must make somebody else its owner, or delete it", e.Organization.Name, e.Organization.Slug)
}

// CreateOrganization stores a new organization with its first roles and user as
// its owner. It fills in the id and the time. It returns a *TakenError when the
// slug belongs to another.
func (db *DB) CreateOrganization(ctx context.Context, o *Organization, user *User) error {
	o.ID, o.CreatedAt = newID(), now()
	roles := []Role{
		newRole(o, RoleOwner, "Owner", nil),
		newRole(o, RoleAdmin, "Admin", nil),
		newRole(o, RoleMember, "Member", nil),
	}
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.bun.NewInsert().Model(o).Exec(ctx); err != nil {
			return taken(err, map[string]string{"slug": "slug"})
		}
		if _, err := tx.bun.NewInsert().Model(&roles).Exec(ctx); err != nil {
			return err
		}
		return tx.addMember(ctx, o.ID, user.ID, roles[0].ID)
	})
}

// SlugTaken tells whether an organization has that slug.
func (db *DB) SlugTaken(ctx context.Context, slug string) (bool, error) {
	return db.bun.NewSelect().Model((*Organization)(nil)).Where("slug = ?", slug).Exists(ctx)
}

// RenameOrganization gives the organization of actor another name.
func (db *DB) RenameOrganization(ctx context.Context, actor *Membership, name string) error {
	return db.inOrganization(ctx, actor, EditOrganization, func(tx *DB, _ *Membership) error {
		_, err := tx.bun.NewUpdate().Model((*Organization)(nil)).Set("name = ?", name).Where("id = ?", actor.OrganizationID).Exec(ctx)
		return err
	})
}

// DeleteOrganization removes the organization of actor and, by the foreign keys,
// all that hangs on it.
func (db *DB) DeleteOrganization(ctx context.Context, actor *Membership) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, _ *Membership) error {
		return tx.deleteOrganization(ctx, actor.OrganizationID)
	})
}

func (db *DB) deleteOrganization(ctx context.Context, id uuid.UUID) error {
	_, err := db.bun.NewDelete().Model((*Organization)(nil)).Where("id = ?", id).Exec(ctx)
	return err
}

// inOrganization runs f in a transaction, while no other changes who may do what
// in the organization of actor. It reads actor anew, and returns ErrNotAllowed
// when by now the role does not allow need, or ErrNotFound when actor has left.
// An empty need is what every member may.
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

// lockOrganization makes those who change members or roles of an organization
// come one after the other; SQLite has one writer anyway. Who locks a user too
// does that before. It returns ErrNotFound when the organization has gone.
func (db *DB) lockOrganization(ctx context.Context, id uuid.UUID) error {
	query := db.bun.NewSelect().Model((*Organization)(nil)).Column("id").Where("id = ?", id)
	if db.Postgres() {
		query = query.For("NO KEY UPDATE") // rows that refer to it may still be added
	}
	return asNotFound(query.Scan(ctx, new(uuid.UUID)))
}

// OwnedOrganization is what becomes of an organization when its last owner deletes the account.
type OwnedOrganization struct {
	Organization *Organization
	Others       bool // there are other members, who would be left without an owner
}

// OwnedOrganizations lists the organizations of which user is the last owner.
func (db *DB) OwnedOrganizations(ctx context.Context, user *User) ([]OwnedOrganization, error) {
	all, err := db.Memberships(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	var fates []OwnedOrganization
	for _, m := range all {
		last, err := db.lastOwner(ctx, &m)
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
		fates = append(fates, OwnedOrganization{m.Organization, others})
	}
	return fates, nil
}

// leaveOrganizations makes way for the end of a user's account: organizations
// that are the user's alone go too. It returns a *LastOwnerError for one that
// would be left without an owner. The user is to be locked, so that none is
// joined meanwhile.
func (db *DB) leaveOrganizations(ctx context.Context, user *User) error {
	var ids []uuid.UUID // in order, so that no two wait for each other
	err := db.bun.NewSelect().Model((*Membership)(nil)).Column("organization_id").
		Where("user_id = ?", user.ID).Order("organization_id").Scan(ctx, &ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := db.lockOrganization(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	fates, err := db.OwnedOrganizations(ctx, user)
	if err != nil {
		return err
	}
	for _, fate := range fates {
		if fate.Others {
			return &LastOwnerError{fate.Organization}
		}
		if err := db.deleteOrganization(ctx, fate.Organization.ID); err != nil {
			return err
		}
	}
	return nil
}
