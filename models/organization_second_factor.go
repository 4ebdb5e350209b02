package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// RequireSecondFactor makes actor's organization require a second factor of its members
// from then on, or from now if that is past. If it required none before, members who have
// none are notified by email. It returns ErrNotAllowed if actor's role does not allow it.
func (db *DB) RequireSecondFactor(ctx context.Context, actor *Membership, from time.Time, noTrust bool) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, actor *Membership) error {
		o := actor.Organization
		before := o.SecondFactorFrom
		if o.SecondFactorFrom, o.NoTrust = from.UTC(), noTrust; o.RequiresSecondFactor() && !from.Equal(before) {
			o.SecondFactorFrom = now()
		}
		if _, err := tx.bun.NewUpdate().Model(o).WherePK().Column("second_factor_from", "no_trust").Exec(ctx); err != nil || !before.IsZero() {
			return err
		}
		return tx.mailSecondFactor(ctx, o)
	})
}

// LiftSecondFactor makes actor's organization require no second factor. It returns
// ErrNotAllowed if actor's role does not allow it, and ErrChanged if none is required.
func (db *DB) LiftSecondFactor(ctx context.Context, actor *Membership) error {
	return db.inOrganization(ctx, actor, OwnOrganization, func(tx *DB, actor *Membership) error {
		result, err := tx.bun.NewUpdate().Model((*Organization)(nil)).Set("second_factor_from = NULL").Set("no_trust = FALSE").
			Where("id = ?", actor.OrganizationID).Where("second_factor_from IS NOT NULL").Exec(ctx)
		if err != nil {
			return err
		}
		return asChanged(requireRows(result))
	})
}

// mailSecondFactor notifies the members of o who have no second factor that it requires
// one.
func (db *DB) mailSecondFactor(ctx context.Context, o *Organization) error {
	for after := uuid.Nil; ; {
		var members []Membership
		err := db.bun.NewSelect().Model(&members).Column("id", "user_id").
			Relation("User", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username", "email", "first_name") }).
			Where("m.organization_id = ?", o.ID).Where("m.id > ?", after).Where("?.verified_at IS NOT NULL", bun.Ident("user")).
			Where("?.disabled_at IS NULL", bun.Ident("user")).Apply(db.withOneFactor).Order("m.id").Limit(pageSize).Scan(ctx)
		if err != nil || len(members) == 0 {
			return err
		}
		mails := make([]Mail, len(members))
		for i, m := range members {
			mails[i] = Mail{Kind: MailSecondFactor, Recipient: m.User.Email, UserID: m.UserID, Name: m.User.FirstName, Detail: MailDetail{Username: m.User.Username, Organization: o.ID}}
			after = m.ID
		}
		if err := db.QueueMail(ctx, mails...); err != nil {
			return err
		}
	}
}

// withOneFactor selects those memberships m whose user has no second factor.
func (db *DB) withOneFactor(q *bun.SelectQuery) *bun.SelectQuery {
	for _, model := range []any{(*Authenticator)(nil), (*Passkey)(nil)} {
		q = q.Where("NOT EXISTS (?)", db.bun.NewSelect().Model(model).ColumnExpr("1").Where("user_id = m.user_id"))
	}
	return q
}

// CountWithOneFactor returns how many members of an organization have no second factor.
func (db *DB) CountWithOneFactor(ctx context.Context, organization uuid.UUID) (int64, error) {
	return db.bun.NewSelect().Model((*Membership)(nil)).Where("m.organization_id = ?", organization).Apply(db.withOneFactor).Count(ctx)
}

// RequiringOrganizations lists the organizations that require a second factor of user, now
// or from a later day on. The first to require it comes first.
func (db *DB) RequiringOrganizations(ctx context.Context, user uuid.UUID) ([]Organization, error) {
	var all []Organization
	err := db.bun.NewSelect().Model(&all).Join("JOIN memberships AS m ON m.organization_id = o.id").
		Where("m.user_id = ?", user).Where("o.second_factor_from IS NOT NULL").Order("o.second_factor_from", "o.id").Scan(ctx)
	return all, err
}

// RequiringOrganization finds the organization of that id if it requires a second factor of
// user, as RequiringOrganizations says. Otherwise it returns ErrNotFound.
func (db *DB) RequiringOrganization(ctx context.Context, user, id uuid.UUID) (*Organization, error) {
	o := new(Organization)
	err := db.bun.NewSelect().Model(o).Join("JOIN memberships AS m ON m.organization_id = o.id").
		Where("m.user_id = ?", user).Where("o.id = ?", id).Where("o.second_factor_from IS NOT NULL").Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return o, nil
}
