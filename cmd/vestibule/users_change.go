package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/account"
	"vestibule/app/text"
	"vestibule/models"
)

type (
	usersSetEmail struct {
		login
		Address  string `arg:"" help:"The new email address."`
		Verified bool   `help:"You know that the address is theirs: change it at once, and mark it as verified."`
	}
	usersRename struct {
		login
		Username  string `arg:"" optional:"" help:"The new username."`
		FirstName string `placeholder:"NAME" help:"The new first name."`
		LastName  string `placeholder:"NAME" help:"The new last name."`
		Name      string `placeholder:"NAME" help:"The new name, with NAMES=one."`
	}
	usersExport struct {
		login
	}
)

// Help returns the details that --help prints below the summary.
func (usersSetEmail) Help() string {
	return "An address that was never verified changes at once, and the new one gets a link that verifies it. " +
		"An address that was verified stays until the user opens the link that is mailed to the new one. " +
		"With --verified, it changes at once. The old address is told, and whoever reads its mail can undo the change for a week."
}

// Help returns the details that --help prints below the summary.
func (usersExport) Help() string {
	return `The data is JSON, the same as "Download my data" sends. It goes to standard output, as in "vestibule users export ada > FILE". The audit log says that it was read.`
}

func (c usersSetEmail) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		known := plain(user.Login())
		from, done := user.ShownEmail(), ""
		err := app.SetEmail(ctx, config, c.Address, func(email string) error {
			if text.EmailKey(email) == user.EmailKey {
				return fmt.Errorf("this is the email address of %s already", known)
			}
			shown := plain(text.ShowEmail(email))
			if user.Verified() && !c.Verified {
				if taken, err := db.Taken(ctx, user.ID, "", email); err != nil || len(taken) > 0 {
					return cmp.Or(err, error(&models.TakenError{Field: "email"}))
				}
				done = fmt.Sprintf("Mailed a link to %s: the email address of %s changes when it is opened", shown, known)
				return auditedDetail(ctx, db, models.EventEmailRequested, &models.EventDetail{Email: email}, func(tx *models.DB) (uuid.UUID, error) {
					return user.ID, tx.RequestEmail(ctx, user, email)
				})
			}
			kind, detail := models.EventProfileChanged, &models.EventDetail{Fields: "email address"}
			done = fmt.Sprintf("Changed the email address of %s to %s and mailed the link that verifies it", known, shown)
			if c.Verified {
				kind, detail = models.EventEmailConfirmed, &models.EventDetail{Email: email, EmailFrom: from}
				done = fmt.Sprintf("Changed the email address of %s to %s, and marked it as verified", known, shown)
			}
			return auditedDetail(ctx, db, kind, detail, func(tx *models.DB) (uuid.UUID, error) {
				return user.ID, tx.SetEmail(ctx, user, email, c.Verified)
			})
		})
		if full := new(models.FullError); errors.As(err, &full) {
			return fmt.Errorf("%s has changed the email address %d times in a week: nothing was done", known, full.Most)
		}
		if err != nil {
			return fmt.Errorf("the email address was not changed:\n%w", err)
		}
		fmt.Println(done)
		return nil
	})
}

func (c usersRename) Run(ctx context.Context, config *app.Config) error {
	names := namesGiven{c.Username, c.FirstName, c.LastName, c.Name}
	if names == (namesGiven{}) {
		return errors.New("pass a new username, --first-name or --last-name")
	}
	if err := names.check(config); err != nil {
		return err
	}
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		changed := *user
		changed.Username = cmp.Or(c.Username, user.Username)
		changed.FirstName, changed.LastName = cmp.Or(c.FirstName, user.FirstName), cmp.Or(c.LastName, user.LastName)
		if c.Name != "" {
			changed.Rename(c.Name)
		}
		err := app.RenameUser(config, &changed, func() error {
			fields := account.ChangedFields(user, &changed)
			if fields == "" {
				return nil
			}
			return auditedDetail(ctx, db, models.EventProfileChanged, &models.EventDetail{Fields: fields}, func(tx *models.DB) (uuid.UUID, error) {
				return user.ID, tx.UpdateProfile(ctx, &changed)
			})
		})
		if err != nil {
			return fmt.Errorf("the user was not renamed:\n%w", err)
		}
		fmt.Printf("%s is now %s (%s)\n", plain(user.Login()), plain(changed.Login()), plain(changed.FullName()))
		return nil
	})
}

func (c usersExport) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		err := audited(ctx, db, models.EventExported, func(*models.DB) (uuid.UUID, error) { return user.ID, nil })
		if err != nil { // nobody reads it without a trace
			return err
		}
		out := bufio.NewWriter(os.Stdout)
		if err := app.ExportUser(ctx, config, db, slog.New(slog.DiscardHandler), out, user); err != nil {
			return err
		}
		return out.Flush()
	})
}
