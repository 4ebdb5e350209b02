package models

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// AllUsers iterates over the users in the order they signed up: all of them, or
// those whose username, email address or full name contains search, in any case.
// The search runs here and not in SQL, where the two databases fold case differently.
func (db *DB) AllUsers(ctx context.Context, search string) iter.Seq2[*User, error] {
	search = Key(text.Line(search))
	users := paginate(func(after uuid.UUID) ([]User, error) { return db.Users(ctx, after, pageSize) },
		func(u *User) uuid.UUID { return u.ID })
	return func(yield func(*User, error) bool) {
		for u, err := range users {
			if (err != nil || u.matches(search)) && !yield(u, err) {
				return
			}
		}
	}
}

// matches reports whether the user's username, email address, in either spelling, or name
// contains key, which Key has folded.
func (u *User) matches(key string) bool {
	return strings.Contains(u.UsernameKey, key) || strings.Contains(u.EmailKey, text.EmailSearch(key)) ||
		strings.Contains(Key(text.ShowEmail(u.Email)), key) || strings.Contains(u.NameKey, key)
}

// AllSessions iterates over the active sessions in the order they were created:
// those of user, or of everyone if user is the zero id. Of each session's user
// only the username is loaded, and its token hashes are not.
func (db *DB) AllSessions(ctx context.Context, user uuid.UUID) iter.Seq2[*Session, error] {
	read := func(after uuid.UUID) ([]Session, error) {
		var sessions []Session
		query := db.bun.NewSelect().Model(&sessions).ExcludeColumn("token_hash", "previous_token_hash").
			Relation("User", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username") }).
			Where("s.id > ?", after).Where("s.expires_at > ?", now()).Order("s.id").Limit(pageSize)
		if user != uuid.Nil {
			query = query.Where("s.user_id = ?", user)
		}
		err := query.Scan(ctx)
		return sessions, err
	}
	return paginate(read, func(s *Session) uuid.UUID { return s.ID })
}

// EventFilter selects events. A zero field selects all.
type EventFilter struct {
	User  uuid.UUID // whose account
	Kind  string
	Since time.Time
}

// AllEvents iterates over the audit log, newest first. Of the users of each event
// only the usernames are loaded.
func (db *DB) AllEvents(ctx context.Context, filter EventFilter) iter.Seq2[*Event, error] {
	username := func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username") }
	read := func(before uuid.UUID) ([]Event, error) {
		var events []Event
		query := db.bun.NewSelect().Model(&events).Relation("User", username).Relation("Actor", username).
			Where("e.created_at >= ?", filter.Since.UTC()).Order("e.id DESC").Limit(pageSize)
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
	return paginate(read, func(e *Event) uuid.UUID { return e.ID })
}

// EndSession ends any user's session by its id and returns the user's id. It
// returns ErrNotFound if there is no such session.
func (db *DB) EndSession(ctx context.Context, id uuid.UUID) (user uuid.UUID, err error) {
	err = db.bun.NewDelete().Model((*Session)(nil)).Where("id = ?", id).Returning("user_id").Scan(ctx, &user)
	return user, asNotFound(err)
}

// EndAllSessions ends every session of every user and returns their number.
func (db *DB) EndAllSessions(ctx context.Context) (int, error) {
	result, err := db.bun.NewDelete().Model((*Session)(nil)).Where("TRUE").Exec(ctx)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// pageSize is how many rows of a listing are in memory at a time.
const pageSize = 200

// paginate iterates over rows a page at a time. Read returns the next pageSize
// rows after an id, in ascending or descending order of ids. Iteration ends after
// the first error.
func paginate[T any](read func(after uuid.UUID) ([]T, error), id func(*T) uuid.UUID) iter.Seq2[*T, error] {
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
			if len(rows) < pageSize {
				return
			}
			after = id(&rows[len(rows)-1])
		}
	}
}
