package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// invitationLife is how long an invitation is good.
const invitationLife = 7 * 24 * time.Hour

// invitationKept is how long one that expired can still be sent again.
const invitationKept = 30 * 24 * time.Hour

// Invitation asks somebody, by mail, to join an organization. As with tokens,
// only the hash of what is mailed is stored: none until it is sent. It is good
// as long as the inviter may invite to that role: who lost that cannot come back
// by an invitation made before.
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

// Expired tells whether the invitation is too old to be accepted.
func (i *Invitation) Expired() bool { return !now().Before(i.ExpiresAt) }

// IsFor tells whether user is who is invited.
func (i *Invitation) IsFor(user *User) bool { return i.EmailKey == user.EmailKey }

// ProvesEmailOf tells whether whoever has the token can read what is sent to user. The
// address has to be the very same: one that only folds to it may be another's.
func (i *Invitation) ProvesEmailOf(user *User) bool { return i.Email == user.Email }

// Invite asks the owner of an e-mail address to join the organization of actor.
// It returns ErrNotAllowed when the role of actor does not cover the role, and a
// *TakenError when the address is invited already or that of a member.
func (db *DB) Invite(ctx context.Context, actor *Membership, email string, role uuid.UUID) error {
	i := &Invitation{
		ID:             newID(),
		OrganizationID: actor.OrganizationID,
		RoleID:         role,
		InviterID:      actor.UserID,
		Email:          email,
		EmailKey:       Key(email),
		CreatedAt:      now(),
	}
	i.ExpiresAt = i.CreatedAt.Add(invitationLife)
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, actor.UserID); err != nil {
			return err
		}
		if err := tx.mayInvite(ctx, actor.OrganizationID, actor.UserID, role); err != nil {
			return err
		}
		member, err := tx.bun.NewSelect().Model((*Membership)(nil)).Relation("User", person).
			Where("m.organization_id = ?", actor.OrganizationID).Where("?.email_key = ?", bun.Ident("user"), i.EmailKey).Exists(ctx)
		if err != nil {
			return err
		}
		if member {
			return &TakenError{Field: "member"}
		}
		if _, err := tx.bun.NewInsert().Model(i).Exec(ctx); err != nil {
			return taken(err, map[string]string{"email_key": "email"})
		}
		return tx.mailInvitation(ctx, i)
	})
}

// mayInvite returns nil when user may, by now, invite somebody to that role.
func (db *DB) mayInvite(ctx context.Context, organization, user, role uuid.UUID) error {
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

// Invitations lists at most limit invitations of an organization, the newest
// first, with role and inviter, and older than the one with the id before unless
// that is zero.
func (db *DB) Invitations(ctx context.Context, organization, before uuid.UUID, limit int64) ([]Invitation, error) {
	var all []Invitation
	query := db.bun.NewSelect().Model(&all).Relation("Role").Relation("Inviter", person).
		Where("i.organization_id = ?", organization).Order("i.id DESC").Limit(limit)
	if before != uuid.Nil {
		query = query.Where("i.id < ?", before)
	}
	err := query.Scan(ctx)
	return all, err
}

// InvitationsBy lists the invitations that inviter sent and that nobody has
// accepted, with organization and role, oldest first.
func (db *DB) InvitationsBy(ctx context.Context, inviter uuid.UUID) ([]Invitation, error) {
	var all []Invitation
	err := db.bun.NewSelect().Model(&all).Relation("Organization").Relation("Role").
		Where("i.inviter_id = ?", inviter).Order("i.id").Scan(ctx)
	return all, err
}

// InvitationByID finds an invitation of an organization. It returns ErrNotFound
// when there is none.
func (db *DB) InvitationByID(ctx context.Context, organization, id uuid.UUID) (*Invitation, error) {
	i := new(Invitation)
	err := db.bun.NewSelect().Model(i).Relation("Role").
		Where("i.organization_id = ?", organization).Where("i.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return i, nil
}

// ResendInvitation mails an invitation once more, which is good for its whole
// time again, and actor's from then on. The link that was sent before is void
// once the new one is. Errors are those of Invite.
func (db *DB) ResendInvitation(ctx context.Context, actor *Membership, i *Invitation) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.mayInvite(ctx, actor.OrganizationID, actor.UserID, i.RoleID); err != nil {
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

// RevokeInvitation takes an invitation back. Errors are those of Invite.
func (db *DB) RevokeInvitation(ctx context.Context, actor *Membership, i *Invitation) error {
	return db.InTx(ctx, func(tx *DB) error {
		if err := tx.mayInvite(ctx, actor.OrganizationID, actor.UserID, i.RoleID); err != nil {
			return err
		}
		result, err := tx.bun.NewDelete().Model(i).WherePK().Where("organization_id = ?", actor.OrganizationID).Exec(ctx)
		if err != nil {
			return err
		}
		return requireRows(result)
	})
}

// SendInvitation returns a living invitation with all that a mail says of it,
// and a new token for the link. It returns ErrNotFound when it was accepted,
// taken back or is too old.
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

// InvitationBySecret finds the living invitation of that secret, with
// organization, role and inviter. It returns ErrNotFound when there is none.
func (db *DB) InvitationBySecret(ctx context.Context, secret string) (*Invitation, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil, ErrNotFound
	}
	i := new(Invitation)
	err := db.bun.NewSelect().Model(i).Relation("Organization").Relation("Role").Relation("Inviter", person).
		Where("i.token_hash = ?", hash).Where("i.expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return i, db.checkInviter(ctx, i.OrganizationID, i.InviterID, i.RoleID)
}

// checkInviter returns nil when the inviter may invite to the role still, else
// ErrNotFound: such an invitation is none any more.
func (db *DB) checkInviter(ctx context.Context, organization, inviter, role uuid.UUID) error {
	err := db.mayInvite(ctx, organization, inviter, role)
	if errors.Is(err, ErrNotAllowed) {
		return ErrNotFound
	}
	return err
}

// AcceptInvitation uses i up and makes user a member of its organization. Where
// the token proves that the address is the user's, it is verified from then on.
// It returns ErrNotFound when i was used or taken back meanwhile, and
// ErrNotAllowed when it is not for user or user's address is not verified.
func (db *DB) AcceptInvitation(ctx context.Context, i *Invitation, user *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		user, err := tx.lockUser(ctx, user.ID)
		if err != nil {
			return err
		}
		if err := tx.lockOrganization(ctx, i.OrganizationID); err != nil {
			return err
		}
		var inviter, role uuid.UUID // as they are by now
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
			if err := tx.verify(ctx, user); err != nil {
				return err
			}
		}
		return tx.addMember(ctx, i.OrganizationID, user.ID, role)
	})
}

// verify notes that user's address is the user's, and takes back what was mailed
// to find out.
func (db *DB) verify(ctx context.Context, user *User) error {
	user.VerifiedAt = now()
	if err := db.updateUser(ctx, user, "verified_at"); err != nil {
		return err
	}
	if err := db.deleteTokens(ctx, user.ID, VerifyEmail); err != nil {
		return err
	}
	return db.unqueue(ctx, user.ID, MailVerifyEmail)
}
