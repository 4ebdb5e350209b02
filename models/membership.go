package models

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Membership is a user's place in an organization.
type Membership struct {
	bun.BaseModel `bun:"table:memberships,alias:m"`

	ID             uuid.UUID `bun:",pk"`
	OrganizationID uuid.UUID
	UserID         uuid.UUID
	RoleID         uuid.UUID
	CreatedAt      time.Time

	Organization *Organization `bun:"rel:belongs-to,join:organization_id=id"`
	User         *User         `bun:"rel:belongs-to,join:user_id=id"`
	Role         *Role         `bun:"rel:belongs-to,join:role_id=id"`
}

// addMember makes user a member. One who is it already stays as it was.
func (db *DB) addMember(ctx context.Context, organization, user, role uuid.UUID) error {
	m := &Membership{ID: newID(), OrganizationID: organization, UserID: user, RoleID: role, CreatedAt: now()}
	_, err := db.bun.NewInsert().Model(m).On("CONFLICT DO NOTHING").Exec(ctx)
	return err
}

// person reads of a related user what others in an organization may see.
func person(q *bun.SelectQuery) *bun.SelectQuery {
	return q.Column("id", "username", "username_key", "email", "first_name", "last_name")
}

// MembershipBySlug finds the place of user in the organization of that slug,
// with the organization and the role, in one query. It returns ErrNotFound when
// there is no such organization, or the user is not in it.
func (db *DB) MembershipBySlug(ctx context.Context, slug string, user uuid.UUID) (*Membership, error) {
	m := new(Membership)
	err := db.bun.NewSelect().Conn(db.prepared(slug, user)).Model(m).Relation("Organization").Relation("Role").
		Where("organization.slug = ?", db.parameter(1)).Where("m.user_id = ?", db.parameter(2)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// Memberships lists the organizations that user is in, in the order of joining.
func (db *DB) Memberships(ctx context.Context, user uuid.UUID) ([]Membership, error) {
	var all []Membership
	err := db.bun.NewSelect().Conn(db.prepared(user)).Model(&all).Relation("Organization").Relation("Role").
		Where("m.user_id = ?", db.parameter(1)).Order("m.id").Scan(ctx)
	return all, err
}

// MemberSearch says which members to list.
type MemberSearch struct {
	Text   string    // what the name or username holds, in any case; empty for all
	Emails bool      // whether to look at e-mail addresses too
	After  uuid.UUID // only those who joined after this one
	Limit  int64
}

// maxSearch cuts what is searched for, in bytes; no name is longer.
const maxSearch = 300

// Members lists members of an organization in the order of joining, with user
// and role.
func (db *DB) Members(ctx context.Context, organization uuid.UUID, search MemberSearch) ([]Membership, error) {
	var members []Membership
	query := db.bun.NewSelect().Model(&members).Relation("User", person).Relation("Role").Order("m.id").Limit(search.Limit)
	if text := Key(clean(search.Text, maxSearch)); text == "" {
		query = query.Conn(db.prepared(organization, search.After)).
			Where("m.organization_id = ?", db.parameter(1)).Where("m.id > ?", db.parameter(2))
	} else { // not prepared: which plan is good depends on how many rows the text is in
		like := "%" + escapeLike(text) + "%"
		query = query.Where("m.organization_id = ?", organization).Where("m.id > ?", search.After)
		query = query.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			q = q.Where("?.name_key LIKE ? ESCAPE '!'", bun.Ident("user"), like).
				WhereOr("?.username_key LIKE ? ESCAPE '!'", bun.Ident("user"), like)
			if search.Emails {
				q = q.WhereOr("?.email_key LIKE ? ESCAPE '!'", bun.Ident("user"), like)
			}
			return q
		})
	}
	err := query.Scan(ctx)
	return members, err
}

// escapeLike makes of text a pattern for LIKE that means itself.
func escapeLike(text string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(text)
}

// MemberByID finds a member of an organization, with user and role. It returns
// ErrNotFound when there is none.
func (db *DB) MemberByID(ctx context.Context, organization, id uuid.UUID) (*Membership, error) {
	m := new(Membership)
	err := db.bun.NewSelect().Model(m).Relation("Organization").Relation("User", person).Relation("Role").
		Where("m.organization_id = ?", organization).Where("m.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// SetRole gives the member of that id another role. It returns ErrNotFound when
// the organization of actor has no such member or role, ErrNotAllowed when the
// role of actor does not cover the old and the new one, and a *LastOwnerError
// for its last owner.
func (db *DB) SetRole(ctx context.Context, actor *Membership, member, role uuid.UUID) error {
	return db.inOrganization(ctx, actor, ManageMembers, func(tx *DB, actor *Membership) error {
		m, err := tx.managed(ctx, actor, member)
		if err != nil {
			return err
		}
		r, err := tx.RoleByID(ctx, actor.OrganizationID, role)
		if err != nil {
			return err
		}
		if !actor.Role.Covers(r) {
			return ErrNotAllowed
		}
		if r.Kind != RoleOwner {
			if err := tx.keepAnOwner(ctx, m); err != nil {
				return err
			}
		}
		_, err = tx.bun.NewUpdate().Model(m).WherePK().Set("role_id = ?", r.ID).Exec(ctx)
		return err
	})
}

// RemoveMember ends the membership of that id. Its errors are those of SetRole.
func (db *DB) RemoveMember(ctx context.Context, actor *Membership, member uuid.UUID) error {
	return db.inOrganization(ctx, actor, ManageMembers, func(tx *DB, actor *Membership) error {
		m, err := tx.managed(ctx, actor, member)
		if err != nil {
			return err
		}
		return tx.endMembership(ctx, m)
	})
}

// Leave ends the membership of actor. It returns a *LastOwnerError for the last
// owner of the organization.
func (db *DB) Leave(ctx context.Context, actor *Membership) error {
	return db.inOrganization(ctx, actor, "", func(tx *DB, actor *Membership) error { return tx.endMembership(ctx, actor) })
}

// TransferOwnership makes the member of that username an owner, and of actor an
// admin. It returns ErrNotFound when there is no other member of that username, or
// that one is disabled.
func (db *DB) TransferOwnership(ctx context.Context, actor *Membership, username string) (*Membership, error) {
	heir := new(Membership)
	err := db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, actor *Membership) error {
		err := tx.bun.NewSelect().Model(heir).Relation("User", person).Where("m.organization_id = ?", actor.OrganizationID).
			Where("?.username_key = ?", bun.Ident("user"), Key(username)).Where("m.id <> ?", actor.ID).
			Where("?.disabled_at IS NULL", bun.Ident("user")).Scan(ctx)
		if err != nil {
			return asNotFound(err)
		}
		if err := tx.setRole(ctx, heir, RoleOwner); err != nil {
			return err
		}
		return tx.setRole(ctx, actor, RoleAdmin)
	})
	return heir, err
}

// managed finds a member whom actor may change.
func (db *DB) managed(ctx context.Context, actor *Membership, member uuid.UUID) (*Membership, error) {
	m, err := db.MemberByID(ctx, actor.OrganizationID, member)
	if err != nil {
		return nil, err
	}
	if !actor.Role.Covers(m.Role) {
		return nil, ErrNotAllowed
	}
	return m, nil
}

// setRole gives m the role of that kind, of which there is one.
func (db *DB) setRole(ctx context.Context, m *Membership, kind RoleKind) error {
	role := db.bun.NewSelect().Model((*Role)(nil)).Column("id").
		Where("organization_id = ?", m.OrganizationID).Where("kind = ?", kind)
	_, err := db.bun.NewUpdate().Model(m).WherePK().Set("role_id = (?)", role).Exec(ctx)
	return err
}

// endMembership takes m out, and what m invited to.
func (db *DB) endMembership(ctx context.Context, m *Membership) error {
	if err := db.keepAnOwner(ctx, m); err != nil {
		return err
	}
	_, err := db.bun.NewDelete().Model((*Invitation)(nil)).
		Where("organization_id = ?", m.OrganizationID).Where("inviter_id = ?", m.UserID).Exec(ctx)
	if err != nil {
		return err
	}
	_, err = db.bun.NewDelete().Model(m).WherePK().Exec(ctx)
	return err
}

// keepAnOwner returns a *LastOwnerError when m is the last owner.
func (db *DB) keepAnOwner(ctx context.Context, m *Membership) error {
	last, err := db.lastOwner(ctx, m)
	if err == nil && last {
		err = &LastOwnerError{m.Organization}
	}
	return err
}

func (db *DB) lastOwner(ctx context.Context, m *Membership) (bool, error) {
	if m.Role.Kind != RoleOwner {
		return false, nil
	}
	others, err := db.bun.NewSelect().Model((*Membership)(nil)).Join("JOIN users AS u ON u.id = m.user_id").
		Where("m.organization_id = ?", m.OrganizationID).Where("m.role_id = ?", m.RoleID).Where("m.id <> ?", m.ID).
		Where("u.disabled_at IS NULL").Exists(ctx)
	return !others, err
}
