package models_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestLimitText(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"off", "5,1s,15m0s,24h0m0s", "1,1ms,1ms,1ms", "5, 1s, 15m0s, 24h0m0s"} {
		var limit models.Limit
		if err := limit.UnmarshalText([]byte(good)); err != nil {
			t.Errorf("%q: %v", good, err)
		} else if limit.String() != strings.ReplaceAll(good, " ", "") {
			t.Errorf("%q is written back as %q", good, limit)
		}
	}
	for _, bad := range []string{"", "5", "0,1s,1m,1h", "-1,1s,1m,1h", "5,1s,1m", "5,1s,1m,1h,1h", "5,x,1m,1h", "5,2m,1m,1h", "5,1s,2h,1h", "5,-1s,1m,1h", "5,1s,1m,9999999h"} {
		if err := new(models.Limit).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a limit", bad)
		}
	}
}

// FuzzLimit parses limits. A valid one is formatted as the same limit, and no wait
// exceeds its longest.
func FuzzLimit(f *testing.F) {
	for _, text := range []string{"off", "5,1s,15m,24h", "1,1ms,1ms,1ms", "0,1s,1m,1h", "2147483647,1ns,1h,10000h", "5,1s,1m", ",,,", "5,1e9s,1m,1h", "5, 1s,1m,1h", "+5,+1s,1m,1h", "5,1s,9223372036854775807ns,1h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var limit models.Limit
		if err := limit.UnmarshalText([]byte(text)); err != nil {
			if limit.Free > 0 && limit.Forget > 0 && limit.First > 0 && limit.First <= limit.Longest && limit.Longest <= limit.Forget && limit.Forget <= 10000*time.Hour && text == limit.String() {
				t.Errorf("%q is refused: %v", text, err)
			}
			return
		}
		var again models.Limit
		if err := again.UnmarshalText([]byte(limit.String())); err != nil || again != limit {
			t.Errorf("%q is read as %+v, written as %q and read as %+v (%v)", text, limit, limit, again, err)
		}
		if limit != (models.Limit{}) && (limit.Free < 1 || limit.First <= 0 || limit.Longest < limit.First || limit.Forget < limit.Longest) {
			t.Errorf("%q is read as %+v", text, limit)
		}
	})
}

// patient has waits of at least an hour, so that no test races the clock.
var patient = models.Limit{Free: 3, First: time.Hour, Longest: 5 * time.Hour, Forget: 24 * time.Hour}

// after returns how long err says to wait, and 0 for no error.
func after(t *testing.T, err error) time.Duration {
	t.Helper()
	if err == nil {
		return 0
	}
	early := new(models.ThrottledError)
	if !errors.As(err, &early) {
		t.Fatal(err)
	}
	return early.After
}

// rewind makes all throttles older by d, as if that much time had passed.
func rewind(t *testing.T, db *models.DB, d time.Duration) {
	t.Helper()
	var throttles []models.Throttle
	if err := db.Bun().NewSelect().Model(&throttles).Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, th := range throttles {
		th.Until, th.ForgetAt = th.Until.Add(-d), th.ForgetAt.Add(-d)
		if _, err := db.Bun().NewUpdate().Model(&th).WherePK().Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAttemptSlowsDown(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		try := func() time.Duration { return after(t, db.Attempt(t.Context(), "door", patient)) }
		for i := range patient.Free {
			if wait := try(); wait != 0 {
				t.Fatalf("free try %d has to wait for %s", i+1, wait)
			}
		}
		// Each attempt waits twice as long as the one before, up to Longest. One that
		// comes too early does not lengthen the wait.
		for _, want := range []time.Duration{1 * time.Hour, 2 * time.Hour, 4 * time.Hour, 5 * time.Hour, 5 * time.Hour} {
			for range 3 {
				if wait := try(); wait <= want-time.Minute || wait > want {
					t.Fatalf("a try has to wait for %s, want about %s", wait, want)
				}
			}
			rewind(t, db, want)
			if wait := try(); wait != 0 {
				t.Fatalf("a try has to wait for %s after its time has passed", wait)
			}
		}
		if wait := after(t, db.Attempt(t.Context(), "another door", patient)); wait != 0 {
			t.Errorf("another key has to wait for %s", wait)
		}
		rewind(t, db, patient.Forget+patient.Longest)
		for range patient.Free {
			if wait := try(); wait != 0 {
				t.Errorf("a forgotten key has to wait for %s", wait)
			}
		}
	})
}

// A copy of the table does not reveal the keys, which identify people.
func TestThrottlesNameNobody(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const key = "mail to anna@example.com"
		if err := db.Attempt(t.Context(), key, patient); err != nil {
			t.Fatal(err)
		}
		var th models.Throttle
		if err := db.Bun().NewSelect().Model(&th).Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if th.Key != hashedKey(key) {
			t.Errorf("stored is %q, want the hash of the key", th.Key)
		}
	})
}

// hashedKey returns a throttle's key as the table stores it.
func hashedKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestAttemptForgives(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		ctx := t.Context()
		for range 3 * patient.Free {
			if wait := after(t, db.Attempt(ctx, "forgiven", patient)); wait != 0 {
				t.Fatalf("a try has to wait for %s though all before it were forgiven", wait)
			}
			if err := db.RefundAttempt(ctx, "forgiven"); err != nil {
				t.Fatal(err)
			}
		}
		for range patient.Free {
			if err := db.Attempt(ctx, "forgotten", patient); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.ResetAttempts(ctx, "forgotten"); err != nil {
			t.Fatal(err)
		}
		if wait := after(t, db.Attempt(ctx, "forgotten", patient)); wait != 0 {
			t.Errorf("a forgotten key has to wait for %s", wait)
		}
		for range 100 {
			if err := db.Attempt(ctx, "unlimited", models.Limit{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestAttemptsTogether makes many attempts at once: only the free ones get through.
func TestAttemptsTogether(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		var through atomic.Int64
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() {
				err := db.Attempt(t.Context(), "door", patient)
				if early := new(models.ThrottledError); err == nil {
					through.Add(1)
				} else if !errors.As(err, &early) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := through.Load(); got != patient.Free {
			t.Errorf("%d of 40 tries at once got through, want %d", got, patient.Free)
		}
	})
}

func TestPurgeThrottlesAndEvents(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		ctx := t.Context()
		if err := db.Attempt(ctx, "old", patient); err != nil {
			t.Fatal(err)
		}
		rewind(t, db, patient.Forget)
		if err := db.Attempt(ctx, "new", patient); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := db.Record(ctx, models.Event{Kind: models.EventSignIn}); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := db.Purge(ctx, time.Hour); n != 1 || err != nil {
			t.Errorf("purged %d rows and got %v, want the old throttle alone", n, err)
		}
		if n, err := db.Purge(ctx, -time.Minute); n != 3 || err != nil {
			t.Errorf("purged %d rows and got %v, want the three events", n, err)
		}
	})
}

// Free attempts stay free when many come at the same moment from processes whose
// clocks differ.
func TestAttemptManyAtOnce(t *testing.T) {
	t.Parallel()
	limit := models.Limit{Free: 51, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for _, key := range []string{"one", "another", "a third"} {
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					if err := db.Attempt(t.Context(), key, limit); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			if err := db.Attempt(t.Context(), key, limit); err != nil {
				t.Error(err)
			}
			early := new(models.ThrottledError)
			if err := db.Attempt(t.Context(), key, limit); !errors.As(err, &early) {
				t.Errorf("the 52nd is not refused: %v", err)
			}
		}
	})
}

// TestAttemptWhileReset makes attempts beside successful ones, which delete the row.
func TestAttemptWhileReset(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		limit := models.Limit{Free: 1 << 20, First: time.Second, Longest: time.Hour, Forget: 24 * time.Hour}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 50 {
					err := db.Attempt(t.Context(), "door", limit)
					if err == nil {
						err = db.ResetAttempts(t.Context(), "door")
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
	})
}

func TestRateText(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"off", "1", "120"} {
		var rate models.Rate
		if err := rate.UnmarshalText([]byte(good)); err != nil || rate.String() != good {
			t.Errorf("%q is read as %s (%v)", good, rate, err)
		}
	}
	for _, bad := range []string{"", "0", "-1", "1.5", "120/m", "5,1s,15m,24h", "99999999999"} {
		if err := new(models.Rate).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a rate", bad)
		}
	}
}

func TestAttemptAtRate(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const rate = 20
		try := func(key string) time.Duration {
			_, err := db.AttemptAtRate(t.Context(), key, rate)
			return after(t, err)
		}
		for minute := range 3 {
			var group sync.WaitGroup
			var free, counted atomic.Int64
			for range 3 * rate {
				group.Go(func() {
					n, err := db.AttemptAtRate(t.Context(), "door", rate)
					counted.Add(n)
					early := new(models.ThrottledError)
					switch {
					case err == nil:
						free.Add(1)
					case !errors.As(err, &early) || early.After < time.Second || early.After > time.Minute:
						t.Errorf("a try is told %v", err)
					}
				})
			}
			group.Wait()
			if free.Load() != rate || counted.Load() != rate*(rate+1)/2 { // each of 1 to rate once
				t.Errorf("minute %d allows %d tries, want %d; the counts add up to %d", minute, free.Load(), rate, counted.Load())
			}
			if wait := try(fmt.Sprint("another door ", minute)); wait != 0 {
				t.Errorf("another key has to wait for %s", wait)
			}
			d := time.Minute
			if minute == 1 {
				d = -24 * time.Hour // the clock is set back
			}
			rewind(t, db, d)
		}
		for range rate + 1 {
			if _, err := db.AttemptAtRate(t.Context(), "open door", 0); err != nil {
				t.Fatal(err)
			}
		}
	})
}
