package models

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// AllUsers goes through the users in the order of their sign-up: all, or those
// whose username, e-mail or full name holds search, in any case. It looks here
// and not in SQL, where the two databases fold case differently.
func (db *DB) AllUsers(ctx context.Context, search string) iter.Seq2[*User, error] {
	search = Key(search)
	users := pages(func(after uuid.UUID) ([]User, error) { return db.Users(ctx, after, pageRows) },
		func(u *User) uuid.UUID { return u.ID })
	return func(yield func(*User, error) bool) {
		for u, err := range users {
			if (err != nil || u.holds(search)) && !yield(u, err) {
				return
			}
		}
	}
}

// holds tells whether the user goes by something with that key in it.
func (u *User) holds(key string) bool {
	return strings.Contains(u.UsernameKey, key) || strings.Contains(u.EmailKey, key) ||
		strings.Contains(u.NameKey, key)
}

// AllSessions goes through the living sessions in the order of their sign-in:
// those of everybody, or of user unless that is the zero id. Each has of its
// user the username alone, and no token's hash.
func (db *DB) AllSessions(ctx context.Context, user uuid.UUID) iter.Seq2[*Session, error] {
	read := func(after uuid.UUID) ([]Session, error) {
		var sessions []Session
		query := db.bun.NewSelect().Model(&sessions).ExcludeColumn("token_hash").
			Relation("User", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username") }).
			Where("s.id > ?", after).Where("s.expires_at > ?", now()).Order("s.id").Limit(pageRows)
		if user != uuid.Nil {
			query = query.Where("s.user_id = ?", user)
		}
		err := query.Scan(ctx)
		return sessions, err
	}
	return pages(read, func(s *Session) uuid.UUID { return s.ID })
}

// EventFilter says which events to list. Each field that is zero is for all.
type EventFilter struct {
	User  uuid.UUID // whose account
	Kind  string
	Since time.Time
}

// AllEvents goes through the audit log, the newest first. Of the users of each
// event it has the usernames alone.
func (db *DB) AllEvents(ctx context.Context, filter EventFilter) iter.Seq2[*Event, error] {
	username := func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username") }
	read := func(before uuid.UUID) ([]Event, error) {
		var events []Event
		query := db.bun.NewSelect().Model(&events).Relation("User", username).Relation("Actor", username).
			Where("e.created_at >= ?", filter.Since.UTC()).Order("e.id DESC").Limit(pageRows)
		if before != uuid.Nil {
			query = query.Where("e.id < ?", before)
		}
		if filter.User != uuid.Nil {
			query = query.Where("e.user_id = ?", filter.User)
		}
		if filter.Kind != "" {
			query = query.Where("e.kind = ?", filter.Kind)
		}
		err := query.Scan(ctx)
		return events, err
	}
	return pages(read, func(e *Event) uuid.UUID { return e.ID })
}

// EndSession ends the session of that id, whoever's it is, and returns the id of
// the user. It returns ErrNotFound when there is none.
func (db *DB) EndSession(ctx context.Context, id uuid.UUID) (user uuid.UUID, err error) {
	err = db.bun.NewDelete().Model((*Session)(nil)).Where("id = ?", id).Returning("user_id").Scan(ctx, &user)
	return user, asNotFound(err)
}

// EndAllSessions ends every session of everybody, and returns how many those
// were.
func (db *DB) EndAllSessions(ctx context.Context) (int, error) {
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("TRUE").Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// pageRows is how many rows of a listing are in memory at a time.
const pageRows = 1000

// pages goes through all that read returns, which is the next pageRows rows
// after the one of an id, in the order of the ids either way. After an error it ends.
func pages[T any](read func(after uuid.UUID) ([]T, error), id func(*T) uuid.UUID) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var after uuid.UUID
		for {
			rows, err := read(after)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range rows {
				if !yield(&rows[i], nil) {
					return
				}
			}
			if len(rows) < pageRows {
				return
			}
			after = id(&rows[len(rows)-1])
		}
	}
}
