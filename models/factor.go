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
	FactorEmail    Factor = "email" // a mailed link
	FactorMailCode Factor = "mail-code"
	FactorPasskey  Factor = "passkey"  // with user verification, so it counts as two
	FactorProvider Factor = "provider" // an account elsewhere

	FactorCode         Factor = "code" // from an app
	FactorRecoveryCode Factor = "recovery-code"
	FactorBrowser      Factor = "browser" // a trusted one
)

// Proof is a factor that a browser has proved.
type Proof struct {
	Factor Factor    `json:"factor"`
	At     time.Time `json:"at"`

	Identity        uuid.UUID `json:"identity,omitzero"`          // which an account elsewhere has proved
	ProviderSession string    `json:"provider_session,omitempty"` // there
}

// IsZero reports whether nothing was proved. Then a column is NULL.
func (p Proof) IsZero() bool { return p == Proof{} }

// Factors says how a user can prove who they are.
type Factors struct {
	Password      bool
	Passkeys      int
	Apps          int  // that show codes
	RecoveryCodes int  // that are left
	Identities    int  // accounts elsewhere
	Mail          bool // the user has chosen that a mailed code is enough

	// Required reports whether a second factor is required of the user now: by one of
	// their organizations or, after [Factors.Under], by the site. NoTrust reports whether
	// one of these organizations accepts no trusted browser in its place.
	Required, NoTrust bool
}

// Whom says of whom a site requires a second factor.
type Whom string

// What the setting SECOND_FACTOR can be.
const (
	Nobody    Whom = "optional"
	Operators Whom = "operators"
	Everyone  Whom = "everyone"
)

// SitePolicy is what the settings of a site say about factors.
type SitePolicy struct {
	SecondFactor Whom // must have one
	Passkeys     bool // can be used
}

// Requires reports whether the site requires a second factor of u.
func (p SitePolicy) Requires(u *User) bool {
	return p.SecondFactor == Everyone || p.SecondFactor == Operators && u.Operator()
}

// WayIn reports whether the user can sign in by themselves. A mailed code counts only if
// they have chosen that.
func (f Factors) WayIn() bool { return f.Password || f.Passkeys > 0 || f.Identities > 0 || f.Mail }

// Factors returns how u can prove who they are.
func (db *DB) Factors(ctx context.Context, u *User) (Factors, error) {
	f := Factors{Password: u.HasPassword(), Mail: u.Verified() && !u.MailSignInAt.IsZero()}
	count := func(model any) *bun.SelectQuery {
		return db.bun.NewSelect().Model(model).ColumnExpr("count(*)").Where("user_id = ?", u.ID)
	}
	requiring := func() *bun.SelectQuery {
		return db.bun.NewSelect().Model((*Membership)(nil)).ColumnExpr("count(*) > 0").Join("JOIN organizations AS o ON o.id = m.organization_id").
			Where("m.user_id = ?", u.ID).Where("o.second_factor_from <= ?", now())
	}
	err := db.bun.NewSelect().ColumnExpr("(?), (?), (?), (?), (?), (?)", count((*Passkey)(nil)), count((*Authenticator)(nil)), count((*RecoveryCode)(nil)), count((*Identity)(nil)),
		requiring(), requiring().Where("o.no_trust")).
		Scan(ctx, &f.Passkeys, &f.Apps, &f.RecoveryCodes, &f.Identities, &f.Required, &f.NoTrust)
	return f, err
}

// Under returns f, which are those of u, on a site with that policy.
func (f Factors) Under(site SitePolicy, u *User) Factors {
	f.Required = f.Required || site.Requires(u)
	if !site.Passkeys {
		f.Passkeys = 0
	}
	return f
}

// HasSecond reports whether the user has what a requirement asks for.
func (f Factors) HasSecond() bool { return f.Apps > 0 || f.Passkeys > 0 }

// SecondFactor reports whether a password or a mailed link alone doesn't sign the user in.
// A passkey by itself only offers another way; it is asked for if a second factor is
// required.
func (f Factors) SecondFactor() bool { return f.Apps > 0 || f.Required && f.Passkeys > 0 }

// Codes reports whether the user can enter a code as the second factor.
func (f Factors) Codes() bool { return f.Apps > 0 || f.RecoveryCodes > 0 }

// SatisfiedBy reports whether a session may begin after these proofs: that is the whole
// policy of signing in.
func (f Factors) SatisfiedBy(proofs []Proof) bool {
	proved := func(factors ...Factor) bool {
		return slices.ContainsFunc(proofs, func(p Proof) bool { return slices.Contains(factors, p.Factor) })
	}
	first := proved(FactorPassword, FactorEmail, FactorMailCode, FactorProvider)
	second := proved(FactorCode, FactorRecoveryCode, FactorBrowser)
	return proved(FactorPasskey) || first && (second || !f.SecondFactor())
}

// secondFactor returns the proof by which there are two factors, or the zero Proof. A
// trusted browser is the least.
func secondFactor(proofs []Proof) (second Proof) {
	for _, p := range proofs {
		switch p.Factor {
		case FactorPasskey, FactorCode, FactorRecoveryCode:
			return p
		case FactorBrowser:
			second = p
		}
	}
	return second
}

// factorChanged ends what rests on the factors that u had, and notifies u by email. Kind
// is that of the event that says what changed.
func (db *DB) factorChanged(ctx context.Context, u *User, kind string) error {
	return db.tellFactor(ctx, u, MailDetail{Change: kind})
}

// factorAdded is factorChanged for a new factor, with the id by which u can undo it.
func (db *DB) factorAdded(ctx context.Context, u *User, kind string, id uuid.UUID) error {
	return db.tellFactor(ctx, u, MailDetail{Change: kind, Factor: id})
}

// tellFactor is factorChanged with the detail of the mail. Only a user who has proved every
// factor changes them, so a recovery is pointless.
func (db *DB) tellFactor(ctx context.Context, u *User, detail MailDetail) error {
	if err := db.endSignIns(ctx, u.ID); err != nil {
		return err
	}
	actor := u.ID
	if detail.Change == EventFactorsReset {
		actor = uuid.Nil
	}
	if err := db.overtakeRecovery(ctx, u, actor); err != nil {
		return err
	}
	return db.mailUser(ctx, u, MailFactorChanged, detail)
}

// factorRemoved is factorChanged after u lost a factor.
func (db *DB) factorRemoved(ctx context.Context, u *User, kind string) error {
	if err := db.endWithLastSecond(ctx, u); err != nil {
		return err
	}
	return db.factorChanged(ctx, u, kind)
}

// endWithLastSecond ends what rests on a second factor, if u has none left: the recovery
// codes, the trust in browsers, and the second factor of sessions.
func (db *DB) endWithLastSecond(ctx context.Context, u *User) error {
	factors, err := db.Factors(ctx, u)
	if err != nil || factors.HasSecond() {
		return err
	}
	return db.endSecondFactor(ctx, u.ID)
}

func (db *DB) endSecondFactor(ctx context.Context, user uuid.UUID) error {
	if err := db.deleteRecoveryCodes(ctx, user); err != nil {
		return err
	}
	if err := db.weakenSessions(ctx, user); err != nil {
		return err
	}
	return db.UntrustBrowsers(ctx, user, "")
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
	return db.endSecondFactor(ctx, user)
}
