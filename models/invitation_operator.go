package models

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"vestibule/app/text"
)

// AllInvitations lists up to limit invitations, newest first, starting after the one with the
// id before unless that is zero: those of an email address, or of everybody if it is empty.
// Those to the site have no organization, role and inviter.
func (db *DB) AllInvitations(ctx context.Context, email string, before uuid.UUID, limit int) ([]Invitation, error) {
	var all []Invitation
	var toSite []SiteInvitation
	organizations := db.bun.NewSelect().Model(&all).Relation("Organization").Relation("Role").Relation("Inviter", operatorColumns).
		Apply(newestBefore(before, int64(limit)))
	site := db.bun.NewSelect().Model(&toSite).Apply(newestBefore(before, int64(limit)))
	if email != "" {
		organizations = organizations.Where("i.email_key = ?", text.EmailKey(email))
		site = site.Where("sti.email_key = ?", text.EmailKey(email))
	}
	if err := organizations.Scan(ctx); err != nil {
		return nil, err
	}
	if err := site.Scan(ctx); err != nil {
		return nil, err
	}
	for _, i := range toSite {
		all = append(all, i.asInvitation())
	}
	slices.SortFunc(all, func(a, b Invitation) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return all[:min(len(all), limit)], nil
}

func (i *SiteInvitation) asInvitation() Invitation {
	return Invitation{ID: i.ID, Email: i.Email, EmailKey: i.EmailKey, TokenHash: i.TokenHash, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt}
}

// AnyInvitation finds an invitation as AllInvitations lists it. It returns ErrNotFound if there
// is none.
func (db *DB) AnyInvitation(ctx context.Context, id uuid.UUID) (*Invitation, error) {
	i := new(Invitation)
	err := asNotFound(db.bun.NewSelect().Model(i).Relation("Organization").Relation("Role").Where("i.id = ?", id).Scan(ctx))
	if !errors.Is(err, ErrNotFound) {
		return i, err
	}
	toSite := new(SiteInvitation)
	if err := db.bun.NewSelect().Model(toSite).Where("sti.id = ?", id).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	*i = toSite.asInvitation()
	return i, nil
}

// ToSite reports whether the invitation is to create an account, and not to join an
// organization.
func (i *Invitation) ToSite() bool { return i.OrganizationID == uuid.Nil }

// Void reports whether the inviter may no longer invite to i's role. Then its link doesn't
// work.
func (db *DB) Void(ctx context.Context, i *Invitation) (bool, error) {
	if i.ToSite() {
		return false, nil
	}
	err := db.checkInviter(ctx, i.OrganizationID, i.InviterID, i.RoleID)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return false, err
}

// RemoveInvitation deletes an invitation, because an operator says so. It returns ErrNotFound
// if it was accepted, declined or revoked in the meantime.
func (db *DB) RemoveInvitation(ctx context.Context, i *Invitation) error {
	query := db.bun.NewDelete().Model(i).WherePK()
	if i.ToSite() {
		query = db.bun.NewDelete().Model((*SiteInvitation)(nil)).Where("id = ?", i.ID)
	}
	result, err := query.Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}
