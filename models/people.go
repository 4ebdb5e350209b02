package models

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// PeopleState selects users by what an operator looks for.
type PeopleState string

// The states. The empty one selects everybody.
const (
	PeopleUnconfirmed PeopleState = "unconfirmed"
	PeopleDisabled    PeopleState = "disabled"
	PeopleOperators   PeopleState = "operators"
	PeopleOneFactor   PeopleState = "one-factor" // without a second one
)

// PeopleSearch selects users for an operator.
type PeopleSearch struct {
	Text   string // the beginning of a username, address, first or last name, or a whole id; empty for all
	State  PeopleState
	Since  time.Time // only users with a session that was used since; zero for all
	Unseen time.Time // only users without a session that was used since; zero for all
	Before uuid.UUID // only users before this one; zero for the newest
	Limit  int
}

// People lists users. Without a text the newest come first. With one, they are those that it
// finds first, in the order of their names, and Before doesn't count: everybody whose name
// begins with a letter is nothing to leaf through.
func (db *DB) People(ctx context.Context, search PeopleSearch) ([]User, error) {
	key := searchKey(search.Text)
	if key != "" {
		return db.peopleByText(ctx, search, key)
	}
	var users []User
	err := db.bun.NewSelect().Model(&users).Apply(search.apply(db)).Apply(newestBefore(search.Before, int64(search.Limit))).Scan(ctx)
	return users, err
}

// peopleByText reads from each index on its own, in its order, so that it reads no more
// than Limit rows of each, unless it looks for a state that few are in.
func (db *DB) peopleByText(ctx context.Context, search PeopleSearch, key string) ([]User, error) {
	if id, err := uuid.Parse(search.Text); err == nil {
		var users []User
		err := db.bun.NewSelect().Model(&users).Apply(search.apply(db)).Where("u.id = ?", id).Scan(ctx)
		return users, err
	}
	var found []User
	for _, in := range []struct{ column, key string }{
		{"u.username_key", key},
		{"u.email_key", text.EmailSearch(key)},
		{"u.name_key", key},
		{"substr(u.name_key, " + string(db.position()) + "(u.name_key, ' ') + 1)", key}, // the last name
	} {
		var users []User
		err := db.bun.NewSelect().Model(&users).Apply(search.apply(db)).Apply(db.beginsWith(in.column, in.key)).Order("u.id").Limit(int64(search.Limit)).Scan(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, users...)
	}
	slices.SortFunc(found, func(a, b User) int {
		return cmp.Or(cmp.Compare(a.NameKey, b.NameKey), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	found = slices.CompactFunc(found, func(a, b User) bool { return a.ID == b.ID })
	return found[:min(len(found), search.Limit)], nil
}

// apply adds the conditions besides the text.
func (s PeopleSearch) apply(db *DB) func(*bun.SelectQuery) *bun.SelectQuery {
	seen := func(since time.Time) *bun.SelectQuery {
		return db.bun.NewSelect().Model((*Session)(nil)).ColumnExpr("1").Where("s.user_id = u.id").Where("s.last_seen_at >= ?", since.UTC())
	}
	return func(q *bun.SelectQuery) *bun.SelectQuery {
		switch s.State {
		case PeopleUnconfirmed:
			q = q.Where("u.verified_at IS NULL")
		case PeopleDisabled:
			q = q.Where("u.disabled_at IS NOT NULL")
		case PeopleOperators:
			q = q.Where("u.operator_role IS NOT NULL")
		case PeopleOneFactor:
			for _, model := range []any{(*Authenticator)(nil), (*Passkey)(nil)} {
				q = q.Where("NOT EXISTS (?)", db.bun.NewSelect().Model(model).ColumnExpr("1").Where("user_id = u.id"))
			}
		}
		if !s.Since.IsZero() {
			q = q.Where("EXISTS (?)", seen(s.Since))
		}
		if !s.Unseen.IsZero() {
			q = q.Where("NOT EXISTS (?)", seen(s.Unseen))
		}
		return q
	}
}

// LastSeen returns when each of the users last used a session that still is.
func (db *DB) LastSeen(ctx context.Context, users []User) (map[uuid.UUID]time.Time, error) {
	if len(users) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	var sessions []Session
	err := db.bun.NewSelect().Model(&sessions).Column("user_id", "last_seen_at").Where("s.user_id IN (?)", bun.List(ids)).Order("s.last_seen_at").Scan(ctx)
	seen := map[uuid.UUID]time.Time{}
	for _, s := range sessions {
		seen[s.UserID] = s.LastSeenAt
	}
	return seen, err
}

// maxMailOf is how much mail of one user is listed.
const maxMailOf = 20

// MailOf lists the newest mail of u that waits, and that couldn't be delivered.
func (db *DB) MailOf(ctx context.Context, u *User) (waiting []Mail, refused []RefusedMail, err error) {
	err = db.bun.NewSelect().Model(&waiting).ExcludeColumn("detail").
		Where("m.user_id = ? OR m.recipient = ?", u.ID, u.Email).Order("m.id DESC").Limit(maxMailOf).Scan(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = db.bun.NewSelect().Model(&refused).Where("rm.user_id = ?", u.ID).Order("rm.id DESC").Limit(maxMailOf).Scan(ctx)
	return waiting, refused, err
}
