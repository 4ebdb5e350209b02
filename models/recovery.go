package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// Recovery removes the second factor of a user who has lost it, once it has waited. A user
// has one at most.
type Recovery struct {
	bun.BaseModel `bun:"table:recoveries,alias:rcv"`

	UserID    uuid.UUID `bun:",pk"`
	CreatedAt time.Time
	ReadyAt   time.Time // when it has waited
	ExpiresAt time.Time // until when it can be finished
}

// RecoveryLife is how long a recovery can be finished once it has waited.
const RecoveryLife = 7 * 24 * time.Hour

// Ready reports whether the recovery has waited.
func (r *Recovery) Ready() bool { return !now().Before(r.ReadyAt) }

// Over reports whether it's too late to finish the recovery.
func (r *Recovery) Over() bool { return !now().Before(r.ExpiresAt) }

// NeedsRecovery reports whether a mailed link alone doesn't sign the user in, so that one
// who has lost the other factors must wait.
func (f Factors) NeedsRecovery() bool { return !f.SatisfiedBy([]Proof{{Factor: FactorEmail}}) }

// RecoveryOf finds the recovery of user that waits or can be finished. It returns
// ErrNotFound if there is none.
func (db *DB) RecoveryOf(ctx context.Context, user uuid.UUID) (*Recovery, error) {
	r := new(Recovery)
	if err := db.bun.NewSelect().Model(r).Where("user_id = ?", user).Where("expires_at > ?", now()).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return r, nil
}

// BeginRecovery begins a recovery of token's user, which waits that long, and tells every
// address of theirs. The detail says who began it. It reports false, and does nothing, if
// a recovery waits already. It returns ErrNotFound if the token no longer allows it, or the
// user doesn't need it.
func (db *DB) BeginRecovery(ctx context.Context, token *Token, site SitePolicy, wait time.Duration, by MailDetail) (begun bool, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		if _, err := tx.RecoveryOf(ctx, u.ID); !errors.Is(err, ErrNotFound) {
			return err
		}
		factors, err := tx.Factors(ctx, u)
		if err != nil {
			return err
		}
		valid, err := tx.bun.NewSelect().Model(token).WherePK().Exists(ctx)
		if err != nil {
			return err
		}
		if !valid || !token.mayRecover(u) || !factors.Under(site, u).NeedsRecovery() {
			return ErrNotFound
		}
		t := now()
		r := &Recovery{UserID: u.ID, CreatedAt: t, ReadyAt: t.Add(wait), ExpiresAt: t.Add(wait + RecoveryLife)}
		if _, err := tx.bun.NewDelete().Model(r).WherePK().Exec(ctx); err != nil { // an older one that is over
			return err
		}
		if err := tx.deleteTokens(ctx, u.ID, CancelRecovery, FinishRecovery); err != nil { // likewise
			return err
		}
		if _, err := tx.bun.NewInsert().Model(r).Exec(ctx); err != nil {
			return err
		}
		begun = true
		return tx.tellRecovery(ctx, u, r, by)
	})
	return begun, err
}

// mayRecover reports whether the token is for the address of user, its user, and nobody
// keeps user from signing in.
func (t *Token) mayRecover(user *User) bool {
	return !user.Disabled() && user.Verified() && user.EmailKey == text.EmailKey(t.Email)
}

// tellRecovery queues the notices that r has begun, and the mail that says that it has
// waited. Only the user's own address learns who began it.
func (db *DB) tellRecovery(ctx context.Context, u *User, r *Recovery, by MailDetail) error {
	by.When = r.ReadyAt
	if err := db.mailUser(ctx, u, MailRecoveryBegun, by); err != nil {
		return err
	}
	former, err := db.FormerEmails(ctx, u.ID)
	if err != nil {
		return err
	}
	pending, err := db.PendingEmail(ctx, u)
	if err != nil {
		return err
	}
	var others []string
	if pending != "" {
		others = append(others, pending)
	}
	for _, f := range former {
		if f.EmailKey != text.EmailKey(pending) {
			others = append(others, f.Email)
		}
	}
	for _, address := range others {
		m := Mail{Kind: MailRecoveryBegun, Recipient: address, UserID: u.ID, Detail: MailDetail{Username: u.Username, When: r.ReadyAt}}
		if err := db.QueueMail(ctx, m); err != nil {
			return err
		}
	}
	ready := Mail{Kind: MailRecoveryReady, Recipient: u.Email, UserID: u.ID, Name: u.FirstName, Detail: MailDetail{Username: u.Username}}
	return db.queueMailAt(ctx, r.ReadyAt, ready)
}

// CancelRecovery ends the recovery of u, and notifies them by email. It reports whether
// there was one.
func (db *DB) CancelRecovery(ctx context.Context, u *User) (canceled bool, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		if canceled, err = tx.endRecovery(ctx, u.ID); err != nil || !canceled {
			return err
		}
		return tx.mailFactorChange(ctx, u, EventRecoveryCanceled)
	})
	return canceled, err
}

// overtakeRecovery is CancelRecovery for what makes a recovery of u pointless, or shows
// that u is there. It also records it. Actor did it; the zero id is an operator.
func (db *DB) overtakeRecovery(ctx context.Context, u *User, actor uuid.UUID) error {
	canceled, err := db.CancelRecovery(ctx, u)
	if err != nil || !canceled {
		return err
	}
	return db.Record(ctx, Event{Kind: EventRecoveryCanceled, UserID: u.ID, ActorID: actor})
}

// endRecovery deletes the recovery of user, with its links and the mail that is yet to be
// sent. It reports whether there was one.
func (db *DB) endRecovery(ctx context.Context, user uuid.UUID) (bool, error) {
	result, err := db.bun.NewDelete().Model((*Recovery)(nil)).Where("user_id = ?", user).Where("expires_at > ?", now()).Exec(ctx)
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if err := db.deleteTokens(ctx, user, Recover, FinishRecovery); err != nil { // those that cancel it lead to a page that says so
		return false, err
	}
	return true, db.cancelMail(ctx, user, MailRecoveryBegun, MailRecoveryReady)
}

// FinishRecovery consumes token, removes every factor of its user, and stores the hash of a
// new password. It ends every session, forgets the known browsers, voids other emailed
// tokens and notifies the user by email. It returns ErrNotFound if the token no longer
// allows it, or no recovery of the user has waited.
func (db *DB) FinishRecovery(ctx context.Context, token *Token, hash string) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		r, err := tx.RecoveryOf(ctx, u.ID)
		if err != nil {
			return err
		}
		if !r.Ready() || !token.mayRecover(u) {
			return ErrNotFound
		}
		if err := tx.useToken(ctx, token); err != nil {
			return err
		}
		if _, err := tx.endRecovery(ctx, u.ID); err != nil {
			return err
		}
		if err := tx.deleteWaysIn(ctx, u.ID); err != nil {
			return err
		}
		token.User = u
		return tx.setPassword(ctx, u, hash, uuid.Nil, MailFactorChanged, MailDetail{Change: EventRecoveryFinished})
	})
}
