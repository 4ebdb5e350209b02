package models

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// SignIn is a sign-in that waits for another factor, of the browser that has its token.
// It ends when its user's password, factors or email address change.
type SignIn struct {
	bun.BaseModel `bun:"table:sign_ins,alias:si"`

	ID        uuid.UUID `bun:",pk"`
	UserID    uuid.UUID
	TokenHash []byte
	Proofs    []Proof // so far
	CreatedAt time.Time
	ExpiresAt time.Time

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// SignInLife is how long a sign-in waits for the next factor, and so how long a proof
// counts.
const SignInLife = 10 * time.Minute

// maxSignIns is how many sign-ins of a user may wait. A new one beyond that ends the
// oldest.
const maxSignIns = 20

// Proved reports whether the factor was proved.
func (s *SignIn) Proved(factor Factor) bool {
	return slices.ContainsFunc(s.Proofs, func(p Proof) bool { return p.Factor == factor })
}

// SignInByToken finds the waiting sign-in with that token, and its user. It returns
// ErrNotFound if there is none.
func (db *DB) SignInByToken(ctx context.Context, token string) (*SignIn, error) {
	hash, ok := hashSecret(token)
	if !ok {
		return nil, ErrNotFound
	}
	s := new(SignIn)
	err := db.bun.NewSelect().Model(s).Relation("User").Where("si.token_hash = ?", hash).Where("si.expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return s, nil
}

// Step is what a browser has proved.
type Step struct {
	Factor  Factor
	Waiting *SignIn // whose proofs count too; nil for the first factor
	Browser string  // the secret in the cookie of a browser that the user may trust

	Identity        uuid.UUID // of an account elsewhere; zero for another factor
	ProviderSession string    // there; may be empty

	Site     SitePolicy
	Device   Device
	Lifetime Lifetime // of the session
}

// Prove records that user has taken a step, and ends the sign-in that waited for it. If
// nothing is missing, it starts a session. Otherwise the session is nil, and the token is
// that of the sign-in that waits for another factor. It returns ErrChanged if user has
// changed since it was read, or the sign-in has ended, and ErrNotFound if user is
// disabled.
func (db *DB) Prove(ctx context.Context, user *User, step Step) (s *Session, token string, err error) {
	waiting := step.Waiting
	err = db.InTx(ctx, func(tx *DB) error {
		if err := tx.lockToSignIn(ctx, user); err != nil {
			return err
		}
		t := now()
		next := &SignIn{ID: newID(), UserID: user.ID, Proofs: []Proof{{step.Factor, t, step.Identity, step.ProviderSession}}, CreatedAt: t, ExpiresAt: t.Add(SignInLife)}
		if waiting != nil {
			result, err := tx.bun.NewDelete().Model(waiting).WherePK().Where("user_id = ?", user.ID).Where("expires_at > ?", t).Exec(ctx)
			if err != nil {
				return err
			}
			if err := asChanged(requireRows(result)); err != nil { // another request was faster
				return err
			}
			next.Proofs = append(slices.Clone(waiting.Proofs), next.Proofs...)
			next.ExpiresAt = waiting.ExpiresAt
		}
		factors, err := tx.Factors(ctx, user)
		if err != nil {
			return err
		}
		factors = factors.Under(step.Site, user)
		if factors.SecondFactor() && !factors.NoTrust && (next.Proved(FactorPassword) || next.Proved(FactorMailCode) || next.Proved(FactorProvider)) {
			trusted, err := tx.trusts(ctx, user, step.Browser)
			if err != nil {
				return err
			}
			if trusted {
				next.Proofs = append(next.Proofs, Proof{Factor: FactorBrowser, At: t})
			}
		}
		if factors.SatisfiedBy(next.Proofs) {
			s, token, err = tx.insertSession(ctx, user, next.Proofs, step.Device, step.Lifetime)
			return err
		}
		token, next.TokenHash = newSecret()
		if _, err := tx.bun.NewInsert().Model(next).Exec(ctx); err != nil {
			return err
		}
		last := tx.bun.NewSelect().Model((*SignIn)(nil)).Column("id").Where("user_id = ?", user.ID).
			Order("id DESC").Offset(maxSignIns).Limit(1)
		_, err = tx.bun.NewDelete().Model((*SignIn)(nil)).Where("user_id = ?", user.ID).Where("id <= (?)", last).Exec(ctx)
		return err
	})
	return s, token, err
}

// EndSignIn ends the sign-in that waits with that token, if there is one.
func (db *DB) EndSignIn(ctx context.Context, token string) error {
	hash, ok := hashSecret(token)
	if !ok {
		return nil
	}
	_, err := db.bun.NewDelete().Model((*SignIn)(nil)).Where("token_hash = ?", hash).Exec(ctx)
	return err
}

// endSignIns ends every waiting sign-in of user, whose proofs no longer count, and voids the
// codes that a browser waits for. Whatever changes a factor calls it.
func (db *DB) endSignIns(ctx context.Context, user uuid.UUID) error {
	if err := db.deleteCodes(ctx, user, SignInByCode, ResetPassword); err != nil {
		return err
	}
	_, err := db.bun.NewDelete().Model((*SignIn)(nil)).Where("user_id = ?", user).Exec(ctx)
	return err
}
