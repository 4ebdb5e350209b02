package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// Membership makes a user a member of an organization, with a role.
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

// MaxMemberships is how many organizations a user may be a member of, as pages list them
// all.
const MaxMemberships = 100

// addMember makes user a member. It leaves an existing member unchanged. It returns a
// *FullError if user has MaxMemberships.
func (db *DB) addMember(ctx context.Context, organization, user, role uuid.UUID) error {
	others := db.bun.NewSelect().Model((*Membership)(nil)).Where("m.user_id = ?", user).Where("m.organization_id <> ?", organization)
	if err := requireRoom(ctx, MaxMemberships, others); err != nil {
		return err
	}
	m := &Membership{ID: newID(), OrganizationID: organization, UserID: user, RoleID: role, CreatedAt: now()}
	_, err := db.bun.NewInsert().Model(m).On("CONFLICT DO NOTHING").Exec(ctx)
	return err
}

// publicColumns selects the columns of a related user that other members may see.
func publicColumns(q *bun.SelectQuery) *bun.SelectQuery {
	return q.Column("id", "username", "username_key", "email", "email_key", "first_name", "last_name")
}

// loginColumns selects the columns of a related user that [User.Login] needs.
func loginColumns(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username", "email") }

// MembershipBySlug finds user's membership of the organization with that slug, and
// its organization and role, in one query. It returns ErrNotFound if there is no
// such organization or user is not in it.
func (db *DB) MembershipBySlug(ctx context.Context, slug string, user uuid.UUID) (*Membership, error) {
	m := new(Membership)
	err := db.bun.NewSelect().Conn(db.prepared(slug, user)).Model(m).Relation("Organization").Relation("Role").
		Where("organization.slug = ?", db.parameter(1)).Where("m.user_id = ?", db.parameter(2)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// Memberships lists user's memberships with organization and role, in the order
// user joined.
func (db *DB) Memberships(ctx context.Context, user uuid.UUID) ([]Membership, error) {
	var all []Membership
	err := db.bun.NewSelect().Conn(db.prepared(user)).Model(&all).Relation("Organization").Relation("Role").
		Where("m.user_id = ?", db.parameter(1)).Order("m.id").Scan(ctx)
	return all, err
}

// MemberSearch selects members, and orders them.
type MemberSearch struct {
	Text       string    // in the name or username, in any case; empty for all
	Emails     bool      // search email addresses too
	Role       uuid.UUID // only members with this role; zero for all
	OneFactor  bool      // only members without a second factor
	ByName     bool      // in the order of names, not in which they joined
	Descending bool
	After      uuid.UUID // only members after this one; zero for the first
	AfterName  string    // its User.NameKey, if they are ordered by name
	Limit      int64
}

// Members lists members of an organization, each with what a list shows of the user. Their
// roles are among those of [DB.Roles]: reading them in each row again takes a third of the
// time.
func (db *DB) Members(ctx context.Context, organization uuid.UUID, search MemberSearch) ([]Membership, error) {
	var members []Membership
	shown := func(q *bun.SelectQuery) *bun.SelectQuery { // no more, as scanning is most of the work
		q = q.Column("id", "username", "email", "first_name", "last_name")
		if search.ByName {
			q = q.Column("name_key")
		}
		return q
	}
	query := db.bun.NewSelect().Model(&members).Column("id", "user_id", "role_id", "created_at").Relation("User", shown).Limit(search.Limit)
	key := searchKey(search.Text)
	if key == "" && search.Role == uuid.Nil && !search.OneFactor && !search.ByName && !search.Descending {
		err := query.Conn(db.prepared(organization, search.After)).Order("m.id").
			Where("m.organization_id = ?", db.parameter(1)).Where("m.id > ?", db.parameter(2)).Scan(ctx)
		return members, err
	}
	// Not prepared: the best plan depends on how many rows match.
	query = query.Where("m.organization_id = ?", organization)
	after, direction := bun.Safe(">"), bun.Safe("ASC")
	if search.Descending {
		after, direction = "<", "DESC"
	}
	if search.ByName {
		query = query.OrderExpr("?.name_key ?, m.id ?", bun.Ident("user"), direction, direction)
		if search.After != uuid.Nil {
			query = query.Where("(?.name_key, m.id) ? (?, ?)", bun.Ident("user"), after, search.AfterName, search.After)
		}
	} else {
		query = query.OrderExpr("m.id ?", direction)
		if search.After != uuid.Nil {
			query = query.Where("m.id ? ?", after, search.After)
		}
	}
	if search.Role != uuid.Nil {
		query = query.Where("m.role_id = ?", search.Role)
	}
	if search.OneFactor {
		query = query.Apply(db.withOneFactor)
	}
	if key != "" {
		query = query.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			q = q.Where("?(?.name_key, ?) > 0", db.position(), bun.Ident("user"), key)
			if db.usernames != UsernamesOff {
				q = q.WhereOr("?.username <> '' AND ?(?.username_key, ?) > 0", bun.Ident("user"), db.position(), bun.Ident("user"), key)
			}
			if search.Emails {
				q = q.WhereOr("?(?.email_key, ?) > 0", db.position(), bun.Ident("user"), text.EmailSearch(key))
			}
			return q
		})
	}
	err := query.Scan(ctx)
	return members, err
}

// CountMembers returns how many members an organization has.
func (db *DB) CountMembers(ctx context.Context, organization uuid.UUID) (int64, error) {
	return db.bun.NewSelect().Model((*Membership)(nil)).Where("organization_id = ?", organization).Count(ctx)
}

// MemberByID finds a member of an organization, with organization, user and role.
// It returns ErrNotFound if there is none.
func (db *DB) MemberByID(ctx context.Context, organization, id uuid.UUID) (*Membership, error) {
	m := new(Membership)
	err := db.bun.NewSelect().Model(m).Relation("Organization").Relation("User", publicColumns).Relation("Role").
		Where("m.organization_id = ?", organization).Where("m.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// SetRole gives a member of actor's organization another role. It returns
// ErrNotFound if there is no such member or role, ErrNotAllowed if actor's role
// does not cover the old and the new one, and a *LastOwnerError if the member is
// the last owner.
func (db *DB) SetRole(ctx context.Context, actor *Membership, member, role uuid.UUID) error {
	return db.inOrganization(ctx, actor, ManageMembers, func(tx *DB, actor *Membership) error {
		m, err := tx.manageableMember(ctx, actor, member)
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
			if err := tx.requireOtherOwner(ctx, m); err != nil {
				return err
			}
		}
		_, err = tx.bun.NewUpdate().Model(m).WherePK().Set("role_id = ?", r.ID).Exec(ctx)
		return err
	})
}

// RemoveMember removes a member of actor's organization. Its errors are those of
// SetRole.
func (db *DB) RemoveMember(ctx context.Context, actor *Membership, member uuid.UUID) error {
	return db.inOrganization(ctx, actor, ManageMembers, func(tx *DB, actor *Membership) error {
		m, err := tx.manageableMember(ctx, actor, member)
		if err != nil {
			return err
		}
		return tx.endMembership(ctx, m)
	})
}

// Leave removes actor from the organization. It returns a *LastOwnerError if actor
// is its last owner.
func (db *DB) Leave(ctx context.Context, actor *Membership) error {
	return db.inOrganization(ctx, actor, "", func(tx *DB, actor *Membership) error { return tx.endMembership(ctx, actor) })
}

// NewOwners lists up to limit members to whom actor may transfer the ownership, with user,
// by name.
func (db *DB) NewOwners(ctx context.Context, actor *Membership, limit int64) ([]Membership, error) {
	var members []Membership
	err := db.bun.NewSelect().Model(&members).Relation("User", publicColumns).
		Where("m.organization_id = ?", actor.OrganizationID).Where("m.id <> ?", actor.ID).
		Where("?.disabled_at IS NULL", bun.Ident("user")).
		OrderExpr("?.name_key, m.id", bun.Ident("user")).Limit(limit).Scan(ctx)
	return members, err
}

// TransferOwnership makes the member with that username or email address an owner and
// actor an admin. It returns ErrNotFound if no other member has it or the member is
// disabled.
func (db *DB) TransferOwnership(ctx context.Context, actor *Membership, login string) (*Membership, error) {
	newOwner := new(Membership)
	column, key := db.loginKey(login)
	err := db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, actor *Membership) error {
		err := tx.bun.NewSelect().Model(newOwner).Relation("User", publicColumns).Where("m.organization_id = ?", actor.OrganizationID).
			Where("?.? = ?", bun.Ident("user"), bun.Ident(column), key).Where("m.id <> ?", actor.ID).
			Where("?.disabled_at IS NULL", bun.Ident("user")).Scan(ctx)
		if err != nil {
			return asNotFound(err)
		}
		if err := tx.setRole(ctx, newOwner, RoleOwner); err != nil {
			return err
		}
		return tx.setRole(ctx, actor, RoleAdmin)
	})
	return newOwner, err
}

// manageableMember finds a member that actor may change. It returns ErrNotFound if
// there is none, and ErrNotAllowed if actor's role does not cover the member's.
func (db *DB) manageableMember(ctx context.Context, actor *Membership, member uuid.UUID) (*Membership, error) {
	m, err := db.MemberByID(ctx, actor.OrganizationID, member)
	if err != nil {
		return nil, err
	}
	if !actor.Role.Covers(m.Role) {
		return nil, ErrNotAllowed
	}
	return m, nil
}

// setRole gives m the organization's role of that kind, which must not be custom.
func (db *DB) setRole(ctx context.Context, m *Membership, kind RoleKind) error {
	role := db.bun.NewSelect().Model((*Role)(nil)).Column("id").
		Where("organization_id = ?", m.OrganizationID).Where("kind = ?", kind)
	_, err := db.bun.NewUpdate().Model(m).WherePK().Set("role_id = (?)", role).Exec(ctx)
	return err
}

// endMembership removes m and the invitations that m sent.
func (db *DB) endMembership(ctx context.Context, m *Membership) error {
	if err := db.requireOtherOwner(ctx, m); err != nil {
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

// requireOtherOwner returns a *LastOwnerError if m is the last owner.
func (db *DB) requireOtherOwner(ctx context.Context, m *Membership) error {
	last, err := db.isLastOwner(ctx, m)
	if err == nil && last {
		err = &LastOwnerError{m.Organization}
	}
	return err
}

// isLastOwner reports whether m is the only owner who is not disabled.
func (db *DB) isLastOwner(ctx context.Context, m *Membership) (bool, error) {
	if m.Role.Kind != RoleOwner {
		return false, nil
	}
	others, err := db.bun.NewSelect().Model((*Membership)(nil)).Join("JOIN users AS u ON u.id = m.user_id").
		Where("m.organization_id = ?", m.OrganizationID).Where("m.role_id = ?", m.RoleID).Where("m.id <> ?", m.ID).
		Where("u.disabled_at IS NULL").Exists(ctx)
	return !others, err
}
