package models_test

import (
	"errors"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// The clock of a machine jumps, so that rows are dated in the future or long ago.
// That must not sign anyone out, or make anyone wait longer than a limit allows.

func TestSessionsOfAnotherTime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := map[string]struct {
		made, expires time.Duration // from now
		lives         bool
	}{
		"made an hour ahead":                {time.Hour, time.Hour + life.Idle, true},
		"made a year ahead":                 {365 * day, 365*day + life.Idle, true},
		"made a century ahead":              {36500 * day, 36500*day + life.Idle, true},
		"made long ago, still good":         {-60 * day, day, true},
		"made long ago, expired":            {-60 * day, -day, false},
		"made ahead, expired by now":        {time.Hour, -time.Second, false},
		"expired at the beginning of time":  {-20000 * day, -20000 * day, false},
		"the clock was set ahead for a day": {-day, life.Idle - day, true},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s, token := signIn(t, db, u)
				start := time.Now().UTC().Truncate(time.Microsecond)
				s.CreatedAt, s.AuthenticatedAt, s.LastSeenAt = start.Add(tt.made), start.Add(tt.made), start.Add(tt.made)
				s.ExpiresAt = start.Add(tt.expires)
				if _, err := db.Bun().NewUpdate().Model(s).WherePK().Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				got, err := db.SessionByToken(t.Context(), token)
				if !tt.lives {
					if !errors.Is(err, models.ErrNotFound) {
						t.Errorf("it lives: %+v, %v", got, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.TouchSession(t.Context(), got, life); err != nil {
					t.Fatal(err)
				}
				again, err := db.SessionByToken(t.Context(), token)
				if err != nil {
					t.Fatalf("it died of its use: %v", err)
				}
				if again.ExpiresAt.Before(s.ExpiresAt) {
					t.Errorf("its use made it end at %s, before %s", again.ExpiresAt, s.ExpiresAt)
				}
				if latest := s.CreatedAt.Add(life.Max); again.ExpiresAt.After(latest) {
					t.Errorf("it lives until %s, longer than %s after it was made", again.ExpiresAt, life.Max)
				}
				if sessions, err := db.Sessions(t.Context(), u.ID); err != nil || len(sessions) == 0 {
					t.Errorf("%d sessions are listed (%v)", len(sessions), err)
				}
			})
		}
	})
}

func TestThrottlesOfAnotherTime(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	tests := map[string]struct {
		tries         int64
		until, forget time.Duration // from now
		longest       time.Duration // that a try is told to wait; 0: it may be made
	}{
		"until a century ahead":         {100, 100 * year, 100 * year, patient.Longest},
		"until a year ahead, one try":   {1, year, year, patient.Longest},
		"until a minute ahead":          {3, time.Minute, patient.Forget, time.Minute},
		"until long ago":                {100, -100 * year, -100 * year, 0},
		"forgotten before it may try":   {100, time.Minute, -year, time.Minute},
		"tries beyond all counting":     {1 << 62, 0, year, 0},
		"fewer tries than none":         {-5, 0, year, 0},
		"remembered a century too long": {2, 0, 100 * year, 0},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				start := time.Now().UTC().Truncate(time.Microsecond)
				th := &models.Throttle{Key: hashedKey(name), Tries: tt.tries, Until: start.Add(tt.until), ForgetAt: start.Add(tt.forget)}
				if _, err := db.Bun().NewInsert().Model(th).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				wait := after(t, db.Attempt(t.Context(), name, patient))
				if wait > tt.longest || tt.longest > 0 && wait == 0 {
					t.Errorf("a try has to wait for %s, want no more than %s", wait, tt.longest)
				}
				if wait := after(t, db.Attempt(t.Context(), name, patient)); wait > patient.Longest {
					t.Errorf("the next has to wait for %s", wait)
				}
				// Waiting as long as told is enough.
				if wait > 0 && wait < patient.Longest {
					rewind(t, db, wait)
					if wait := after(t, db.Attempt(t.Context(), name, patient)); wait != 0 {
						t.Errorf("after it, it has to wait for %s more", wait)
					}
				}
			})
		}
	})
}

func TestTokensOfAnotherTime(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		made, expires time.Duration
		lives         bool
	}{
		"made ahead":             {48 * time.Hour, 49 * time.Hour, true},
		"expired a century ago":  {-876000 * time.Hour, -876000 * time.Hour, false},
		"expires a century away": {0, 876000 * time.Hour, true},
		"expired before made":    {time.Hour, -time.Hour, false},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				secret := newToken(t, db, u, models.ResetPassword)
				token := token(t, db, secret)
				start := time.Now().UTC().Truncate(time.Microsecond)
				token.CreatedAt, token.ExpiresAt = start.Add(tt.made), start.Add(tt.expires)
				if _, err := db.Bun().NewUpdate().Model(token).WherePK().Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := db.TokenBySecret(t.Context(), secret, models.ResetPassword); (err == nil) != tt.lives {
					t.Errorf("it answers %v, want that it lives: %v", err, tt.lives)
				}
			})
		}
	})
}

// TestMailOfAnotherTime queues mail while the clock is wrong, and sets it right.
func TestMailOfAnotherTime(t *testing.T) {
	t.Parallel()
	const century = 876000 * time.Hour
	tests := map[string]struct {
		made  time.Duration
		again bool // to be tried once more, after one failure
	}{
		"made a century ago":  {-century, false},
		"made a minute ahead": {time.Minute, true},
		"made a day ahead":    {24 * time.Hour, true},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: "anna@example.com"}); err != nil {
					t.Fatal(err)
				}
				m, err := db.ClaimMail(t.Context(), models.MailFilter{})
				if err != nil {
					t.Fatal(err)
				}
				m.CreatedAt = time.Now().UTC().Add(tt.made).Truncate(time.Microsecond)
				again, err := db.RetryMail(t.Context(), m, "the server is down")
				if err != nil || again != tt.again {
					t.Errorf("it is tried again: %v (%v), want %v", again, err, tt.again)
				}
				if again {
					if wait := time.Until(m.NextAt); wait > 10*time.Minute {
						t.Errorf("it waits for %s", wait)
					}
					if err := db.DeleteMail(t.Context(), m); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	})
}
