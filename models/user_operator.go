package models

import (
	"context"

	"github.com/google/uuid"
)

// SetEmail gives u the address email, because an operator says so. Verified says that the
// operator knows it to be u's; otherwise u gets a link that verifies it. The former address
// gets a notice. SetEmail voids the links that were mailed. It returns a *TakenError if
// another user has the address, a *FullError if u has had too many addresses lately, and
// ErrChanged if u has changed since it was read.
func (db *DB) SetEmail(ctx context.Context, u *User, email string, verified bool) error {
	return db.InTx(ctx, func(tx *DB) error {
		changed, err := tx.lockUnchanged(ctx, u)
		if err != nil {
			return err
		}
		old := *changed
		changed.Email = email
		if verified {
			changed.VerifiedAt = now()
		}
		if err := tx.moveEmail(ctx, &old, changed, uuid.Nil); err != nil {
			return err
		}
		if err := tx.cancelMail(ctx, u.ID, MailVerifyEmail, MailChangeEmail); err != nil {
			return err
		}
		*u = *changed
		if verified {
			return nil
		}
		return tx.mailUser(ctx, u, MailVerifyEmail, MailDetail{})
	})
}
