package models

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// TokenDetail says which change the link in a notice reports, as that of "This wasn't me".
type TokenDetail struct {
	Change  string    `json:"change,omitempty"` // the kind of the event
	Factor  uuid.UUID `json:"factor,omitzero"`  // that was added or refused
	Browser string    `json:"browser,omitempty"`
	IP      string    `json:"ip,omitempty"`
	At      time.Time `json:"at,omitzero"`

	Undone *Undone `json:"undone,omitempty"` // nil before the link is used
}

// IsZero reports whether the token reports no change. Then the column is NULL.
func (d TokenDetail) IsZero() bool { return d == TokenDetail{} }

// Undone is what a report has undone, besides what it always does.
type Undone struct {
	Email       string    `json:"email"`                // of the account from then on
	EmailFrom   string    `json:"email_from,omitempty"` // before, if it was changed back
	Passkeys    int       `json:"passkeys,omitempty"`   // that were removed
	Apps        int       `json:"apps,omitempty"`
	Connections int       `json:"connections,omitempty"`
	Codes       bool      `json:"codes,omitempty"` // the recovery codes were removed
	Recovery    bool      `json:"recovery,omitempty"`
	At          time.Time `json:"at"`
}

// reportedBy is the kind of the event that a notice of that kind tells of. A notice of a
// factor says that itself.
var reportedBy = map[string]string{
	MailNewBrowser:      EventSignIn,
	MailPasswordChanged: EventPasswordChanged,
	MailPasswordReset:   EventPasswordReset,
	MailEmailChanged:    EventEmailConfirmed,
	MailCodesFailed:     EventCodeFailed,
}

// CreateReportToken creates the token by which the recipient of m, a queued notice, reports
// the change. The secret is empty if the recipient can no longer report anything: the account
// was deleted or disabled, or has given up the address. It returns ErrNotFound if m was removed
// from the queue in the meantime.
func (db *DB) CreateReportToken(ctx context.Context, m *Mail) (secret string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, m.UserID)
		if errors.Is(err, ErrNotFound) || err == nil && u.Disabled() {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.requireQueued(ctx, m); err != nil {
			return err
		}
		if _, owns, err := tx.ownsEmail(ctx, u, m.Recipient); err != nil || !owns {
			return err
		}
		token := newToken(u, ReportChange, m.Recipient)
		token.Detail = TokenDetail{Change: cmp.Or(m.Detail.Change, reportedBy[m.Kind]), Factor: m.Detail.Factor, Browser: m.Detail.Browser, IP: m.Detail.IP, At: m.CreatedAt}
		secret, err = tx.insertToken(ctx, m, token)
		return err
	})
	return secret, err
}

// MayReport reports whether token can still report its change. It can't once somebody at an
// earlier address has taken its own from the account, or a week after the account got another
// address.
func (db *DB) MayReport(ctx context.Context, token *Token) (bool, error) {
	if token.Detail.Undone != nil {
		return true, nil
	}
	_, owns, err := db.ownsEmail(ctx, token.User, token.Email)
	return owns && !token.User.Disabled(), err
}

// ReportChange does what somebody asks for who says that the change that token reports
// wasn't theirs, and that a stranger may be in their account:
//
//   - If the token was sent to a former address, the account has that address again. Links
//     that were sent to the addresses since then are void, and the factors that were added
//     since then go.
//   - The factor that the change added goes, or the passkey that may have been copied.
//   - Every session, every known browser, a pending change of address and a recovery end.
//   - The password no longer works, and a link to choose another is mailed.
//
// It stores in the token what was undone, and returns that. Called again, it does nothing
// and returns the same. It returns ErrNotFound if MayReport is false, and a *TakenError if
// another account has the former address.
func (db *DB) ReportChange(ctx context.Context, token *Token) (undone *Undone, again bool, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		fresh := new(Token)
		if err := tx.bun.NewSelect().Model(fresh).Where("id = ?", token.ID).Scan(ctx); err != nil {
			return asNotFound(err)
		}
		if undone = fresh.Detail.Undone; undone != nil {
			again = true
			return nil
		}
		former, owns, err := tx.ownsEmail(ctx, u, fresh.Email)
		if err != nil {
			return err
		}
		if !owns || u.Disabled() {
			return ErrNotFound
		}
		undone = &Undone{At: now()}
		if former != nil {
			if err := tx.restoreEmail(ctx, u, former, undone); err != nil {
				return err
			}
		}
		undone.Email = u.Email
		if err := tx.removeReported(ctx, u, fresh.Detail, undone); err != nil {
			return err
		}
		if undone.Recovery, err = tx.endRecovery(ctx, u.ID); err != nil {
			return err
		}
		if err := tx.lockOut(ctx, u); err != nil {
			return err
		}
		token.User = u
		fresh.Detail.Undone = undone
		_, err = tx.bun.NewUpdate().Model(fresh).WherePK().Column("detail").Exec(ctx)
		return err
	})
	return undone, again, err
}

// restoreEmail gives u the address former again, and takes away what was added since it was
// replaced.
func (db *DB) restoreEmail(ctx context.Context, u *User, former *FormerEmail, undone *Undone) error {
	old := *u
	undone.EmailFrom = old.Email
	u.Email, u.VerifiedAt = former.Email, now()
	if err := db.updateUser(ctx, u, "email", "email_key", "verified_at"); err != nil {
		return err
	}
	since, err := db.FormerEmails(ctx, u.ID)
	if err != nil {
		return err
	}
	void := []string{old.Email}
	for _, f := range since {
		if f.ID.String() > former.ID.String() {
			void = append(void, f.Email)
		}
	}
	if _, err := db.bun.NewDelete().Model((*FormerEmail)(nil)).Where("user_id = ?", u.ID).Where("id >= ?", former.ID).Exec(ctx); err != nil {
		return err
	}
	if _, err := db.bun.NewDelete().Model((*Token)(nil)).Where("user_id = ?", u.ID).Where("email IN (?)", bun.List(void)).Exec(ctx); err != nil {
		return err
	}
	if _, err := db.bun.NewDelete().Model((*Mail)(nil)).Where("user_id = ?", u.ID).Where("recipient IN (?)", bun.List(void)).Exec(ctx); err != nil {
		return err
	}
	if err := db.mailUser(ctx, &old, MailEmailRestored, MailDetail{}); err != nil {
		return err
	}
	return db.removeFactors(ctx, u, undone, func(q *bun.DeleteQuery) *bun.DeleteQuery { return q.Where("created_at > ?", former.ReplacedAt) })
}

// removeReported removes the factor that a change added, or gave away.
func (db *DB) removeReported(ctx context.Context, u *User, change TokenDetail, undone *Undone) error {
	switch {
	case change.Factor != uuid.Nil:
		return db.removeFactors(ctx, u, undone, func(q *bun.DeleteQuery) *bun.DeleteQuery { return q.Where("id = ?", change.Factor) }, (*RecoveryCode)(nil))
	case change.Change == EventRecoveryCodesCreated, change.Change == EventRecoveryCodeUsed: // a stranger has the set
		none := func(q *bun.DeleteQuery) *bun.DeleteQuery { return q.Where("created_at <= ?", change.At) }
		return db.removeFactors(ctx, u, undone, none, (*Passkey)(nil), (*Authenticator)(nil), (*Identity)(nil))
	}
	return nil
}

// removeFactors removes the factors of u that which selects, except those of some models,
// and counts them.
func (db *DB) removeFactors(ctx context.Context, u *User, undone *Undone, which func(*bun.DeleteQuery) *bun.DeleteQuery, except ...any) error {
	remove := func(model any) (int, error) {
		if slices.Contains(except, model) {
			return 0, nil
		}
		result, err := db.bun.NewDelete().Model(model).Where("user_id = ?", u.ID).Apply(which).Exec(ctx)
		if err != nil {
			return 0, err
		}
		return affected(result), nil
	}
	passkeys, err := remove((*Passkey)(nil))
	if err != nil {
		return err
	}
	apps, err := remove((*Authenticator)(nil))
	if err != nil {
		return err
	}
	connections, err := remove((*Identity)(nil))
	if err != nil {
		return err
	}
	codes, err := remove((*RecoveryCode)(nil))
	if err != nil {
		return err
	}
	undone.Passkeys, undone.Apps, undone.Connections = undone.Passkeys+passkeys, undone.Apps+apps, undone.Connections+connections
	undone.Codes = undone.Codes || codes > 0
	return db.endWithLastSecond(ctx, u)
}

// lockOut ends every session of u and what else a stranger may hold, and mails u the way
// back in. What proves who u is stays, except the password.
func (db *DB) lockOut(ctx context.Context, u *User) error {
	u.PasswordHash = ""
	if err := db.updateUser(ctx, u, "password_hash"); err != nil {
		return err
	}
	if _, err := db.DeleteSessions(ctx, u.ID, uuid.Nil); err != nil {
		return err
	}
	if err := db.deleteBrowsers(ctx, u); err != nil {
		return err
	}
	if err := db.dropPending(ctx, u); err != nil {
		return err
	}
	if err := db.deleteTokens(ctx, u.ID, ResetPassword, VerifyEmail, Recover); err != nil {
		return err
	}
	return db.QueueMail(ctx, Mail{Kind: MailResetPassword, Recipient: u.Email, UserID: u.ID})
}
