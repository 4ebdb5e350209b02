package models

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// The kinds of mail. Each has its templates in templates/mail under that name.
const (
	MailVerifyEmail     = "verify-email"
	MailChangeEmail     = "change-email"
	MailEmailChanged    = "email-changed"
	MailResetPassword   = "reset-password"
	MailPasswordReset   = "password-reset"
	MailPasswordChanged = "password-changed"
	MailNewBrowser      = "new-browser"
	MailAccountDeleted  = "account-deleted"
	MailInvitation      = "invitation"
)

// Mail is a message to send. The queue is this table and not a library's: those
// at hand may give a message to two processes on PostgreSQL, or would store the
// tokens in it. A mail is queued in the transaction of the change that causes
// it, and composed when it is sent: so a token in it is never stored.
type Mail struct {
	bun.BaseModel `bun:"table:mails,alias:m"`

	ID        uuid.UUID `bun:",pk"`
	Kind      string
	Recipient string
	UserID    uuid.UUID `bun:",nullzero"`
	Name      string    // whom it greets
	Detail    MailDetail
	CreatedAt time.Time
	Attempts  int
	NextAt    time.Time
}

// MailDetail is what a kind of mail says beside its name.
type MailDetail struct {
	Email   string    `json:"email,omitempty"`
	Browser string    `json:"browser,omitempty"`
	IP      string    `json:"ip,omitempty"`
	When    time.Time `json:"when,omitzero"`

	Invitation uuid.UUID `json:"invitation,omitzero"`
}

// QueueMail queues m to be sent to its recipient.
func (db *DB) QueueMail(ctx context.Context, m Mail) error {
	m.ID = newID()
	m.CreatedAt = now()
	m.NextAt = m.CreatedAt
	_, err := db.bun.NewInsert().Model(&m).Returning("NULL").Exec(ctx)
	return err
}

// mailUser queues a mail of that kind to user's own address. Who has not proved
// that the address is theirs gets the mail that does so and no other, and no name
// in it: else a stranger would read what happens to an account that is none of
// theirs, and words from whoever made it.
func (db *DB) mailUser(ctx context.Context, user *User, kind string, detail MailDetail) error {
	m := Mail{Kind: kind, Recipient: user.Email, UserID: user.ID, Detail: detail}
	switch {
	case user.Verified():
		m.Name = user.FirstName
	case kind != MailVerifyEmail:
		return nil
	}
	return db.QueueMail(ctx, m)
}

// unqueue takes user's mails of these kinds out of the queue.
func (db *DB) unqueue(ctx context.Context, user uuid.UUID, kinds ...string) error {
	_, err := db.bun.NewDelete().Model((*Mail)(nil)).Where("user_id = ?", user).Where("kind IN (?)", bun.List(kinds)).Exec(ctx)
	return err
}

// Times of the mail queue.
const (
	// mailLease is how long a claimed mail is left to its process: longer than
	// any delivery takes. One that dies meanwhile leaves it to others after that.
	mailLease = 3 * time.Minute
	// firstRetry doubles with each attempt up to lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = 10 * time.Minute
	// mailLife is how long a mail is tried.
	mailLife = 72 * time.Hour
)

// ClaimMail claims the mail that has been due longest for this process alone. If
// done is not nil, it removes that from the queue first. It returns ErrNotFound if
// no mail is due; after any other error done may or may not have been removed.
func (db *DB) ClaimMail(ctx context.Context, done *Mail) (*Mail, error) {
	if done != nil {
		if err := db.DeleteMail(ctx, done); err != nil {
			return nil, err
		}
	}
	t := now()
	due := db.bun.NewSelect().Model((*Mail)(nil)).Column("id").Where("next_at <= ?", t).Order("next_at", "id").Limit(1)
	if db.Postgres() {
		due = due.For("UPDATE SKIP LOCKED")
	}
	m := new(Mail)
	err := db.bun.NewUpdate().Model(m).
		Set("next_at = ?", t.Add(mailLease)).Set("attempts = attempts + 1").
		Where("id = (?)", due).Returning("*").Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// DeleteMail removes m, sent or undeliverable, from the queue.
func (db *DB) DeleteMail(ctx context.Context, m *Mail) error {
	_, err := db.bun.NewDelete().Model(m).WherePK().Exec(ctx)
	return err
}

// RetryMail leaves m for later, the longer the more often it was tried. It
// takes m out of the queue and returns false when that was for long enough.
func (db *DB) RetryMail(ctx context.Context, m *Mail) (bool, error) {
	t := now()
	if t.Sub(m.CreatedAt) > mailLife {
		return false, db.DeleteMail(ctx, m)
	}
	wait := lastRetry
	if m.Attempts < 10 {
		wait = min(wait, firstRetry<<m.Attempts)
	}
	m.NextAt = t.Add(wait)
	_, err := db.bun.NewUpdate().Model(m).WherePK().Column("next_at").Exec(ctx)
	return true, err
}

// verifyPause is how long a person waits before the link is sent once more.
const verifyPause = time.Minute

// ErrTooSoon says that the same was asked for a moment ago.
var ErrTooSoon = errors.New("too soon")

// ResendVerification queues the mail with the link once more. It returns
// ErrTooSoon when the last is hardly a minute old or still in the queue.
func (db *DB) ResendVerification(ctx context.Context, user *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		user, err := tx.lockAs(ctx, user)
		if err != nil {
			return err
		}
		queued, err := tx.bun.NewSelect().Model((*Mail)(nil)).
			Where("user_id = ?", user.ID).Where("kind = ?", MailVerifyEmail).Exists(ctx)
		if err != nil {
			return err
		}
		sent, err := tx.bun.NewSelect().Model((*Token)(nil)).
			Where("user_id = ?", user.ID).Where("purpose = ?", VerifyEmail).
			Where("created_at > ?", now().Add(-verifyPause)).Exists(ctx)
		if err != nil {
			return err
		}
		if queued || sent {
			return ErrTooSoon
		}
		return tx.mailUser(ctx, user, MailVerifyEmail, MailDetail{})
	})
}

// clean makes of what a stranger sent a string that the database and a page
// can hold: valid UTF-8, no NUL, no longer than most bytes.
func clean(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
