package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/models"
)

type users struct {
	List        usersList        `cmd:"" help:"List the users in the order of their sign-up."`
	Show        usersShow        `cmd:"" help:"Show one user."`
	Create      usersCreate      `cmd:"" help:"Create a user. The password is read from standard input."`
	SetPassword usersSetPassword `cmd:"" help:"Give a user a new password, read from standard input, and end their sessions."`
	Disable     usersDisable     `cmd:"" help:"Keep a user from signing in, and end their sessions."`
	Enable      usersEnable      `cmd:"" help:"Let a disabled user sign in again."`
	Delete      usersDelete      `cmd:"" help:"Delete a user and all that belongs to them, for good."`
}

type (
	usersList struct {
		JSON   bool   `name:"json" help:"Print one JSON array."`
		Limit  uint   `placeholder:"N" help:"Print at most so many; all, unless set."`
		Search string `placeholder:"TEXT" help:"Only those whose username, email or name holds this, in any case."`
	}
	usersShow struct {
		login
		JSON bool `name:"json" help:"Print one JSON object."`
	}
	usersCreate struct {
		Username  string `required:"" placeholder:"NAME" help:"5 to 32 letters, digits, dots, underscores or hyphens."`
		Email     string `required:"" placeholder:"ADDRESS" help:"Email address."`
		FirstName string `required:"" placeholder:"NAME" help:"First name."`
		LastName  string `required:"" placeholder:"NAME" help:"Last name."`
		Verified  bool   `help:"Take the email address for verified. Else a link that verifies it is mailed."`
	}
	usersSetPassword struct{ login }
	usersDisable     struct{ login }
	usersEnable      struct{ login }
	usersDelete      struct {
		login
		Yes bool `help:"Do not ask."`
	}
)

const passwordHelp = "On a terminal the password is asked for twice and not shown; else it is the first line of standard input, " +
	"as in \"vestibule %s < FILE\". It is never an argument, which everybody on the machine could read. " +
	"The rules are those of the site."

// Help is what --help says beside the summary.
func (usersCreate) Help() string { return fmt.Sprintf(passwordHelp, "users create … ") }

// Help is what --help says beside the summary.
func (usersSetPassword) Help() string { return fmt.Sprintf(passwordHelp, "users set-password LOGIN") }

// Help is what --help says beside the summary.
func (usersDelete) Help() string {
	return "On a terminal you are asked to type the username. Elsewhere --yes is needed."
}

func (c usersList) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return onDatabase(ctx, config, log, func(db *models.DB) error {
		list := newList(c.JSON, "USERNAME", "E-MAIL", "NAME", "VERIFIED (UTC)", "DISABLED (UTC)", "CREATED (UTC)", "ID")
		for user, err := range db.AllUsers(ctx, c.Search) {
			if err != nil {
				return err
			}
			err := list.add(newUserRow(user), user.Username, user.Email, user.FullName(),
				clock(user.VerifiedAt), clock(user.DisabledAt), clock(user.CreatedAt), user.ID.String())
			if err != nil {
				return err
			}
			if list.rows == c.Limit {
				break
			}
		}
		return list.end()
	})
}

func (c usersShow) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return c.onUser(ctx, config, log, func(db *models.DB, user *models.User) error {
		sessions, err := db.Sessions(ctx, user.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, struct {
				userRow
				Sessions int `json:"sessions"`
			}{newUserRow(user), len(sessions)})
		}
		table := newTable(os.Stdout)
		for _, line := range [][]string{
			{"Username", user.Username},
			{"Email", user.Email},
			{"Name", user.FullName()},
			{"Verified (UTC)", clock(user.VerifiedAt)},
			{"Disabled (UTC)", clock(user.DisabledAt)},
			{"Created (UTC)", clock(user.CreatedAt)},
			{"Changed (UTC)", clock(user.UpdatedAt)},
			{"Sessions", fmt.Sprint(len(sessions))},
			{"ID", user.ID.String()},
		} {
			printCells(table, line...)
		}
		return table.Flush()
	})
}

func (c usersCreate) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return onDatabase(ctx, config, log, func(db *models.DB) error {
		pw, again, err := readPassword(ctx)
		if err != nil {
			return err
		}
		user := &models.User{Username: c.Username, Email: c.Email, FirstName: c.FirstName, LastName: c.LastName}
		if c.Verified {
			user.VerifiedAt = time.Now().UTC()
		}
		err = app.CreateUser(ctx, config, user, pw, again, func() error {
			return audited(ctx, db, models.EventCreated, func(tx *models.DB) (uuid.UUID, error) {
				err := tx.CreateUser(ctx, user)
				return user.ID, err
			})
		})
		if err != nil {
			return fmt.Errorf("no user is created:\n%w", err)
		}
		fmt.Printf("created %s with the id %s\n", plain(user.Username), user.ID)
		return nil
	})
}

func (c usersSetPassword) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return c.onUser(ctx, config, log, func(db *models.DB, user *models.User) error {
		pw, again, err := readPassword(ctx)
		if err != nil {
			return err
		}
		err = app.ChangePassword(ctx, config, user, pw, again, func(hash string) error {
			return audited(ctx, db, models.EventPasswordChanged, func(tx *models.DB) (uuid.UUID, error) {
				_, err := tx.ChangePassword(ctx, user, hash, nil) // ends every session
				return user.ID, err
			})
		})
		if err != nil {
			return fmt.Errorf("the password is not changed:\n%w", err)
		}
		fmt.Printf("%s has a new password and is signed out everywhere\n", plain(user.Username))
		return nil
	})
}

func (c usersDisable) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return c.onUser(ctx, config, log, func(db *models.DB, user *models.User) error {
		if user.Disabled() { // keeps since when
			fmt.Printf("%s is disabled already, since %s UTC\n", plain(user.Username), clock(user.DisabledAt))
			return nil
		}
		err := audited(ctx, db, models.EventDisabled, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.DisableUser(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("%s is disabled and signed out everywhere\n", plain(user.Username))
		return nil
	})
}

func (c usersEnable) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return c.onUser(ctx, config, log, func(db *models.DB, user *models.User) error {
		err := audited(ctx, db, models.EventEnabled, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.EnableUser(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("%s may sign in\n", plain(user.Username))
		return nil
	})
}

func (c usersDelete) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return c.onUser(ctx, config, log, func(db *models.DB, user *models.User) error {
		if !c.Yes {
			if err := confirm(ctx, user); err != nil {
				return err
			}
		}
		err := audited(ctx, db, models.EventDeleted, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.DeleteUser(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("deleted %s\n", plain(user.Username))
		return nil
	})
}

// confirm wants the operator to type the username.
func confirm(ctx context.Context, user *models.User) error {
	if !onTerminal() {
		return errors.New("to delete a user is for good: it needs --yes, or a terminal to ask on")
	}
	fmt.Fprintf(os.Stderr, "Type %s to delete this account and all that belongs to it: ", plain(user.Username))
	typed, err := readLine(ctx, bufio.NewReader(os.Stdin))
	if err != nil {
		return err
	}
	if models.Key(strings.TrimSpace(typed)) != user.UsernameKey {
		return errors.New("that is not the username: nothing is deleted")
	}
	return nil
}

// login is the argument that names a user.
type login struct {
	Login string `arg:"" help:"The user's username or email, in any case."`
}

// onUser runs f on the user, who may be changed or deleted meanwhile.
func (l login) onUser(ctx context.Context, config *app.Config, log *slog.Logger, f func(db *models.DB, user *models.User) error) error {
	return onDatabase(ctx, config, log, func(db *models.DB) error {
		user, err := findUser(ctx, db, l.Login)
		if err != nil {
			return err
		}
		err = f(db, user)
		if errors.Is(err, models.ErrChanged) {
			return fmt.Errorf("%s was changed or deleted meanwhile: nothing is done", plain(user.Username))
		}
		return err
	})
}

func findUser(ctx context.Context, db *models.DB, login string) (*models.User, error) {
	user, err := db.UserByLogin(ctx, strings.TrimSpace(strings.ToValidUTF8(login, "\uFFFD")))
	if errors.Is(err, models.ErrNotFound) {
		return nil, noUser(login)
	}
	return user, err
}

func noUser(login string) error { return fmt.Errorf("there is no user %s", plain(login)) }

// userRow is what is printed of a user: no password hash.
type userRow struct {
	ID         uuid.UUID  `json:"id"`
	Username   string     `json:"username"`
	Email      string     `json:"email"`
	FirstName  string     `json:"first_name"`
	LastName   string     `json:"last_name"`
	VerifiedAt *time.Time `json:"verified_at"`
	DisabledAt *time.Time `json:"disabled_at"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

func newUserRow(u *models.User) userRow {
	row := userRow{
		ID:        u.ID,
		Username:  u.Username,
		Email:     u.Email,
		FirstName: u.FirstName,
		LastName:  u.LastName,
		CreatedAt: u.CreatedAt.UTC(),
		UpdatedAt: u.UpdatedAt.UTC(),
	}
	if u.Verified() {
		row.VerifiedAt = new(u.VerifiedAt.UTC())
	}
	if u.Disabled() {
		row.DisabledAt = new(u.DisabledAt.UTC())
	}
	return row
}
