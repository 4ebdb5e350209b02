package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// WaitSearch selects throttles that make somebody wait now: those of an IP address, of a
// user, or of everybody if both are empty.
type WaitSearch struct {
	Address string
	User    *User
	Until   time.Time // only those after the one with this Until and Key
	Key     string    // empty for the first
	Limit   int64
}

// Waits lists throttles that make somebody wait now, longest wait first.
func (db *DB) Waits(ctx context.Context, search WaitSearch) ([]Throttle, error) {
	var waits []Throttle
	query := db.bun.NewSelect().Model(&waits).Where("th.until > ?", now()).Order("th.until DESC", "th.key DESC").Limit(search.Limit)
	switch {
	case search.User != nil:
		query = query.Where("th.subject IN (?)", bun.List(hashSubjects(search.User.throttleSubjects())))
	case search.Address != "":
		query = query.Where("th.subject = ?", throttleKey(ThrottleSubject(search.Address)))
	}
	if isThrottleKey(search.Key) {
		query = query.Where("(th.until, th.key) < (?, ?)", search.Until.UTC(), search.Key)
	}
	err := query.Scan(ctx)
	return waits, err
}

// WaitByKey finds a throttle that makes somebody wait now. It returns ErrNotFound if there is
// none.
func (db *DB) WaitByKey(ctx context.Context, key string) (*Throttle, error) {
	if !isThrottleKey(key) {
		return nil, ErrNotFound
	}
	th := new(Throttle)
	if err := db.bun.NewSelect().Model(th).Where("th.key = ?", key).Where("th.until > ?", now()).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return th, nil
}

// LiftThrottle forgets the attempts that th counts. It returns ErrNotFound if they are
// forgotten already.
func (db *DB) LiftThrottle(ctx context.Context, th *Throttle) error {
	result, err := db.bun.NewDelete().Model(th).WherePK().Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// How far NameWaits looks back into the audit log.
const (
	refusedSince  = 24 * time.Hour
	refusedAmong  = 10_000 // events
	refusedPeople = 1_000
)

// NameWaits fills in whose attempts the throttles count, as far as the audit log says: a
// throttle holds only a hash. Operators are always known, as not everybody may act on them.
func (db *DB) NameWaits(ctx context.Context, waits []Throttle) error {
	latest := db.bun.NewSelect().Model((*Event)(nil)).Column("kind", "user_id", "ip").
		Where("e.created_at > ?", now().Add(-refusedSince)).Order("e.created_at DESC").Limit(refusedAmong)
	var refused []struct {
		UserID uuid.UUID
		IP     string
	}
	err := db.bun.NewSelect().TableExpr("(?) AS e", latest).ColumnExpr("DISTINCT e.user_id, e.ip").
		Where("e.kind IN (?)", bun.List(RefusedEvents())).Limit(refusedPeople).Scan(ctx, &refused)
	if err != nil {
		return err
	}
	addresses := map[string]string{}
	ids := []uuid.UUID{uuid.Nil} // who is nobody
	for _, r := range refused {
		addresses[throttleKey(ThrottleSubject(r.IP))] = ThrottleSubject(r.IP)
		ids = append(ids, r.UserID)
	}
	operators, err := db.People(ctx, PeopleSearch{State: PeopleOperators, Limit: refusedPeople})
	if err != nil {
		return err
	}
	var users []User
	if err := db.bun.NewSelect().Model(&users).Where("u.id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return err
	}
	people := map[string]*User{}
	for _, u := range append(users, operators...) {
		for _, subject := range hashSubjects(u.throttleSubjects()) {
			people[subject] = &u
		}
	}
	for i, th := range waits {
		waits[i].User, waits[i].Address = people[th.Subject], addresses[th.Subject]
	}
	return nil
}
