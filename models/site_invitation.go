package models

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// SiteInvitation is an operator's invitation to create an account. Only the hash of its
// token is stored, and none until it is sent.
type SiteInvitation struct {
	bun.BaseModel `bun:"table:site_invitations,alias:sti"`

	ID        uuid.UUID `bun:",pk"`
	Email     string
	EmailKey  string
	TokenHash []byte `bun:",nullzero"`
	CreatedAt time.Time
	ExpiresAt time.Time
}

// InviteToSite invites email to create an account, and mails the link. An earlier
// invitation of that address gets a new lifetime, and its link stops working once the new
// one is sent. It returns a *TakenError if the address has an account.
func (db *DB) InviteToSite(ctx context.Context, email string) (*SiteInvitation, error) {
	email = text.Email(email)
	i := &SiteInvitation{ID: newID(), Email: email, EmailKey: text.EmailKey(email), CreatedAt: now()}
	i.ExpiresAt = i.CreatedAt.Add(invitationLife)
	return i, db.InTx(ctx, func(tx *DB) error {
		switch _, err := tx.UserByLogin(ctx, email); {
		case err == nil:
			return &TakenError{Field: "email"}
		case !errors.Is(err, ErrNotFound):
			return err
		}
		err := tx.bun.NewInsert().Model(i).On("CONFLICT (email_key) DO UPDATE").Set("email = EXCLUDED.email").Set("expires_at = EXCLUDED.expires_at").
			Returning("id").Scan(ctx, &i.ID)
		if err != nil {
			return err
		}
		return tx.QueueMail(ctx, Mail{Kind: MailSiteInvitation, Recipient: i.Email, Detail: MailDetail{Invitation: i.ID}})
	})
}

// SendSiteInvitation returns an invitation with a new token for the link. It returns
// ErrNotFound if the invitation was used or revoked, or has expired.
func (db *DB) SendSiteInvitation(ctx context.Context, id uuid.UUID) (*SiteInvitation, string, error) {
	secret, hash := newSecret()
	i := new(SiteInvitation)
	err := db.bun.NewUpdate().Model(i).Set("token_hash = ?", hash).Where("id = ?", id).Where("expires_at > ?", now()).Returning("*").Scan(ctx)
	if err != nil {
		return nil, "", asNotFound(err)
	}
	return i, secret, nil
}

// SiteInvitations iterates over the invitations to the site, oldest first.
func (db *DB) SiteInvitations(ctx context.Context) iter.Seq2[*SiteInvitation, error] {
	read := func(after uuid.UUID) ([]SiteInvitation, error) {
		var all []SiteInvitation
		err := db.bun.NewSelect().Model(&all).Where("id > ?", after).Order("id").Limit(pageSize).Scan(ctx)
		return all, err
	}
	return paginate(read, func(i *SiteInvitation) uuid.UUID { return i.ID })
}

// RevokeSiteInvitation deletes the invitation of email. It returns ErrNotFound if there is
// none.
func (db *DB) RevokeSiteInvitation(ctx context.Context, email string) error {
	result, err := db.bun.NewDelete().Model((*SiteInvitation)(nil)).Where("email_key = ?", text.EmailKey(email)).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// InvitedEmail returns the address that the valid invitation with that secret was mailed to,
// and whether it is to the site, or to an organization. It returns ErrNotFound if there is
// none.
func (db *DB) InvitedEmail(ctx context.Context, secret string) (email string, toSite bool, err error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return "", false, ErrNotFound
	}
	i := new(SiteInvitation)
	err = db.bun.NewSelect().Model(i).Where("token_hash = ?", hash).Where("expires_at > ?", now()).Scan(ctx)
	if err = asNotFound(err); !errors.Is(err, ErrNotFound) {
		return i.Email, true, err
	}
	organization, err := db.InvitationBySecret(ctx, secret)
	if err != nil {
		return "", false, err
	}
	return organization.Email, false, nil
}

// Invited reports whether a valid invitation, to the site or to an organization, was sent to
// email. Only ask for somebody who has proved that the address is theirs.
func (db *DB) Invited(ctx context.Context, email string) (bool, error) {
	key := text.EmailKey(email)
	invited, err := db.bun.NewSelect().Model((*SiteInvitation)(nil)).Where("email_key = ?", key).Where("expires_at > ?", now()).Where("token_hash IS NOT NULL").Exists(ctx)
	if err != nil || invited {
		return invited, err
	}
	waiting, err := db.InvitationsFor(ctx, &User{EmailKey: key, VerifiedAt: now()})
	return len(waiting) > 0, err
}

// CreateInvitedUser is CreateUser for the holder of an invitation: create stores the account.
// One to the site is used up with that, and proves the address; one to an organization does
// both when it is accepted. CreateInvitedUser returns ErrNotFound if the invitation was used,
// revoked or sent again in the meantime.
func (db *DB) CreateInvitedUser(ctx context.Context, u *User, secret string, create func(tx *DB) error) error {
	return db.InTx(ctx, func(tx *DB) error {
		email, toSite, err := tx.InvitedEmail(ctx, secret)
		if err != nil {
			return err
		}
		if text.Email(email) != text.Email(u.Email) { // one that only looks alike may be another's
			return ErrNotFound
		}
		if !toSite {
			return create(tx)
		}
		u.VerifiedAt = now()
		if err := create(tx); err != nil {
			return err
		}
		return tx.useSiteInvitation(ctx, u)
	})
}

// useSiteInvitation deletes the invitation of u's address, if there is one.
func (db *DB) useSiteInvitation(ctx context.Context, u *User) error {
	_, err := db.bun.NewDelete().Model((*SiteInvitation)(nil)).Where("email_key = ?", u.EmailKey).Exec(ctx)
	return err
}

// SignUpMode says who may create an account.
type SignUpMode string

// What the setting SIGN_UP can be. A valid invitation always lets in.
const (
	SignUpOpen    SignUpMode = "open"    // everybody
	SignUpDomains SignUpMode = "domains" // whoever has an address at some domains
	SignUpInvited SignUpMode = "invited"
	SignUpClosed  SignUpMode = "closed"
)

// ByInvitation reports whether nobody can sign up without an invitation.
func (m SignUpMode) ByInvitation() bool { return m == SignUpInvited || m == SignUpClosed }

// InDomains reports whether the domain of email is one of domains, or below one that begins
// with "*.". All are A-labels in lower case, as [text.Email] and the settings have them.
func InDomains(email string, domains []string) bool {
	email = text.Email(email)
	domain := strings.ToLower(email[strings.LastIndexByte(email, '@')+1:])
	for _, d := range domains {
		if parent, below := strings.CutPrefix(d, "*"); domain == d || below && strings.HasSuffix(domain, parent) {
			return true
		}
	}
	return false
}
