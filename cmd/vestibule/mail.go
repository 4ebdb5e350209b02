package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/admin"
	"vestibule/app/mail"
	"vestibule/models"
	view "vestibule/templates/mail"
)

type mails struct {
	List    mailList    `cmd:"" help:"List mail that waits to be sent, first queued first."`
	Show    mailShow    `cmd:"" help:"Show one mail that waits or was refused, without its link."`
	Refused mailRefused `cmd:"" help:"List mail of the last 30 days that could not be delivered, newest first."`
	Retry   mailRetry   `cmd:"" help:"Send mail now that waits for another attempt."`
	Drop    mailDrop    `cmd:"" help:"Remove mail that waits or was refused. Nobody gets it."`
	Test    mailTest    `cmd:"" help:"Send a mail by SMTP_URL, and say what the mail server answers."`
}

type (
	mailList struct {
		Login string `arg:"" optional:"" help:"Only mail to the user with this username, email address or ID, ignoring case."`
		JSON  bool   `name:"json" help:"Print a JSON array."`
		Limit uint   `placeholder:"N" help:"Print at most N mails (default: all)."`
	}
	mailShow struct {
		mailID
		JSON bool `name:"json" help:"Print a JSON object."`
	}
	mailRefused struct {
		Login string `arg:"" optional:"" help:"Only mail to the user with this username, email address or ID, ignoring case."`
		JSON  bool   `name:"json" help:"Print a JSON array."`
	}
	mailRetry struct{ mailID }
	mailDrop  struct{ mailID }
	mailTest  struct {
		To string `arg:"" help:"Email address that gets the mail."`
	}
)

// mailID is the argument that names a mail.
type mailID struct {
	ID string `arg:"" help:"ID of the mail, as shown by mail list, mail refused and the log."`
}

// parse returns the ID.
func (c mailID) parse() (uuid.UUID, error) {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return uuid.Nil, fmt.Errorf("%s is not the ID of a mail: run vestibule mail list to find it", plain(c.ID))
	}
	return id, nil
}

// Help returns the details that --help prints below the summary.
func (mailRetry) Help() string {
	return "The site must be running. A mail that it is sending at this moment may arrive twice. Refused mail can't be sent again, because its content isn't kept."
}

// Help returns the details that --help prints below the summary.
func (mailDrop) Help() string {
	return "A mail that the site is sending at this moment may still arrive."
}

func (c mailList) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) (err error) {
		var user *models.User
		if c.Login != "" {
			if user, err = findUser(ctx, db, c.Login); err != nil {
				return err
			}
		}
		list := newList(c.JSON, "QUEUED (UTC)", "KIND", "ACCOUNT", "RECIPIENT", "ATTEMPTS", "NEXT (UTC)", "ID")
		for m, err := range db.AllMail(ctx, user) {
			if err != nil {
				return err
			}
			row := newQueuedMailRow(m)
			err := list.add(row, formatTime(m.CreatedAt), m.Kind, userLabel(m.UserID, m.User), m.Recipient, fmt.Sprint(m.Attempts), formatTime(m.NextAt), m.ID.String())
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

func (c mailShow) Run(ctx context.Context, config *app.Config) error {
	id, err := c.parse()
	if err != nil {
		return err
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		m, err := db.MailByID(ctx, id)
		if errors.Is(err, models.ErrNotFound) {
			return c.showRefused(ctx, db, id)
		}
		if err != nil {
			return err
		}
		row := queuedMail{queuedMailRow: newQueuedMailRow(m)}
		message, err := app.PreviewMail(ctx, config, db, m)
		switch {
		case !view.Known(m.Kind):
			row.Text = admin.UnknownMail
		case errors.Is(err, models.ErrNotFound):
			row.Text = admin.OrphanedMail
		case err != nil:
			return err
		default:
			row.Subject, row.Text = message.Subject, message.Text
		}
		if c.JSON {
			return printJSON(os.Stdout, row)
		}
		table := newTable(os.Stdout)
		for _, line := range [][]string{
			{"Kind", m.Kind}, {"Account", userLabel(m.UserID, m.User)}, {"Recipient", m.Recipient},
			{"Queued (UTC)", formatTime(m.CreatedAt)}, {"Attempts", fmt.Sprint(m.Attempts)}, {"Next (UTC)", formatTime(m.NextAt)},
			{"Subject", cmp.Or(row.Subject, "-")},
		} {
			printCells(table, line...)
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Println()
		printText(row.Text)
		return nil
	})
}

func (c mailShow) showRefused(ctx context.Context, db *models.DB, id uuid.UUID) error {
	m, err := db.RefusedMailByID(ctx, id)
	if errors.Is(err, models.ErrNotFound) {
		return noMail(id)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, newMailRow(m))
	}
	table := newTable(os.Stdout)
	for _, line := range [][]string{
		{"Kind", m.Kind}, {"Account", userLabel(m.UserID, m.User)}, {"Recipient", m.Recipient},
		{"Queued (UTC)", formatTime(m.CreatedAt)}, {"Attempts", fmt.Sprint(m.Attempts)}, {"Refused (UTC)", formatTime(m.RefusedAt)}, {"Reason", m.Reason},
	} {
		printCells(table, line...)
	}
	return table.Flush()
}

func noMail(id uuid.UUID) error { return fmt.Errorf("no mail %s waits or was refused", id) }

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

func (c mailRetry) Run(ctx context.Context, config *app.Config) error {
	id, err := c.parse()
	if err != nil {
		return err
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		m, err := db.MailByID(ctx, id)
		if errors.Is(err, models.ErrNotFound) {
			return fmt.Errorf("no mail %s waits: it was sent, dropped or refused", id)
		}
		if err != nil {
			return err
		}
		err = auditedDetail(ctx, db, models.EventMailRetried, &models.EventDetail{Mail: m.Kind}, func(tx *models.DB) (uuid.UUID, error) { return m.UserID, tx.HurryMail(ctx, id) })
		if errors.Is(err, models.ErrNotFound) {
			fmt.Printf("The mail %s was sent in the meantime\n", id)
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("The mail %s is due now\n", id)
		return nil
	})
}

func (c mailDrop) Run(ctx context.Context, config *app.Config) error {
	id, err := c.parse()
	if err != nil {
		return err
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		detail := new(models.EventDetail)
		err := auditedDetail(ctx, db, models.EventMailDropped, detail, func(tx *models.DB) (uuid.UUID, error) {
			user := uuid.Nil
			if m, err := tx.MailByID(ctx, id); err == nil {
				user, detail.Mail = m.UserID, m.Kind
			} else if r, err := tx.RefusedMailByID(ctx, id); err == nil {
				user, detail.Mail = r.UserID, r.Kind
			}
			return user, tx.DropMail(ctx, id)
		})
		if errors.Is(err, models.ErrNotFound) {
			return noMail(id)
		}
		if err != nil {
			return err
		}
		fmt.Printf("Dropped the mail %s\n", id)
		return nil
	})
}

func (c mailTest) Run(ctx context.Context, config *app.Config) error {
	if config.SMTPURL == "" {
		return errors.New("SMTP_URL is not set: there is no mail server to test")
	}
	server, err := mail.NewSMTP(config.SMTPURL, config.MailFrom)
	if err != nil {
		return err
	}
	const text = "This mail shows that Vestibule can send mail. An operator asked for it; you need not do anything."
	err = server.Send(ctx, mail.Message{ID: "test." + uuid.NewString(), To: c.To, Subject: "Test mail", Text: text + "\n", HTML: "<p>" + text + "</p>\n"})
	if err != nil {
		return fmt.Errorf("the mail was not sent: %w", err)
	}
	fmt.Println("The mail server accepted the mail")
	return nil
}

// queuedMailRow is a mail that waits, as printed.
type queuedMailRow struct {
	ID        uuid.UUID  `json:"id"`
	Kind      string     `json:"kind"`
	UserID    *uuid.UUID `json:"user_id"`
	Username  *string    `json:"username"`
	Recipient string     `json:"recipient"`
	Attempts  int        `json:"attempts"`
	CreatedAt time.Time  `json:"created_at"`
	NextAt    time.Time  `json:"next_at"`
}

// queuedMail is a mail that waits, with its content.
type queuedMail struct {
	queuedMailRow
	Subject string `json:"subject"`
	Text    string `json:"text"` // without the link
}

func newQueuedMailRow(m *models.Mail) queuedMailRow {
	row := queuedMailRow{ID: m.ID, Kind: m.Kind, Recipient: m.Recipient, Attempts: m.Attempts, CreatedAt: m.CreatedAt.UTC(), NextAt: m.NextAt.UTC()}
	row.UserID, row.Username = admin.OptionalUser(m.UserID, m.User)
	return row
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
	row.UserID, row.Username = admin.OptionalUser(m.UserID, m.User)
	return row
}
