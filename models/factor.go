package models

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Factor is a way in which a user proves who they are.
type Factor string

// The factors. The second ones count only after a first one.
const (
	FactorPassword Factor = "password"
	FactorEmail    Factor = "email"   // a mailed link
	FactorPasskey  Factor = "passkey" // with user verification, so it counts as two

	FactorCode         Factor = "code" // from an app
	FactorRecoveryCode Factor = "recovery-code"
	FactorBrowser      Factor = "browser" // a trusted one
)

// Proof is a factor that a browser has proved.
type Proof struct {
	Factor Factor    `json:"factor"`
	At     time.Time `json:"at"`
}

// Factors says how a user can prove who they are.
type Factors struct {
	Password      bool
	Passkeys      int
	Apps          int // that show codes
	RecoveryCodes int // that are left
}

// Factors returns how u can prove who they are.
func (db *DB) Factors(ctx context.Context, u *User) (Factors, error) {
	f := Factors{Password: u.HasPassword()}
	count := func(model any) *bun.SelectQuery {
		return db.bun.NewSelect().Model(model).ColumnExpr("count(*)").Where("user_id = ?", u.ID)
	}
	err := db.bun.NewSelect().ColumnExpr("(?), (?), (?)", count((*Passkey)(nil)), count((*Authenticator)(nil)), count((*RecoveryCode)(nil))).
		Scan(ctx, &f.Passkeys, &f.Apps, &f.RecoveryCodes)
	return f, err
}

// SecondFactor reports whether a password or a mailed link alone doesn't sign the user in.
func (f Factors) SecondFactor() bool { return f.Apps > 0 }

// SatisfiedBy reports whether a session may begin after these proofs: that is the whole
// policy of signing in.
func (f Factors) SatisfiedBy(proofs []Proof) bool {
	proved := func(factors ...Factor) bool {
		return slices.ContainsFunc(proofs, func(p Proof) bool { return slices.Contains(factors, p.Factor) })
	}
	first := proved(FactorPassword, FactorEmail)
	second := proved(FactorCode, FactorRecoveryCode, FactorBrowser)
	return proved(FactorPasskey) || first && (second || !f.SecondFactor())
}

// factorChanged ends what rests on the factors that u had, and notifies u by email. Kind
// is that of the event that says what changed.
func (db *DB) factorChanged(ctx context.Context, u *User, kind string) error {
	if err := db.endSignIns(ctx, u.ID); err != nil {
		return err
	}
	return db.mailFactorChange(ctx, u, kind)
}

func (db *DB) mailFactorChange(ctx context.Context, u *User, kind string) error {
	return db.mailUser(ctx, u, MailFactorChanged, MailDetail{Change: kind})
}

// ResetFactors removes every factor of u but the password, for a user who has lost them,
// and notifies them by email. It returns ErrChanged if u has changed since it was read.
func (db *DB) ResetFactors(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		if err := tx.deleteFactors(ctx, u.ID); err != nil {
			return err
		}
		return tx.factorChanged(ctx, u, EventFactorsReset)
	})
}

// deleteFactors removes every factor of user but the password.
func (db *DB) deleteFactors(ctx context.Context, user uuid.UUID) error {
	if _, err := db.bun.NewDelete().Model((*Authenticator)(nil)).Where("user_id = ?", user).Exec(ctx); err != nil {
		return err
	}
	if err := db.deletePasskeys(ctx, user); err != nil {
		return err
	}
	if err := db.deleteRecoveryCodes(ctx, user); err != nil {
		return err
	}
	return db.UntrustBrowsers(ctx, user, "")
}
