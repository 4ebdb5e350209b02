package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/models"
)

type mails struct {
	Refused mailRefused `cmd:"" help:"List mail of the last 30 days that could not be delivered, newest first."`
}

type mailRefused struct {
	Login string `arg:"" optional:"" help:"Only mail to the user with this username or email address, ignoring case."`
	JSON  bool   `name:"json" help:"Print a JSON array."`
}

func (c mailRefused) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		var recipient uuid.UUID
		if c.Login != "" {
			user, err := findUser(ctx, db, c.Login)
			if err != nil {
				return err
			}
			recipient = user.ID
		}
		list := newList(c.JSON, "REFUSED (UTC)", "KIND", "ACCOUNT", "RECIPIENT", "ATTEMPTS", "REASON")
		for m, err := range db.AllRefusedMail(ctx, recipient) {
			if err != nil {
				return err
			}
			row := newMailRow(m)
			err := list.add(row, formatTime(m.RefusedAt), m.Kind, userLabel(m.UserID, m.User), m.Recipient, fmt.Sprint(m.Attempts), m.Reason)
			if err != nil {
				return err
			}
		}
		return list.end()
	})
}

// mailRow is a refused mail as printed.
type mailRow struct {
	ID        uuid.UUID  `json:"id"`
	Kind      string     `json:"kind"`
	UserID    *uuid.UUID `json:"user_id"`
	Username  *string    `json:"username"`
	Recipient string     `json:"recipient"`
	Reason    string     `json:"reason"`
	Attempts  int        `json:"attempts"`
	CreatedAt time.Time  `json:"created_at"`
	RefusedAt time.Time  `json:"refused_at"`
}

func newMailRow(m *models.RefusedMail) mailRow {
	row := mailRow{
		ID:        m.ID,
		Kind:      m.Kind,
		Recipient: m.Recipient,
		Reason:    m.Reason,
		Attempts:  m.Attempts,
		CreatedAt: m.CreatedAt.UTC(),
		RefusedAt: m.RefusedAt.UTC(),
	}
	row.UserID, row.Username = optionalUser(m.UserID, m.User)
	return row
}
