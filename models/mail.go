package models

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// The kinds of mail. Each has templates of that name in templates/mail.
const (
	MailVerifyEmail     = "verify-email"
	MailChangeEmail     = "change-email"
	MailEmailChanged    = "email-changed"
	MailResetPassword   = "reset-password"
	MailPasswordReset   = "password-reset"
	MailPasswordChanged = "password-changed"
	MailNewBrowser      = "new-browser"
	MailFactorChanged   = "factor-changed"
	MailAccountDeleted  = "account-deleted"
	MailInvitation      = "invitation"
	MailSiteInvitation  = "site-invitation"
	MailSecondFactor    = "second-factor"
	MailEmailRestored   = "email-restored"
	MailCodesFailed     = "codes-failed"
	MailRecover         = "recover"
	MailRecoveryBegun   = "recovery-begun"
	MailRecoveryReady   = "recovery-ready"
	MailSignInCode      = "sign-in-code"
	MailImpersonated    = "impersonated"
)

// Mail is a queued email. The queue is our own table because the available
// libraries may hand a message to two processes on PostgreSQL, or would store
// tokens. Mail is queued in the transaction that causes it and composed when it is
// sent, so a token is never stored.
type Mail struct {
	bun.BaseModel `bun:"table:mails,alias:m"`

	ID        uuid.UUID `bun:",pk"`
	Kind      string
	Recipient string
	UserID    uuid.UUID `bun:",nullzero"`
	Name      string    // for the greeting
	Detail    MailDetail
	CreatedAt time.Time
	Attempts  int
	NextAt    time.Time
	Priority  MailPriority
	Domain    string // of the recipient

	User *User `bun:"rel:belongs-to,join:user_id=id"` // loaded by AllMail alone
}

// MailPriority orders the queue: mail of a lower number goes first.
type MailPriority int

// The priorities of mail.
const (
	MailUrgent MailPriority = iota // a link or code that a person waits for
	MailNotice
	MailBulk // can come by the hundred
)

// mailPriority returns the priority of mail of that kind.
func mailPriority(kind string) MailPriority {
	switch kind {
	case MailSignInCode, MailVerifyEmail, MailChangeEmail, MailResetPassword, MailRecover, MailSiteInvitation:
		return MailUrgent
	case MailInvitation, MailSecondFactor:
		return MailBulk
	}
	return MailNotice
}

// MailDetail holds what the text of a mail needs. Each kind uses its own fields.
type MailDetail struct {
	Username string    `json:"username,omitempty"` // of the account that it is about
	Email    string    `json:"email,omitempty"`
	Browser  string    `json:"browser,omitempty"`
	IP       string    `json:"ip,omitempty"`
	When     time.Time `json:"when,omitzero"`
	Until    time.Time `json:"until,omitzero"`   // when an impersonation ended
	Writes   bool      `json:"writes,omitempty"` // an operator could change something
	Change   string    `json:"change,omitempty"` // the kind of the event
	Factor   uuid.UUID `json:"factor,omitzero"`  // that was added or refused

	Connection string `json:"connection,omitempty"` // the label of a provider

	Code *CodeRequest `json:"code,omitempty"` // for which the mail has a code

	Invitation   uuid.UUID `json:"invitation,omitzero"`
	Organization uuid.UUID `json:"organization,omitzero"`
}

// QueueMail adds mails to the queue and fills in their ids, times, priorities and domains.
func (db *DB) QueueMail(ctx context.Context, mails ...Mail) error {
	return db.queueMailAt(ctx, now(), mails...)
}

// queueMailAt is QueueMail for mail that isn't sent before t.
func (db *DB) queueMailAt(ctx context.Context, t time.Time, mails ...Mail) error {
	for i := range mails {
		m := &mails[i]
		m.ID = newID()
		m.CreatedAt, m.NextAt = t, t
		m.Priority = mailPriority(m.Kind)
		m.Domain = Key(m.Recipient[strings.LastIndexByte(m.Recipient, '@')+1:])
	}
	_, err := db.bun.NewInsert().Model(&mails).Returning("NULL").Exec(ctx)
	return err
}

// mailUser queues mail of that kind to user's own address. An unverified address
// gets only the mail that verifies it, with the username but without a name. Otherwise
// the owner of the address, who may not be the user, would read about a stranger's
// account, and whatever the stranger chose as a name.
func (db *DB) mailUser(ctx context.Context, user *User, kind string, detail MailDetail) error {
	detail.Username = user.Username
	m := Mail{Kind: kind, Recipient: user.Email, UserID: user.ID, Detail: detail}
	switch {
	case user.Verified():
		m.Name = user.FirstName
	case kind != MailVerifyEmail:
		return nil
	}
	return db.QueueMail(ctx, m)
}

// cancelMail removes user's mail of these kinds from the queue.
func (db *DB) cancelMail(ctx context.Context, user uuid.UUID, kinds ...string) error {
	_, err := db.bun.NewDelete().Model((*Mail)(nil)).Where("user_id = ?", user).Where("kind IN (?)", bun.List(kinds)).Exec(ctx)
	return err
}

// Times of the mail queue.
const (
	// mailLease is how long a process may keep a claimed mail before others may
	// claim it, in case it died: longer than any delivery takes.
	mailLease = 3 * time.Minute
	// firstRetry is the first delay between attempts. It doubles up to lastRetry.
	firstRetry = 2 * time.Second
	lastRetry  = 10 * time.Minute
	// mailLife is how long delivery is attempted.
	mailLife = 72 * time.Hour
)

// MailFilter selects the mail that may be claimed. The zero filter selects all.
type MailFilter struct {
	Except []string // domains whose mail must wait
	Urgent bool     // only MailUrgent
	First  bool     // only mail that was never attempted
}

// ClaimMail claims the most urgent mail that is due, and of those the one that has been
// due longest, for this process alone. It returns ErrNotFound if no such mail is due.
func (db *DB) ClaimMail(ctx context.Context, filter MailFilter) (*Mail, error) {
	t := now()
	due := db.bun.NewSelect().Model((*Mail)(nil)).Column("id").Where("next_at <= ?", t).Order("priority", "next_at", "id").Limit(1)
	if len(filter.Except) > 0 {
		due = due.Where("domain NOT IN (?)", bun.List(filter.Except))
	}
	if filter.Urgent {
		due = due.Where("priority = ?", MailUrgent)
	}
	if filter.First {
		due = due.Where("attempts = 0")
	}
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

// DeleteMail removes mails, sent or without a recipient, from the queue.
func (db *DB) DeleteMail(ctx context.Context, mails ...*Mail) error {
	if len(mails) == 0 {
		return nil
	}
	_, err := db.bun.NewDelete().Model(&mails).WherePK().Exec(ctx)
	return err
}

// RetryMail schedules the next attempt to send m, which failed for reason, with a delay
// that doubles each time. If m is older than mailLife, RetryMail refuses it and returns
// false.
func (db *DB) RetryMail(ctx context.Context, m *Mail, reason string) (bool, error) {
	t := now()
	if t.Sub(m.CreatedAt) > mailLife {
		return false, db.RefuseMail(ctx, m, "given up after three days: "+reason)
	}
	wait := lastRetry
	if m.Attempts < 10 {
		wait = min(wait, firstRetry<<m.Attempts)
	}
	m.NextAt = t.Add(wait)
	_, err := db.bun.NewUpdate().Model(m).WherePK().Column("next_at").Exec(ctx)
	return true, err
}

// PostponeMail schedules m, which wasn't tried, for later.
func (db *DB) PostponeMail(ctx context.Context, m *Mail, wait time.Duration) error {
	if m.Attempts--; now().Sub(m.CreatedAt) > mailLife {
		return db.DeleteMail(ctx, m)
	}
	m.NextAt = now().Add(wait)
	_, err := db.bun.NewUpdate().Model(m).WherePK().Column("next_at", "attempts").Exec(ctx)
	return err
}

// resendInterval is how long a user must wait before the link can be sent again.
const resendInterval = time.Minute

// ErrTooSoon means that the last request for the same was a moment ago.
var ErrTooSoon = errors.New("too soon")

// ResendVerification queues the mail that verifies user's address again. It
// returns ErrTooSoon if the last one was sent less than a minute ago or is still
// in the queue, and ErrChanged if user has changed since it was read.
func (db *DB) ResendVerification(ctx context.Context, user *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		user, err := tx.lockUnchanged(ctx, user)
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
			Where("created_at > ?", now().Add(-resendInterval)).Exists(ctx)
		if err != nil {
			return err
		}
		if queued || sent {
			return ErrTooSoon
		}
		return tx.mailUser(ctx, user, MailVerifyEmail, MailDetail{})
	})
}

// sanitize returns a client's text as a database and a page can hold it: what can be
// printed of its first maxBytes bytes.
func sanitize(s string, maxBytes int) string {
	for range 2 { // the normal form can be longer
		s = text.Printable(s[:min(len(s), maxBytes)])
	}
	return s
}
