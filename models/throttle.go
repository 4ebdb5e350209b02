package models

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"vestibule/app/text"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Throttle counts attempts at one thing, such as signing in to one account.
type Throttle struct {
	bun.BaseModel `bun:"table:throttles,alias:th"`

	Key        string `bun:",pk"` // see throttleKey
	Kind       string // what is limited, such as "sign-in"
	Subject    string // whose attempts, as throttleKey stores it; empty if nobody's in particular
	Tries      int64
	Until      time.Time // no attempt before this
	ForgetAt   time.Time // then the count starts again
	NotedUntil time.Time `bun:",nullzero"` // the Until for which an attempt was refused

	// Whose attempts they are, if NameWaits knows.
	User    *User  `bun:"-"`
	Address string `bun:"-"` // or network
}

// Limit slows attempts down. The first Free attempts need not wait. The next must
// wait for First, and each one after that twice as long as the one before, up to
// Longest. The count starts again after no attempt for Forget. The zero Limit
// allows everything.
type Limit struct {
	Free                   int64
	First, Longest, Forget time.Duration
}

// UnmarshalText reads "off" or "FREE,FIRST,LONGEST,FORGET", such as
// "5,1s,15m,24h".
func (l *Limit) UnmarshalText(setting []byte) error {
	if string(setting) == "off" {
		*l = Limit{}
		return nil
	}
	wrong := errors.New(`a limit must be "off", or a number of attempts and three durations, such as "5,1s,15m,24h"`)
	parts := strings.Split(strings.ReplaceAll(string(setting), " ", ""), ",") // people put a space after a comma
	if len(parts) != 4 {
		return wrong
	}
	var err error
	if l.Free, err = strconv.ParseInt(parts[0], 10, 32); err != nil || l.Free < 1 {
		return wrong
	}
	for i, d := range []*time.Duration{&l.First, &l.Longest, &l.Forget} {
		if *d, err = text.ParseDuration(parts[i+1]); err != nil || *d < time.Millisecond || *d > 10000*time.Hour {
			return wrong
		}
	}
	if l.Longest < l.First || l.Forget < l.Longest {
		return wrong
	}
	return nil
}

// String formats l as UnmarshalText reads it.
func (l Limit) String() string {
	if l.Free == 0 {
		return "off"
	}
	return fmt.Sprintf("%d,%s,%s,%s", l.Free, l.First, l.Longest, l.Forget)
}

// wait returns how long the next attempt must wait after that many.
func (l Limit) wait(attempts int64) time.Duration {
	if attempts < l.Free {
		return 0
	}
	doubled := attempts - l.Free
	if doubled > 40 || l.First > l.Longest>>doubled {
		return l.Longest
	}
	return l.First << doubled
}

// ThrottledError means that an attempt came too early.
type ThrottledError struct {
	After   time.Duration // how long to wait
	Kind    string        // what is limited, such as "sign-in"
	Subject string        // whose attempts: a user's id, an IP address or network, or an email address
	First   bool          // no other attempt was refused since the wait began
}

func (e *ThrottledError) Error() string { return "throttled for " + e.After.String() }

// noWait is an Until without a wait. The present time would not do: on a process
// whose clock is behind it means a wait.
var noWait = time.Unix(0, 0).UTC()

// throttleKey returns the stored form of key, its SHA-256. Keys hold email
// addresses, user ids and IP addresses, which the table should not reveal at a
// glance. Hashing does not hide an IPv4 address from someone who tries them all.
func throttleKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// isThrottleKey reports whether key can be one that throttleKey returned.
func isThrottleKey(key string) bool {
	sum, err := base64.RawURLEncoding.DecodeString(key)
	return err == nil && len(sum) == sha256.Size
}

// throttled splits a key such as "password of ID by BROWSER", "sign-in from ADDRESS" or
// "invitation to RECIPIENT" into what is limited and whose attempts are counted.
func throttled(key string) (kind, subject string) {
	if parts := throttleWords.FindStringSubmatch(key); parts != nil {
		return parts[1], parts[2]
	}
	return key, ""
}

var throttleWords = regexp.MustCompile(`^(.+?) (?:of|from|to|by|in|for) (\S+)(?: by .*)?$`)

// newThrottle returns the row of key before any attempt.
func newThrottle(key string, forgetAt time.Time) *Throttle {
	kind, subject := throttled(key)
	th := &Throttle{Key: throttleKey(key), Kind: kind, Until: noWait, ForgetAt: forgetAt}
	if subject != "" {
		th.Subject = throttleKey(subject)
	}
	return th
}

// ThrottleSubject returns whose attempts are counted under the address: for IPv6 the
// /64, which is what one household or server has.
func ThrottleSubject(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap() // IPv4 address mapped to IPv6
	if network, err := ip.Prefix(64); err == nil && ip.Is6() {
		return network.String()
	}
	return ip.String()
}

// throttleSubjects returns under which subjects u is throttled.
func (u *User) throttleSubjects() []string {
	return []string{u.ID.String(), u.EmailKey, text.MailboxKey(u.EmailKey)}
}

// Throttles lists what makes u wait now, by account or email address, longest wait
// first.
func (db *DB) Throttles(ctx context.Context, u *User) ([]Throttle, error) {
	var waits []Throttle
	err := db.bun.NewSelect().Model(&waits).Where("subject IN (?)", bun.List(hashSubjects(u.throttleSubjects()))).
		Where("until > ?", now()).Order("until DESC", "key").Scan(ctx)
	return waits, err
}

// SignInWait returns the first of waits that keeps its user from signing in, or nil. Others
// slow down something else, such as mail.
func SignInWait(waits []Throttle) *Throttle {
	i := slices.IndexFunc(waits, func(th Throttle) bool {
		return th.Kind == "password" || th.Kind == "security code" || th.Kind == "mailed code"
	})
	if i < 0 {
		return nil
	}
	return &waits[i]
}

// LiftThrottles forgets the attempts that are counted for u.
func (db *DB) LiftThrottles(ctx context.Context, u *User) error {
	_, err := db.liftThrottles(ctx, u.throttleSubjects()...)
	return err
}

// LiftAddressThrottles forgets the attempts that are counted for an IP address, and
// returns how many throttles that were.
func (db *DB) LiftAddressThrottles(ctx context.Context, address string) (int, error) {
	return db.liftThrottles(ctx, ThrottleSubject(address))
}

func (db *DB) liftThrottles(ctx context.Context, subjects ...string) (int, error) {
	result, err := db.bun.NewDelete().Model((*Throttle)(nil)).Where("subject IN (?)", bun.List(hashSubjects(subjects))).Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func hashSubjects(subjects []string) []string {
	hashed := make([]string, len(subjects))
	for i, s := range subjects {
		hashed[i] = throttleKey(s)
	}
	return hashed
}

// UserOfThrottle finds the user whose attempts are counted under key, by id or email
// address. It returns ErrNotFound if key is about nobody's account.
func (db *DB) UserOfThrottle(ctx context.Context, key string) (*User, error) {
	_, subject := throttled(key)
	if id, err := uuid.Parse(subject); err == nil {
		return db.UserByID(ctx, id)
	}
	if strings.Contains(subject, "@") {
		return db.UserByLogin(ctx, subject)
	}
	return nil, ErrNotFound
}

// Attempt counts an attempt at key. Call it before the attempt, so that many at
// once can't slip through. It returns a *ThrottledError if the attempt comes too
// early. Such attempts don't count, so that impatient strangers can't keep a user
// waiting.
func (db *DB) Attempt(ctx context.Context, key string, limit Limit) error {
	if limit.Free == 0 {
		return nil
	}
	t := now()
	kind, subject := throttled(key)
	// A flood of refused attempts only reads, so nobody waits for a row or a connection.
	refused := new(Throttle)
	err := db.bun.NewSelect().Conn(db.prepared(throttleKey(key), db.timeArg(t))).Model(refused).
		Where("key = ?", db.parameter(1)).Where("until > ?", db.parameter(2)).Where("noted_until = until").Scan(ctx)
	if err == nil {
		return &ThrottledError{After: min(refused.Until.Sub(t), limit.Longest), Kind: kind, Subject: subject}
	}
	if !errors.Is(asNotFound(err), ErrNotFound) {
		return err
	}
	var early *ThrottledError
	err = db.InTx(ctx, func(tx *DB) error {
		// Updating an existing row changes nothing here, but locks it.
		th := newThrottle(key, t)
		err := tx.bun.NewInsert().Model(th).On("CONFLICT (key) DO UPDATE").
			Set("kind = EXCLUDED.kind").Set("subject = EXCLUDED.subject").Returning("tries, until, forget_at, noted_until").Scan(ctx)
		if err != nil {
			return err
		}
		// A clock that was set back must not cause a wait longer than Longest.
		if wait := min(th.Until.Sub(t), limit.Longest); wait > 0 {
			early = &ThrottledError{After: wait, Kind: kind, Subject: subject, First: !th.NotedUntil.Equal(th.Until)}
			if !early.First {
				return nil
			}
			th.NotedUntil = th.Until
			_, err = tx.bun.NewUpdate().Model(th).WherePK().Column("noted_until").Exec(ctx)
			return err
		}
		if !t.Before(th.ForgetAt) {
			th.Tries = 0
		}
		th.Tries++
		if wait := limit.wait(th.Tries); wait > 0 { // otherwise clocks that differ would cause one
			th.Until = t.Add(wait)
		}
		th.ForgetAt = t.Add(limit.Forget)
		_, err = tx.bun.NewUpdate().Model(th).WherePK().Exec(ctx)
		return err
	})
	if err == nil && early != nil {
		err = early
	}
	return err
}

// RefundAttempt uncounts the last attempt at key.
func (db *DB) RefundAttempt(ctx context.Context, key string) error {
	_, err := db.bun.NewUpdate().Model((*Throttle)(nil)).
		Set("tries = tries - 1").Set("until = ?", noWait).Where("key = ?", throttleKey(key)).Where("tries > 0").Exec(ctx)
	return err
}

// ResetAttempts forgets the attempts at key, after a successful one.
func (db *DB) ResetAttempts(ctx context.Context, key string) error {
	_, err := db.bun.NewDelete().Model((*Throttle)(nil)).Where("key = ?", throttleKey(key)).Exec(ctx)
	return err
}

// Rate is how many attempts are allowed in a minute. Zero allows any number.
type Rate int64

// UnmarshalText reads "off" or a number.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = 0
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || n < 1 {
		return errors.New(`a rate must be "off", or a number of 1 or more`)
	}
	*r = Rate(n)
	return nil
}

// String formats r as UnmarshalText reads it.
func (r Rate) String() string {
	if r == 0 {
		return "off"
	}
	return strconv.FormatInt(int64(r), 10)
}

// AttemptAtRate counts an attempt at key, and returns how many there were since the minute
// began, which is at the first attempt. It returns a *ThrottledError, and counts nothing,
// if there were as many as rate allows.
func (db *DB) AttemptAtRate(ctx context.Context, key string, rate Rate) (n int64, err error) {
	if rate == 0 {
		return 0, nil
	}
	t := now()
	kind, subject := throttled(key)
	th := &Throttle{Key: throttleKey(key)}
	early := func() error {
		return &ThrottledError{After: max(time.Second, min(th.ForgetAt.Sub(t), time.Minute)), Kind: kind, Subject: subject}
	}
	// A flood of refused attempts only reads, and so keeps nobody from writing.
	err = db.bun.NewSelect().Model(th).WherePK().Where("tries >= ?", int64(rate)).
		Where("forget_at > ?", t).Where("forget_at <= ?", t.Add(maxMinute)).Scan(ctx)
	if err == nil {
		return 0, early()
	}
	if !errors.Is(asNotFound(err), ErrNotFound) {
		return 0, err
	}
	th = newThrottle(key, t.Add(time.Minute))
	th.Tries = 1
	const over = "th.forget_at <= ? OR th.forget_at > ?"
	err = db.bun.NewInsert().Model(th).On("CONFLICT (key) DO UPDATE").
		Set("tries = CASE WHEN "+over+" THEN 1 ELSE th.tries + 1 END", t, t.Add(maxMinute)).
		Set("forget_at = CASE WHEN "+over+" THEN EXCLUDED.forget_at ELSE th.forget_at END", t, t.Add(maxMinute)).
		Where(over+" OR th.tries < ?", t, t.Add(maxMinute), int64(rate)).Returning("tries").Scan(ctx)
	if errors.Is(asNotFound(err), ErrNotFound) { // others were faster
		return 0, early()
	}
	return th.Tries, err
}

// maxMinute is how far off the end of a counted minute may be. One that ends later began
// before the clock was set back; a bit more than a minute is a process whose clock is
// ahead.
const maxMinute = 2 * time.Minute
