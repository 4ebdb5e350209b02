package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/text"
	"vestibule/models"
)

type invitations struct {
	Create invitationsCreate `cmd:"" help:"Invite somebody to create an account, whatever SIGN_UP says."`
	List   invitationsList   `cmd:"" help:"List the invitations to create an account, oldest first."`
	Revoke invitationsRevoke `cmd:"" help:"Revoke the invitation of an email address."`
}

type (
	invitationsCreate struct {
		Email string `arg:"" help:"Email address of the person."`
	}
	invitationsList struct {
		JSON bool `name:"json" help:"Print a JSON array."`
	}
	invitationsRevoke struct {
		Email string `arg:"" help:"Email address that was invited."`
	}
)

// Help returns the details that --help prints below the summary.
func (invitationsCreate) Help() string {
	return "The site sends the mail, whose link works for 7 days, once and for this address alone. If it was invited before, it gets a new link. Members invite people to their organization on its page Invitations."
}

func (c invitationsCreate) Run(ctx context.Context, config *app.Config) error {
	if err := text.CheckEmail(c.Email); err != nil {
		return fmt.Errorf("%s is no email address such as name@example.com", plain(c.Email))
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		var i *models.SiteInvitation
		err := auditedDetail(ctx, db, models.EventSiteInvited, &models.EventDetail{Email: text.Email(c.Email)}, func(tx *models.DB) (_ uuid.UUID, err error) {
			i, err = tx.InviteToSite(ctx, c.Email)
			return uuid.Nil, err
		})
		if errors.As(err, new(*models.TakenError)) {
			return errors.New("there's already an account with this email address")
		}
		if err != nil {
			return err
		}
		fmt.Printf("Invited %s until %s UTC\n", plain(text.ShowEmail(i.Email)), formatTime(i.ExpiresAt))
		return nil
	})
}

func (c invitationsRevoke) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		err := auditedDetail(ctx, db, models.EventSiteInviteRevoked, &models.EventDetail{Email: text.Email(c.Email)}, func(tx *models.DB) (uuid.UUID, error) {
			return uuid.Nil, tx.RevokeSiteInvitation(ctx, c.Email)
		})
		if errors.Is(err, models.ErrNotFound) {
			return fmt.Errorf("%s isn't invited to create an account", plain(c.Email))
		}
		if err != nil {
			return err
		}
		fmt.Printf("Revoked the invitation of %s\n", plain(text.ShowEmail(text.Email(c.Email))))
		return nil
	})
}

// siteInvitationRow is an invitation to the site as printed.
type siteInvitationRow struct {
	Email     string    `json:"email"`
	Sent      bool      `json:"sent"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (c invitationsList) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		list := newList(c.JSON, "EMAIL", "SENT", "CREATED (UTC)", "EXPIRES (UTC)")
		for i, err := range db.SiteInvitations(ctx) {
			if err != nil {
				return err
			}
			row := siteInvitationRow{text.ShowEmail(i.Email), i.TokenHash != nil, i.CreatedAt.UTC(), i.ExpiresAt.UTC()}
			sent := "no"
			if row.Sent {
				sent = "yes"
			}
			if err := list.add(row, row.Email, sent, formatTime(i.CreatedAt), formatTime(i.ExpiresAt)); err != nil {
				return err
			}
		}
		return list.end()
	})
}
