package models

import (
	"context"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Role is a set of permissions in an organization.
type Role struct {
	bun.BaseModel `bun:"table:roles,alias:r"`

	ID             uuid.UUID `bun:",pk"`
	OrganizationID uuid.UUID
	Kind           RoleKind
	Name           string
	NameKey        string
	Permissions    []Permission // of a custom role; permission.go has those of the other kinds

	Members int64 `bun:",scanonly"` // of the organization; only RolesAndMembers reads it
}

func newRole(o *Organization, kind RoleKind, name string, allowed []Permission) Role {
	return Role{ID: newID(), OrganizationID: o.ID, Kind: kind, Name: name, NameKey: Key(name), Permissions: allowed}
}

var roleConstraints = map[string]string{"name_key": "name"}

// Roles lists the roles of an organization: owner, admin, member, then custom roles
// by name.
func (db *DB) Roles(ctx context.Context, organization uuid.UUID) ([]Role, error) {
	var roles []Role
	err := db.selectRoles(&roles, organization).Scan(ctx)
	return roles, err
}

func (db *DB) selectRoles(roles *[]Role, organization uuid.UUID) *bun.SelectQuery {
	return db.bun.NewSelect().Conn(db.prepared(organization)).Model(roles).Where("r.organization_id = ?", db.parameter(1)).
		OrderExpr("CASE kind WHEN ? THEN 0 WHEN ? THEN 1 WHEN ? THEN 2 ELSE 3 END, name_key", RoleOwner, RoleAdmin, RoleMember)
}

// RolesAndMembers returns the roles of an organization, as Roles does, and how many members
// it has. Counting them in a query of its own would take a tenth of the time of the members
// page, and counting them by role another.
func (db *DB) RolesAndMembers(ctx context.Context, organization uuid.UUID) (roles []Role, members int64, err error) {
	count := db.bun.NewSelect().Model((*Membership)(nil)).ColumnExpr("count(*)").Where("m.organization_id = ?", db.parameter(1))
	err = db.selectRoles(&roles, organization).ColumnExpr("r.*").ColumnExpr("(?) AS members", count).Scan(ctx)
	if len(roles) > 0 {
		members = roles[0].Members
	}
	return roles, members, err
}

// RoleByID finds a role of an organization. It returns ErrNotFound if there is none.
func (db *DB) RoleByID(ctx context.Context, organization, id uuid.UUID) (*Role, error) {
	r := new(Role)
	err := db.bun.NewSelect().Model(r).Where("id = ?", id).Where("organization_id = ?", organization).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return r, nil
}

// MaxRoles is how many custom roles an organization may have, as pages list them all.
const MaxRoles = 50

// CreateRole adds a custom role to actor's organization. It returns ErrNotAllowed
// if actor's role does not allow it, a *TakenError if a role has that name, and a
// *FullError if there are MaxRoles already.
func (db *DB) CreateRole(ctx context.Context, actor *Membership, name string, allowed []Permission) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, _ *Membership) error {
		custom := tx.bun.NewSelect().Model((*Role)(nil)).Where("organization_id = ?", actor.OrganizationID).Where("kind = ?", RoleCustom)
		if err := requireRoom(ctx, MaxRoles, custom); err != nil {
			return err
		}
		r := newRole(actor.Organization, RoleCustom, name, allowed)
		_, err := tx.bun.NewInsert().Model(&r).Exec(ctx)
		return asTaken(err, roleConstraints)
	})
}

// UpdateRole changes a custom role of actor's organization. It returns
// ErrNotAllowed if actor's role does not allow it, ErrNotFound if there is no such
// role, and a *TakenError if another role has that name.
func (db *DB) UpdateRole(ctx context.Context, actor *Membership, id uuid.UUID, name string, allowed []Permission) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, _ *Membership) error {
		r := newRole(actor.Organization, RoleCustom, name, allowed)
		result, err := tx.bun.NewUpdate().Model(&r).Column("name", "name_key", "permissions").
			Where("id = ?", id).Where("organization_id = ?", actor.OrganizationID).Where("kind = ?", RoleCustom).Exec(ctx)
		if err != nil {
			return asTaken(err, roleConstraints)
		}
		return requireRows(result)
	})
}

// DeleteRole deletes a custom role of actor's organization. Its members and
// invitations get the role "Member" instead. It returns ErrNotAllowed if actor's
// role does not allow it, and ErrNotFound if there is no such role.
func (db *DB) DeleteRole(ctx context.Context, actor *Membership, id uuid.UUID) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, _ *Membership) error {
		plain := tx.bun.NewSelect().Model((*Role)(nil)).Column("id").
			Where("organization_id = ?", actor.OrganizationID).Where("kind = ?", RoleMember)
		for _, model := range []any{(*Membership)(nil), (*Invitation)(nil)} {
			_, err := tx.bun.NewUpdate().Model(model).Set("role_id = (?)", plain).
				Where("organization_id = ?", actor.OrganizationID).Where("role_id = ?", id).Exec(ctx)
			if err != nil {
				return err
			}
		}
		result, err := tx.bun.NewDelete().Model((*Role)(nil)).
			Where("id = ?", id).Where("organization_id = ?", actor.OrganizationID).Where("kind = ?", RoleCustom).Exec(ctx)
		if err != nil {
			return err
		}
		return requireRows(result)
	})
}
