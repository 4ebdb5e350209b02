package models

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// invitationLife is how long an invitation can be accepted.
const invitationLife = 7 * 24 * time.Hour

// invitationRetention is how long an expired invitation is kept, so that it can be
// sent again.
const invitationRetention = 30 * 24 * time.Hour

// Invitation is an emailed invitation to join an organization. Only the hash of
// its token is stored, and none until it is sent. It is valid only while the
// inviter may still invite to that role: a removed admin can't come back through
// an invitation made earlier.
type Invitation struct {
	bun.BaseModel `bun:"table:invitations,alias:i"`

	ID             uuid.UUID `bun:",pk"`
	OrganizationID uuid.UUID
	RoleID         uuid.UUID
	InviterID      uuid.UUID
	Email          string
	EmailKey       string
	TokenHash      []byte `bun:",nullzero"`
	CreatedAt      time.Time
	ExpiresAt      time.Time

	Organization *Organization `bun:"rel:belongs-to,join:organization_id=id"`
	Role         *Role         `bun:"rel:belongs-to,join:role_id=id"`
	Inviter      *User         `bun:"rel:belongs-to,join:inviter_id=id"`
}

// Expired reports whether the invitation is too old to accept.
func (i *Invitation) Expired() bool { return !now().Before(i.ExpiresAt) }

// ShownEmail returns the address as people read it.
func (i *Invitation) ShownEmail() string { return text.ShowEmail(i.Email) }

// IsFor reports whether user is the person invited.
func (i *Invitation) IsFor(user *User) bool { return text.EmailKey(i.Email) == user.EmailKey }

// ProvesEmailOf reports whether holding the token proves that user owns their
// address. The addresses must be identical: one that differs in case may be
// someone else's.
func (i *Invitation) ProvesEmailOf(user *User) bool {
	return text.Email(i.Email) == text.Email(user.Email)
}

// MaxInvitations is how many invitations an organization may have, with the expired ones
// that are still listed.
const MaxInvitations = 500

// Invite invites an email address to join actor's organization. It returns
// ErrNotAllowed if actor's role does not cover role, a *TakenError if the address is
// already invited or belongs to a member, and a *FullError if there are MaxInvitations.
func (db *DB) Invite(ctx context.Context, actor *Membership, email string, role uuid.UUID) error {
	email = text.Email(email)
	i := &Invitation{
		ID:             newID(),
		OrganizationID: actor.OrganizationID,
		RoleID:         role,
		InviterID:      actor.UserID,
		Email:          email,
		EmailKey:       text.EmailKey(email),
		CreatedAt:      now(),
	}
	i.ExpiresAt = i.CreatedAt.Add(invitationLife)
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, actor.UserID); err != nil {
			return err
		}
		if err := tx.checkCanInvite(ctx, actor.OrganizationID, actor.UserID, role); err != nil {
			return err
		}
		member, err := tx.bun.NewSelect().Model((*Membership)(nil)).Relation("User", publicColumns).
			Where("m.organization_id = ?", actor.OrganizationID).Where("?.email_key = ?", bun.Ident("user"), i.EmailKey).Exists(ctx)
		if err != nil {
			return err
		}
		if member {
			return &TakenError{Field: "member"}
		}
		if err := requireRoom(ctx, MaxInvitations, tx.bun.NewSelect().Model(i).Where("organization_id = ?", i.OrganizationID)); err != nil {
			return err
		}
		// PostgreSQL would write the address into its log if the insert failed.
		result, err := tx.bun.NewInsert().Model(i).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
		if err != nil {
			return err
		}
		if requireRows(result) != nil {
			return &TakenError{Field: "email"}
		}
		return tx.mailInvitation(ctx, i)
	})
}

// checkCanInvite returns nil if user may currently invite people to role. It
// returns ErrNotFound if user is no member or role does not exist, and
// ErrNotAllowed if user is disabled or has too little permission.
func (db *DB) checkCanInvite(ctx context.Context, organization, user, role uuid.UUID) error {
	actor := new(Membership)
	err := db.bun.NewSelect().Model(actor).Relation("Role").Relation("User").
		Where("m.organization_id = ?", organization).Where("m.user_id = ?", user).Scan(ctx)
	if err != nil {
		return asNotFound(err)
	}
	r, err := db.RoleByID(ctx, organization, role)
	if err != nil {
		return err
	}
	if actor.User.Disabled() || !actor.Role.May(InviteMembers) || !actor.Role.Covers(r) {
		return ErrNotAllowed
	}
	return nil
}

func (db *DB) mailInvitation(ctx context.Context, i *Invitation) error {
	return db.QueueMail(ctx, Mail{Kind: MailInvitation, Recipient: i.Email, Detail: MailDetail{Invitation: i.ID}})
}

// Invitations lists up to limit invitations of an organization, newest first, with
// role and inviter, starting after the one with the id before unless that is zero.
func (db *DB) Invitations(ctx context.Context, organization, before uuid.UUID, limit int64) ([]Invitation, error) {
	var all []Invitation
	err := db.bun.NewSelect().Model(&all).Relation("Role").Relation("Inviter", publicColumns).
		Where("i.organization_id = ?", organization).Apply(newestBefore(before, limit)).Scan(ctx)
	return all, err
}

// InvitationsBy iterates over the pending invitations that inviter sent, oldest first,
// with organization and role.
func (db *DB) InvitationsBy(ctx context.Context, inviter uuid.UUID) iter.Seq2[*Invitation, error] {
	read := func(after uuid.UUID) ([]Invitation, error) {
		var all []Invitation
		err := db.bun.NewSelect().Model(&all).Relation("Organization").Relation("Role").
			Where("i.inviter_id = ?", inviter).Where("i.id > ?", after).Order("i.id").Limit(pageSize).Scan(ctx)
		return all, err
	}
	return paginate(read, func(i *Invitation) uuid.UUID { return i.ID })
}

// InvitationsFor lists the newest invitations that user can accept without their links,
// with organization, role and inviter. There are none unless user's address is verified.
func (db *DB) InvitationsFor(ctx context.Context, user *User) ([]Invitation, error) {
	var sent, valid []Invitation
	if !user.Verified() {
		return nil, nil
	}
	if err := db.sentTo(user, &sent).Order("i.id DESC").Limit(maxInvitationsShown).Scan(ctx); err != nil {
		return nil, err
	}
	for _, i := range sent {
		switch err := db.checkInviter(ctx, i.OrganizationID, i.InviterID, i.RoleID); {
		case err == nil:
			valid = append(valid, i)
		case !errors.Is(err, ErrNotFound): // which is void
			return nil, err
		}
	}
	return valid, nil
}

// InvitationFor finds one of the invitations that user can accept without their links. It
// returns ErrNotFound if there is no such invitation.
func (db *DB) InvitationFor(ctx context.Context, user *User, id uuid.UUID) (*Invitation, error) {
	i := new(Invitation)
	if !user.Verified() {
		return nil, ErrNotFound
	}
	if err := db.sentTo(user, i).Where("i.id = ?", id).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return i, db.checkInviter(ctx, i.OrganizationID, i.InviterID, i.RoleID)
}

// sentTo selects into model the invitations that were sent to user's address.
func (db *DB) sentTo(user *User, model any) *bun.SelectQuery {
	return db.bun.NewSelect().Model(model).Relation("Organization").Relation("Role").Relation("Inviter", publicColumns).
		Where("i.email_key = ?", user.EmailKey).Where("i.expires_at > ?", now()).Where("i.token_hash IS NOT NULL")
}

// DeclineInvitation deletes an invitation to user. It returns ErrNotFound if it was
// accepted, revoked or declined in the meantime.
func (db *DB) DeclineInvitation(ctx context.Context, user *User, i *Invitation) error {
	result, err := db.bun.NewDelete().Model(i).WherePK().Where("email_key = ?", user.EmailKey).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// maxInvitationsShown is how many invitations a person sees at once.
const maxInvitationsShown = 10

// InvitationByID finds an invitation of an organization. It returns ErrNotFound if
// there is none.
func (db *DB) InvitationByID(ctx context.Context, organization, id uuid.UUID) (*Invitation, error) {
	i := new(Invitation)
	err := db.bun.NewSelect().Model(i).Relation("Role").
		Where("i.organization_id = ?", organization).Where("i.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return i, nil
}

// ResendInvitation sends an invitation again, with a new lifetime and actor as its
// inviter. The earlier link stops working once the new one is sent. Its errors are
// those of Invite.
func (db *DB) ResendInvitation(ctx context.Context, actor *Membership, i *Invitation) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.checkCanInvite(ctx, actor.OrganizationID, actor.UserID, i.RoleID); err != nil {
			return err
		}
		result, err := tx.bun.NewUpdate().Model(i).WherePK().
			Set("expires_at = ?", now().Add(invitationLife)).Set("inviter_id = ?", actor.UserID).
			Where("organization_id = ?", actor.OrganizationID).Exec(ctx)
		if err == nil {
			err = requireRows(result)
		}
		if err != nil {
			return err
		}
		return tx.mailInvitation(ctx, i)
	})
}

// RevokeInvitation deletes an invitation. Its errors are those of Invite.
func (db *DB) RevokeInvitation(ctx context.Context, actor *Membership, i *Invitation) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.checkCanInvite(ctx, actor.OrganizationID, actor.UserID, i.RoleID); err != nil {
			return err
		}
		result, err := tx.bun.NewDelete().Model(i).WherePK().Where("organization_id = ?", actor.OrganizationID).Exec(ctx)
		if err != nil {
			return err
		}
		return requireRows(result)
	})
}

// SendInvitation returns an invitation with what its email shows, and a new token
// for the link. It returns ErrNotFound if the invitation was accepted or revoked,
// or has expired.
func (db *DB) SendInvitation(ctx context.Context, id uuid.UUID) (*Invitation, string, error) {
	secret, hash := newSecret()
	result, err := db.bun.NewUpdate().Model((*Invitation)(nil)).Set("token_hash = ?", hash).
		Where("id = ?", id).Where("expires_at > ?", now()).Exec(ctx)
	if err == nil {
		err = requireRows(result)
	}
	if err != nil {
		return nil, "", err
	}
	i, err := db.InvitationBySecret(ctx, secret)
	return i, secret, err
}

// InvitationBySecret finds the valid invitation with that secret, and its
// organization, role and inviter. It returns ErrNotFound if there is none.
func (db *DB) InvitationBySecret(ctx context.Context, secret string) (*Invitation, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil, ErrNotFound
	}
	i := new(Invitation)
	err := db.bun.NewSelect().Model(i).Relation("Organization").Relation("Role").Relation("Inviter", publicColumns).
		Where("i.token_hash = ?", hash).Where("i.expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return i, db.checkInviter(ctx, i.OrganizationID, i.InviterID, i.RoleID)
}

// checkInviter returns nil if the inviter may still invite to the role, and
// ErrNotFound otherwise: such an invitation is void.
func (db *DB) checkInviter(ctx context.Context, organization, inviter, role uuid.UUID) error {
	err := db.checkCanInvite(ctx, organization, inviter, role)
	if errors.Is(err, ErrNotAllowed) {
		return ErrNotFound
	}
	return err
}

// AcceptInvitation consumes i and makes user a member of its organization. If the
// token proves that the address is the user's, it also verifies the address. It
// returns ErrNotFound if i was used or revoked in the meantime, ErrNotAllowed if i is
// not for user or user's address is not verified, and a *FullError if user has
// MaxMemberships.
func (db *DB) AcceptInvitation(ctx context.Context, i *Invitation, user *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		user, err := tx.lockUser(ctx, user.ID)
		if err != nil {
			return err
		}
		if err := tx.lockOrganization(ctx, i.OrganizationID); err != nil {
			return err
		}
		var inviter, role uuid.UUID // their current values
		err = tx.bun.NewDelete().Model(i).WherePK().Where("token_hash = ?", i.TokenHash).
			Where("expires_at > ?", now()).Returning("inviter_id, role_id").Scan(ctx, &inviter, &role)
		if err != nil {
			return asNotFound(err)
		}
		if err := tx.checkInviter(ctx, i.OrganizationID, inviter, role); err != nil {
			return err
		}
		if !i.IsFor(user) || !user.Verified() && !i.ProvesEmailOf(user) {
			return ErrNotAllowed
		}
		if !user.Verified() {
			if err := tx.markVerified(ctx, user); err != nil {
				return err
			}
		}
		return tx.addMember(ctx, i.OrganizationID, user.ID, role)
	})
}

// markVerified records that user owns their address, and cancels the emails and
// tokens that would have proved it.
func (db *DB) markVerified(ctx context.Context, user *User) error {
	user.VerifiedAt = now()
	if err := db.updateUser(ctx, user, "verified_at"); err != nil {
		return err
	}
	if err := db.deleteTokens(ctx, user.ID, VerifyEmail); err != nil {
		return err
	}
	return db.cancelMail(ctx, user.ID, MailVerifyEmail)
}
