package models

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// Throttle counts the tries of one thing, such as to sign in to one account.
type Throttle struct {
	bun.BaseModel `bun:"table:throttles,alias:th"`

	Key      string `bun:",pk"` // see throttleKey
	Tries    int64
	Until    time.Time // no try before
	ForgetAt time.Time // the tries count no more
}

// Limit says how a throttle slows down: Free tries cost nothing, the next one
// has to wait for First after the one before, and each further one twice as
// long, up to Longest. It starts anew when nothing was tried for Forget. The
// zero Limit limits nothing.
type Limit struct {
	Free                   int64
	First, Longest, Forget time.Duration
}

// UnmarshalText reads "off" or "FREE,FIRST,LONGEST,FORGET", such as
// "5,1s,15m,24h".
func (l *Limit) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*l = Limit{}
		return nil
	}
	wrong := errors.New(`a limit is "off", or tries and three durations such as "5,1s,15m,24h"`)
	parts := strings.Split(string(text), ",")
	if len(parts) != 4 {
		return wrong
	}
	var err error
	if l.Free, err = strconv.ParseInt(parts[0], 10, 32); err != nil || l.Free < 1 {
		return wrong
	}
	for i, d := range []*time.Duration{&l.First, &l.Longest, &l.Forget} {
		if *d, err = time.ParseDuration(parts[i+1]); err != nil || *d < time.Millisecond || *d > 10000*time.Hour {
			return wrong
		}
	}
	if l.Longest < l.First || l.Forget < l.Longest {
		return wrong
	}
	return nil
}

// String writes l as UnmarshalText reads it.
func (l Limit) String() string {
	if l.Free == 0 {
		return "off"
	}
	return fmt.Sprintf("%d,%s,%s,%s", l.Free, l.First, l.Longest, l.Forget)
}

// wait is how long the try after so many has to wait.
func (l Limit) wait(tries int64) time.Duration {
	if tries < l.Free {
		return 0
	}
	doubled := tries - l.Free
	if doubled > 40 || l.First > l.Longest>>doubled {
		return l.Longest
	}
	return l.First << doubled
}

// ThrottledError says that a try came too early. After is how long to wait.
type ThrottledError struct{ After time.Duration }

func (e *ThrottledError) Error() string { return "throttled for " + e.After.String() }

// noWait is an Until that keeps nobody waiting: the present would, by a clock that
// is behind.
var noWait = time.Unix(0, 0).UTC()

// throttleKey is what is stored of key: its SHA-256. Keys name people, by e-mail,
// id or IP address, and a look at the table is not to; who tries all IPv4 addresses
// still finds one.
func throttleKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Attempt counts a try of key, before it is made, so that many at once do not slip
// through together. It returns a *ThrottledError when it comes too early; such
// a one does not count, so that nobody is kept waiting by others' impatience.
func (db *DB) Attempt(ctx context.Context, key string, limit Limit) error {
	if limit.Free == 0 {
		return nil
	}
	t := now()
	return db.InTx(ctx, func(tx *DB) error {
		// The update of a row that is there changes nothing, but locks it.
		th := &Throttle{Key: throttleKey(key), Until: noWait, ForgetAt: t}
		err := tx.bun.NewInsert().Model(th).On("CONFLICT (key) DO UPDATE").Set("tries = th.tries").Returning("*").Scan(ctx)
		if err != nil {
			return err
		}
		// A clock that was set back keeps nobody out for longer than Longest.
		if wait := min(th.Until.Sub(t), limit.Longest); wait > 0 {
			return &ThrottledError{After: wait}
		}
		if !t.Before(th.ForgetAt) {
			th.Tries = 0
		}
		th.Tries++
		if wait := limit.wait(th.Tries); wait > 0 { // else clocks that differ would make one
			th.Until = t.Add(wait)
		}
		th.ForgetAt = t.Add(limit.Forget)
		_, err = tx.bun.NewUpdate().Model(th).WherePK().Exec(ctx)
		return err
	})
}

// RefundAttempt takes the last try of key back, which is not to count after all.
func (db *DB) RefundAttempt(ctx context.Context, key string) error {
	_, err := db.bun.NewUpdate().Model((*Throttle)(nil)).
		Set("tries = tries - 1").Set("until = ?", noWait).Where("key = ?", throttleKey(key)).Where("tries > 0").Exec(ctx)
	return err
}

// ResetAttempts clears key: its tries have ended well.
func (db *DB) ResetAttempts(ctx context.Context, key string) error {
	_, err := db.bun.NewDelete().Model((*Throttle)(nil)).Where("key = ?", throttleKey(key)).Exec(ctx)
	return err
}
