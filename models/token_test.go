package models_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/models"
	"vestibule/models/modelstest"
)

var purposes = []models.Purpose{models.VerifyEmail, models.ChangeEmail, models.ResetPassword}

// newToken creates a token for u.
func newToken(t *testing.T, db *models.DB, u *models.User, purpose models.Purpose) string {
	t.Helper()
	secret, err := db.CreateToken(t.Context(), nil, u, purpose, u.Email)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// token finds the valid token with that secret.
func token(t *testing.T, db *models.DB, secret string) *models.Token {
	t.Helper()
	found, err := db.TokenBySecret(t.Context(), secret, purposes...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wantsNotFound checks that err is ErrNotFound.
func wantsNotFound(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, models.ErrNotFound) {
		t.Errorf("the error is %v, want ErrNotFound", err)
	}
}

// setTime sets a time column in every row of a table, so that tests need not wait.
func setTime(t *testing.T, db *models.DB, table, column string, to time.Time) {
	t.Helper()
	_, err := db.Bun().ExecContext(t.Context(), "UPDATE ? SET ? = ?", bun.Ident(table), bun.Ident(column), to.UTC().Truncate(time.Microsecond))
	if err != nil {
		t.Fatal(err)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	lifetimes := map[models.Purpose]time.Duration{
		models.VerifyEmail: 24 * time.Hour, models.ChangeEmail: 24 * time.Hour, models.ResetPassword: 10 * time.Minute,
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		for purpose, lifetime := range lifetimes {
			t.Run(string(purpose), func(t *testing.T) {
				secret := newToken(t, db, u, purpose)
				bits, err := base64.RawURLEncoding.DecodeString(secret)
				if err != nil || len(bits) != 32 {
					t.Fatalf("it holds %d bytes (%v), want 32", len(bits), err)
				}
				got := token(t, db, secret)
				if hash := sha256.Sum256(bits); !bytes.Equal(got.TokenHash, hash[:]) {
					t.Error("the row does not hold its SHA-256")
				}
				if got.Purpose != purpose || got.Email != u.Email || !same(got.User, u) || !got.ExpiresAt.Equal(got.CreatedAt.Add(lifetime)) {
					t.Errorf("it is %+v", got)
				}
				for _, other := range purposes {
					_, err := db.TokenBySecret(t.Context(), secret, other)
					if found := err == nil; found != (other == purpose) {
						t.Errorf("as %s it answers %v", other, err)
					}
				}
			})
		}
	})
}

func TestNewTokenVoidsTheOldOfItsKind(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		old := newToken(t, db, anna, models.ResetPassword)
		kept := []string{newToken(t, db, anna, models.VerifyEmail), newToken(t, db, ben, models.ResetPassword)}
		kept = append(kept, newToken(t, db, anna, models.ResetPassword))
		_, err := db.TokenBySecret(t.Context(), old, purposes...)
		wantsNotFound(t, err)
		for _, secret := range kept {
			token(t, db, secret)
		}
	})
}

func TestExpiredTokens(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		secret := newToken(t, db, newUser(t, db, "anna.smith"), models.ResetPassword)
		setTime(t, db, "tokens", "expires_at", time.Now())
		living := newToken(t, db, newUser(t, db, "benjamin"), models.ResetPassword)
		_, err := db.TokenBySecret(t.Context(), secret, purposes...)
		wantsNotFound(t, err)
		if n, err := db.Purge(t.Context(), time.Hour); err != nil || n != 1 {
			t.Errorf("%d rows are purged (%v), want 1", n, err)
		}
		token(t, db, living)
	})
}

// Of many concurrent uses of a token, one succeeds.
func TestTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	uses := map[models.Purpose]func(t *testing.T, db *models.DB, token *models.Token) error{
		models.VerifyEmail: func(t *testing.T, db *models.DB, token *models.Token) error {
			return db.ConfirmEmail(t.Context(), token)
		},
		models.ChangeEmail: func(t *testing.T, db *models.DB, token *models.Token) error {
			return db.ConfirmEmail(t.Context(), token)
		},
		models.ResetPassword: func(t *testing.T, db *models.DB, token *models.Token) error {
			return db.ResetPassword(t.Context(), token, "another hash")
		},
	}
	for purpose, use := range uses {
		t.Run(string(purpose), func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				found := token(t, db, newToken(t, db, newUser(t, db, "anna.smith"), purpose))
				var used atomic.Int32
				var all sync.WaitGroup
				for range 20 {
					own := *found
					all.Go(func() {
						switch err := use(t, db, &own); {
						case err == nil:
							used.Add(1)
						case !errors.Is(err, models.ErrNotFound):
							t.Error(err)
						}
					})
				}
				all.Wait()
				if used.Load() != 1 {
					t.Errorf("it is used %d times, want once", used.Load())
				}
				wantsNotFound(t, use(t, db, found))
			})
		})
	}
}

func TestTokenOfAnAddressThatIsNoLongerTheUsers(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		secret, err := db.CreateToken(t.Context(), nil, u, models.VerifyEmail, "former@example.com")
		if err != nil {
			t.Fatal(err)
		}
		wantsNotFound(t, db.ConfirmEmail(t.Context(), token(t, db, secret)))
		if got, err := db.UserByID(t.Context(), u.ID); err != nil || got.Verified() {
			t.Errorf("the user is %+v (%v)", got, err)
		}
	})
}

// Changing the password cancels mail that a process is about to send.
func TestNoTokenForMailTakenBack(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		emptyQueue(t, db)
		if err := db.RequestEmail(t.Context(), u, "new@example.com"); err != nil {
			t.Fatal(err)
		}
		m := claim(t, db)
		if _, err := db.CreateToken(t.Context(), m, u, models.ChangeEmail, m.Recipient); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ChangePassword(t.Context(), u, "another", nil); err != nil {
			t.Fatal(err)
		}
		_, err := db.CreateToken(t.Context(), m, u, models.ChangeEmail, m.Recipient)
		wantsNotFound(t, err)
		if n, err := db.Bun().NewSelect().Model((*models.Token)(nil)).Count(t.Context()); err != nil || n != 0 {
			t.Errorf("%d tokens are left (%v)", n, err)
		}
	})
}

// The link that confirms a first address sets a password, but only that one. No sign-in
// at the same moment, with the password from before, outlives it.
func TestTokenThatSetsAPassword(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		purpose           models.Purpose
		verified, allowed bool
	}{
		"first address":              {models.VerifyEmail, false, true},
		"first address, confirmed":   {models.VerifyEmail, true, false},
		"change":                     {models.ChangeEmail, false, false},
		"change of a confirmed one":  {models.ChangeEmail, true, false},
		"reset":                      {models.ResetPassword, false, true},
		"reset of a confirmed one's": {models.ResetPassword, true, true},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				for range 5 {
					u := newUser(t, db, uuid.NewString()[:8])
					if tt.verified {
						verify(t, db, u)
					}
					prepared := *u
					signIn(t, db, u)
					found := token(t, db, newToken(t, db, u, tt.purpose))
					var group sync.WaitGroup
					var set, enter error
					group.Go(func() { set = db.ResetPassword(t.Context(), found, "another") })
					group.Go(func() {
						_, _, enter = db.Prove(t.Context(), &prepared, models.Step{Factor: models.FactorPassword, Lifetime: life})
					})
					group.Wait()
					if enter != nil && !errors.Is(enter, models.ErrChanged) {
						t.Error(enter)
					}
					if !tt.allowed {
						wantsNotFound(t, set)
						wantsSessions(t, db, u, 2)
						continue
					}
					if got := stored(t, db, u); set != nil || got.PasswordHash != "another" || !got.Verified() {
						t.Errorf("stored is %+v (%v)", got, set)
					}
					wantsSessions(t, db, u, 0)
					wantsNotFound(t, db.ResetPassword(t.Context(), found, "a third"))
				}
			})
		}
	})
}
