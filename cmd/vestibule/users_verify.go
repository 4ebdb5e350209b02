package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/models"
)

type usersVerify struct{ login }

// Help returns the details that --help prints below the summary.
func (usersVerify) Help() string {
	return "Use it for somebody you know who can't receive the link. It leaves their password and sessions as they are. " +
		"Accounts whose address is never verified are deleted after UNCONFIRMED_MAX."
}

func (c usersVerify) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		if user.Verified() { // keep the original time
			fmt.Printf("The email address of %s has been verified since %s UTC\n", plain(user.Login()), formatTime(user.VerifiedAt))
			return nil
		}
		detail := &models.EventDetail{Email: user.Email}
		err := auditedDetail(ctx, db, models.EventEmailConfirmed, detail, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.VerifyUser(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("Marked the email address of %s as verified\n", plain(user.Login()))
		return nil
	})
}
