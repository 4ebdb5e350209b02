package models_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSession(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		made, token := signIn(t, db, u)
		got, err := db.SessionByToken(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if !same(got.User, u) {
			t.Errorf("it is the session of %+v", got.User)
		}
		secret, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		if hash := sha256.Sum256(secret); len(secret) != 32 || !bytes.Equal(got.TokenHash, hash[:]) {
			t.Error("the row does not hold the token's SHA-256")
		}
		if !got.ExpiresAt.Equal(made.CreatedAt.Add(life.Idle)) || !got.CreatedAt.Equal(made.CreatedAt) {
			t.Errorf("it lives from %v to %v", got.CreatedAt, got.ExpiresAt)
		}
		if err := db.DeleteSession(t.Context(), u.ID, got.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SessionByToken(t.Context(), token); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("a deleted session answers %v", err)
		}
	})
}

func TestMalformedTokens(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		_, token := signIn(t, db, newUser(t, db, "anna.smith"))
		for name, bad := range map[string]string{
			"empty": "", "short": token[1:], "long": token + "A", "padded": token + "=", "line break": token + "\n", "broken in two": token[:20] + "\r\n" + token[20:],
			"space": " " + token, "spare bits": strings.Repeat("A", 42) + "B", "other alphabet": strings.Repeat("+", 43), "not ASCII": strings.Repeat("é", 43), "unknown": strings.Repeat("A", 43),
		} {
			if _, err := db.SessionByToken(t.Context(), bad); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("%s: %q answers %v, want ErrNotFound", name, bad, err)
			}
		}
	})
}

func TestTouchSession(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := map[string]struct {
		age, left, seen time.Duration
		renewed         bool
		want            time.Duration // left after it
	}{
		"new":                {0, 30 * day, 0, false, 30 * day},
		"more than half":     {14 * day, 16 * day, 0, false, 16 * day},
		"less than half":     {16 * day, 14 * day, 0, true, 30 * day},
		"not seen for long":  {day, 29 * day, time.Minute, false, 29 * day},
		"at the maximum":     {85 * day, 5 * day, 0, false, 5 * day},
		"near the maximum":   {80 * day, 5 * day, 0, true, 10 * day},
		"beyond the maximum": {95 * day, 5 * day, 0, false, 5 * day},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s, token := signIn(t, db, u)
				start := time.Now().Truncate(time.Microsecond)
				s.CreatedAt, s.ExpiresAt, s.LastSeenAt = start.Add(-tt.age), start.Add(tt.left), start.Add(-tt.seen)
				if _, err := db.Bun().NewUpdate().Model(s).WherePK().Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				renewed, err := db.TouchSession(t.Context(), s, life)
				if err != nil || renewed != tt.renewed {
					t.Errorf("renewed is %v (%v), want %v", renewed, err, tt.renewed)
				}
				got, err := db.SessionByToken(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if got.ExpiresAt.Before(start.Add(tt.want)) || got.ExpiresAt.After(time.Now().Add(tt.want)) {
					t.Errorf("it ends in %v, want %v", got.ExpiresAt.Sub(start), tt.want)
				}
				if !got.ExpiresAt.Equal(s.ExpiresAt) {
					t.Errorf("it ends at %v in memory, at %v in the table", s.ExpiresAt, got.ExpiresAt)
				}
				if written := !got.LastSeenAt.Equal(start.Add(-tt.seen)); written != (tt.renewed || tt.seen >= time.Minute) {
					t.Errorf("last seen is %v, written %v", got.LastSeenAt, written)
				}
			})
		}
	})
}

func TestPurge(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		_, living := signIn(t, db, u)
		const expired = 2500 // more than two batches, which end amid some of the same moment
		rows, start := make([]models.Session, expired), time.Now().UTC()
		for i := range rows {
			hash := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
			past := start.Add(-time.Duration(i/300) * time.Millisecond)
			rows[i] = models.Session{ID: uuid.Must(uuid.NewV7()), UserID: u.ID, TokenHash: hash[:], CreatedAt: past, AuthenticatedAt: past, LastSeenAt: past, ExpiresAt: past}
		}
		for batch := range slices.Chunk(rows, 500) {
			if _, err := db.Bun().NewInsert().Model(&batch).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := db.Purge(t.Context(), time.Hour); err != nil || n != expired {
			t.Errorf("%d rows are purged (%v), want %d", n, err, expired)
		}
		if n, err := db.Purge(t.Context(), time.Hour); err != nil || n != 0 {
			t.Errorf("%d rows are purged again (%v)", n, err)
		}
		if _, err := db.SessionByToken(t.Context(), living); err != nil {
			t.Errorf("the living session is gone: %v", err)
		}
	})
}

func TestDeletedUserTakesSessionsAlong(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		_, hers := signIn(t, db, anna)
		_, his := signIn(t, db, ben)
		if _, err := db.Bun().NewDelete().Model(anna).WherePK().Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := db.Bun().NewSelect().Model((*models.Session)(nil)).Count(t.Context()); err != nil || n != 1 {
			t.Errorf("%d sessions are left (%v), want 1", n, err)
		}
		if _, err := db.SessionByToken(t.Context(), hers); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("hers answers %v", err)
		}
		if _, err := db.SessionByToken(t.Context(), his); err != nil {
			t.Error(err)
		}
	})
}

// TestSessionAfterMigration finds a session on connections that found it before a
// migration changed the columns.
func TestSessionAfterMigration(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		user := newUser(t, db, "anna.smith")
		_, token := signIn(t, db, user)
		everywhere := func() {
			t.Helper()
			var group sync.WaitGroup
			for range 40 {
				group.Go(func() {
					got, err := db.SessionByToken(t.Context(), token)
					if err != nil || !same(got.User, user) {
						t.Errorf("the session is %+v (%v)", got, err)
					}
				})
			}
			group.Wait()
		}
		everywhere()
		changes := []string{"ALTER TABLE sessions ADD COLUMN color text", "ALTER TABLE users ADD COLUMN nickname text"}
		if db.Postgres() {
			changes = append(changes, "ALTER TABLE users ALTER COLUMN first_name TYPE varchar(200)")
		}
		for _, change := range changes {
			if _, err := db.Bun().ExecContext(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			everywhere()
		}
		if err := db.InTx(t.Context(), func(tx *models.DB) error {
			got, err := tx.SessionByToken(t.Context(), token)
			if err == nil && !same(got.User, user) {
				t.Errorf("in a transaction it is the session of %+v", got.User)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestTheOldestSessionsEnd(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const most = 100
		user, other := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		_, bens := signIn(t, db, other)
		var tokens []string
		for range most + 2 {
			_, token := signIn(t, db, user)
			tokens = append(tokens, token)
		}
		if sessions, err := db.Sessions(t.Context(), user.ID); err != nil || len(sessions) != most {
			t.Errorf("there are %d sessions (%v), want %d", len(sessions), err, most)
		}
		for i, token := range append(tokens, bens) {
			if _, err := db.SessionByToken(t.Context(), token); errors.Is(err, models.ErrNotFound) != (i < 2) {
				t.Errorf("session %d answers %v", i, err)
			}
		}
	})
}

// TestStrengthen proves a second factor in sessions, and loses it again.
func TestStrengthen(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		s, first := signIn(t, db, u)
		other, old := signIn(t, db, u)
		app := &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("x")}
		if err := db.AddAuthenticator(t.Context(), u, app); err != nil {
			t.Fatal(err)
		}
		// wants finds the session of a token, and what was proved in it.
		wants := func(token string, factor models.Factor) *models.Session {
			t.Helper()
			s, err := db.SessionByToken(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			if s.SecondFactor.Factor != factor || s.SecondFactor.IsZero() != (factor == "") {
				t.Errorf("the session has %+v, want %q", s.SecondFactor, factor)
			}
			return s
		}
		strengthen := func(s *models.Session, factor models.Factor) {
			t.Helper()
			if err := db.Strengthen(t.Context(), s, factor); err != nil {
				t.Fatal(err)
			}
		}
		renew := func(s *models.Session) string {
			t.Helper()
			token, err := db.RenewSession(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		wants(first, "")
		strengthen(s, models.FactorBrowser)
		if s := wants(first, models.FactorBrowser); s.HasSecondFactor(false) || !s.HasSecondFactor(true) {
			t.Error("a trusted browser counts as much as a code")
		}
		strengthen(s, models.FactorCode)
		second := renew(wants(first, models.FactorCode))
		strengthen(wants(second, models.FactorCode), models.FactorPasskey)
		wants(second, models.FactorCode)
		wants(first, models.FactorCode) // it was proved before the token was replaced

		fresh := renew(other)
		strengthen(other, models.FactorPasskey)
		wants(fresh, models.FactorPasskey)
		wants(old, "")

		if err := db.RemoveAuthenticator(t.Context(), u, app.ID); err != nil {
			t.Fatal(err)
		}
		wants(second, "")
		wants(fresh, "")
	})
}
