package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/device"
	"vestibule/models"
)

type sessions struct {
	List   sessionsList   `cmd:"" help:"List active sessions in the order they were created."`
	Revoke sessionsRevoke `cmd:"" help:"End one session, all sessions of a user, or all sessions."`
}

type (
	sessionsList struct {
		Login string `arg:"" optional:"" help:"Only sessions of the user with this username, email address or ID, ignoring case."`
		JSON  bool   `name:"json" help:"Print a JSON array."`
	}
	sessionsRevoke struct {
		ID   string `arg:"" optional:"" help:"ID of the session, as shown by sessions list."`
		User string `placeholder:"LOGIN" help:"End all sessions of the user with this username, email address or ID, ignoring case."`
		All  bool   `help:"End all sessions of all users."`
	}
)

// Help returns the details that --help prints below the summary.
func (sessionsRevoke) Help() string {
	return "Pass exactly one of ID, --user and --all. The users must sign in again to open their next page."
}

func (c sessionsList) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		var owner uuid.UUID
		if c.Login != "" {
			user, err := findUser(ctx, db, c.Login)
			if err != nil {
				return err
			}
			owner = user.ID
		}
		account := "USERNAME"
		if !config.Usernames.Required() {
			account = "ACCOUNT"
		}
		list := newList(c.JSON, account, "DEVICE", "IP", "CREATED (UTC)", "LAST SEEN (UTC)", "EXPIRES (UTC)", "ID")
		for s, err := range db.AllSessions(ctx, owner) {
			if err != nil {
				return err
			}
			row := newSessionRow(s)
			err := list.add(row, s.User.Login(), row.Device, row.IP,
				formatTime(s.CreatedAt), formatTime(s.LastSeenAt), formatTime(s.ExpiresAt), s.ID.String())
			if err != nil {
				return err
			}
		}
		return list.end()
	})
}

func (c sessionsRevoke) Run(ctx context.Context, config *app.Config) error {
	given := 0
	for _, is := range []bool{c.ID != "", c.User != "", c.All} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("pass exactly one of ID, --user LOGIN and --all")
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		n, err := c.revoke(ctx, db)
		switch {
		case err != nil:
			return err
		case n == 1:
			fmt.Println("Ended 1 session")
		default:
			fmt.Println("Ended", n, "sessions")
		}
		return nil
	})
}

func (c sessionsRevoke) revoke(ctx context.Context, db *models.DB) (n int, err error) {
	switch {
	case c.All:
		err = audited(ctx, db, models.EventAllEnded, func(tx *models.DB) (_ uuid.UUID, err error) {
			n, err = tx.EndAllSessions(ctx)
			return uuid.Nil, err
		})
		return n, err
	case c.User != "":
		user, err := findUser(ctx, db, c.User)
		if err != nil {
			return 0, err
		}
		err = audited(ctx, db, models.EventAllEnded, func(tx *models.DB) (_ uuid.UUID, err error) {
			if n, err = tx.DeleteSessions(ctx, user.ID, uuid.Nil); err == nil {
				err = tx.UntrustBrowsers(ctx, user.ID, "")
			}
			return user.ID, err
		})
		return n, err
	}
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return 0, fmt.Errorf("%s is not a session ID: run vestibule sessions list to find it", plain(c.ID))
	}
	detail := new(models.EventDetail)
	err = auditedDetail(ctx, db, models.EventSessionEnded, detail, func(tx *models.DB) (uuid.UUID, error) {
		s, err := tx.EndSession(ctx, id)
		detail.Device = device.Name(s.UserAgent)
		return s.UserID, err
	})
	if errors.Is(err, models.ErrNotFound) {
		return 0, fmt.Errorf("no session %s", id)
	}
	return 1, err
}

// sessionRow is a session as printed, without the token hash.
type sessionRow struct {
	ID         uuid.UUID `json:"id"`
	UserID     uuid.UUID `json:"user_id"`
	Username   string    `json:"username"`
	Device     string    `json:"device"`
	UserAgent  string    `json:"user_agent"`
	IP         string    `json:"ip"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func newSessionRow(s *models.Session) sessionRow {
	return sessionRow{
		ID:         s.ID,
		UserID:     s.UserID,
		Username:   s.User.Username,
		Device:     device.Name(s.UserAgent),
		UserAgent:  s.UserAgent,
		IP:         s.IP,
		CreatedAt:  s.CreatedAt.UTC(),
		LastSeenAt: s.LastSeenAt.UTC(),
		ExpiresAt:  s.ExpiresAt.UTC(),
	}
}
