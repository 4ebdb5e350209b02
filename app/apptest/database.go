package apptest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"vestibule/models"
)

// Events returns the audit log, oldest first.
func (s *Site) Events() []models.Event {
	s.T.Helper()
	var events []models.Event
	for e, err := range s.DB.AllEvents(s.T.Context(), models.EventFilter{}) {
		if err != nil {
			s.T.Fatal(err)
		}
		e.User, e.Actor, e.Operator = nil, nil, nil // the ids remain when accounts are deleted
		events = append(events, *e)
	}
	slices.Reverse(events)
	return events
}

// Kinds returns the kinds of the events in the audit log, oldest first.
func (s *Site) Kinds() (kinds []string) {
	s.T.Helper()
	for _, e := range s.Events() {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// Confirmed confirms every email address, because notices only go to confirmed ones.
func (s *Site) Confirmed() { s.SetTime("users", "verified_at", time.Now()) }

// SetTime sets a time in every row of a table, so tests needn't wait.
func (s *Site) SetTime(table, column string, to time.Time) {
	s.T.Helper()
	_, err := s.DB.Bun().ExecContext(s.T.Context(), "UPDATE ? SET ? = ?", bun.Ident(table), bun.Ident(column), to.UTC().Truncate(time.Microsecond))
	if err != nil {
		s.T.Fatal(err)
	}
}

// Everything returns every value of every table.
func (s *Site) Everything(but ...string) string {
	s.T.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.DB.Postgres() {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	var tables []string
	if err := s.DB.Bun().NewRaw(query).Scan(s.T.Context(), &tables); err != nil {
		s.T.Fatal(err)
	}
	for _, table := range []string{"users", "sessions", "tokens", "mails", "browsers"} {
		if !slices.Contains(tables, table) {
			s.T.Fatalf("the tables are %v, without %s", tables, table)
		}
	}
	var all strings.Builder
	for _, table := range tables {
		if !slices.Contains(but, table) {
			all.WriteString(s.Dump(table))
		}
	}
	return all.String()
}

// User returns the user of that username or email.
func (s *Site) User(login string) *models.User {
	s.T.Helper()
	u, err := s.DB.UserByLogin(s.T.Context(), login)
	if err != nil {
		s.T.Fatal(err)
	}
	return u
}

// Dump returns every value of a table.
func (s *Site) Dump(table string) string {
	s.T.Helper()
	rows, err := s.DB.Bun().QueryContext(s.T.Context(), "SELECT * FROM "+table)
	if err != nil {
		s.T.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.T.Fatal(err)
	}
	var all bytes.Buffer
	for rows.Next() {
		values, targets := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			s.T.Fatal(err)
		}
		all.Write(bytes.Join(values, []byte("|")))
	}
	if err := rows.Err(); err != nil {
		s.T.Fatal(err)
	}
	return all.String()
}

// HashOf returns the hash of a token, as the database stores it, in base64.
func HashOf(token string) string {
	secret, _ := base64.RawURLEncoding.DecodeString(token)
	hash := sha256.Sum256(secret)
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// Users reads the table.
func (s *Site) Users() (users []models.User) {
	s.T.Helper()
	if err := s.DB.Bun().NewSelect().Model(&users).Order("id").Scan(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	return users
}

// Sessions reads the table.
func (s *Site) Sessions() (sessions []models.Session) {
	s.T.Helper()
	if err := s.DB.Bun().NewSelect().Model(&sessions).Order("id").Scan(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	return sessions
}

// Session returns the only session.
func (s *Site) Session() models.Session {
	s.T.Helper()
	all := s.Sessions()
	if len(all) != 1 {
		s.T.Fatalf("there are %d sessions, want 1", len(all))
	}
	return all[0]
}

// Age sets a time of every session, so tests needn't wait.
func (s *Site) Age(column string, to time.Time) {
	s.T.Helper()
	s.SetTime("sessions", column, to)
}

// Queries records database queries.
type Queries struct {
	mu  sync.Mutex
	all []string
}

// Watch starts recording. Call it before db is used.
func Watch(db *models.DB) *Queries {
	q := new(Queries)
	db.Bun().AddQueryHook(q) //lint:ignore SA1019 a copy, as WithQueryHook makes, would not see the application's queries
	return q
}

func (q *Queries) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (q *Queries) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, e.Query)
}

// During returns the queries that f causes.
func (q *Queries) During(f func()) []string {
	q.mu.Lock()
	q.all = nil
	q.mu.Unlock()
	f()
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.all)
}

// AgePassword makes the last reauthentication too old.
func (s *Site) AgePassword() { s.Age("authenticated_at", time.Now().Add(-16*time.Minute)) }
