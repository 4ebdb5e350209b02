package models_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

const fortnight = 14 * 24 * time.Hour

// unconfirmedSince sets when u's time began, unless that is zero: then it has not.
func unconfirmedSince(t *testing.T, db *models.DB, u *models.User, since time.Time) {
	t.Helper()
	u.UnconfirmedSince = since.UTC().Truncate(time.Microsecond)
	if _, err := db.Bun().NewUpdate().Model(u).WherePK().Column("unconfirmed_since").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPurgeUnconfirmed(t *testing.T) {
	t.Parallel()
	const long = fortnight + time.Minute
	tests := map[string]struct {
		age  time.Duration // since its time began; zero if it hasn't
		then func(t *testing.T, db *models.DB, u *models.User)
		kept bool
	}{
		"long ago":          {age: long},
		"an hour too young": {age: fortnight - time.Hour, kept: true},
		"of an earlier version": {kept: true, then: func(t *testing.T, db *models.DB, u *models.User) {
			setTime(t, db, "users", "created_at", time.Now().Add(-2*fortnight))
		}},
		"confirmed": {age: long, then: verify, kept: true},
		"confirmed by mail": {age: long, kept: true, then: func(t *testing.T, db *models.DB, u *models.User) {
			if err := db.ConfirmEmail(t.Context(), token(t, db, newToken(t, db, u, models.VerifyEmail))); err != nil {
				t.Fatal(err)
			}
		}},
		"disabled": {age: long, kept: true, then: func(t *testing.T, db *models.DB, u *models.User) {
			if err := db.DisableUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}},
		"alone in an organization": {age: long, then: func(t *testing.T, db *models.DB, u *models.User) {
			newOrganization(t, db, u, u.Username)
		}},
		"last owner of others": {age: long, kept: true, then: func(t *testing.T, db *models.DB, u *models.User) {
			newMember(t, db, newOrganization(t, db, u, u.Username), "colleague", "Member")
		}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				u := newUser(t, db, "u"+uuid.NewString()[:8])
				signIn(t, db, u)
				if tt.then != nil {
					tt.then(t, db, u)
				}
				if tt.age > 0 {
					unconfirmedSince(t, db, u, time.Now().Add(-tt.age))
				} else {
					unconfirmedSince(t, db, u, time.Time{})
				}
				emptyQueue(t, db)
				if n, err := db.PurgeUnconfirmed(t.Context(), 0); n != 0 || err != nil {
					t.Errorf("a retention of zero deletes %d (%v)", n, err)
				}
				n, err := db.PurgeUnconfirmed(t.Context(), fortnight)
				if err != nil || n > 1 || (n == 0) != tt.kept {
					t.Errorf("%d are deleted (%v)", n, err)
				}
				wantsQueue(t, db) // nobody asked for mail to that address
				if tt.kept {
					if got := stored(t, db, u); got.UnconfirmedSince.IsZero() && !got.Verified() {
						t.Error("its time has not begun")
					}
					wantsSessions(t, db, u, map[bool]int{true: 0, false: 1}[u.Disabled()])
					return
				}
				again := &models.User{Username: u.Username, Email: u.Email}
				if err := db.CreateUser(t.Context(), again); err != nil {
					t.Errorf("name and address are not free: %v", err)
				}
				events, err := db.Events(t.Context(), u.ID, models.EventFilter{}, uuid.Nil, 1)
				if err != nil || len(events) != 1 || events[0].Kind != models.EventUnconfirmed || events[0].ByOperator() {
					t.Errorf("recorded is %+v (%v)", events, err)
				}
			})
		}
	})
}

// TestPurgeManyUnconfirmed has more accounts than a batch, of the same moment, and as many
// of an earlier version.
func TestPurgeManyUnconfirmed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		many := db.PurgeBatch() + 10
		since := time.Now().UTC().Truncate(time.Microsecond).Add(-fortnight)
		rows := make([]models.User, 2*many)
		for i := range rows {
			name := uuid.NewString()
			rows[i] = models.User{ID: uuid.Must(uuid.NewV7()), Username: name, UsernameKey: name, Email: name, EmailKey: name, CreatedAt: since, UpdatedAt: since}
			if i%2 == 0 { // the others are of an earlier version
				rows[i].UnconfirmedSince = since
			}
		}
		if _, err := db.Bun().NewInsert().Model(&rows).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if deleted, err := db.PurgeUnconfirmed(t.Context(), fortnight); err != nil || deleted != many {
			t.Errorf("%d are deleted (%v), want %d", deleted, err, many)
		}
		if n, err := db.Bun().NewSelect().Model((*models.User)(nil)).Where("unconfirmed_since IS NOT NULL").Count(t.Context()); err != nil || int(n) != many {
			t.Errorf("the time of %d begins (%v), want %d", n, err, many)
		}
		setTime(t, db, "users", "unconfirmed_since", since)
		if deleted, err := db.PurgeUnconfirmed(t.Context(), fortnight); err != nil || deleted != many || count(t, db, "users") != 0 {
			t.Errorf("%d are deleted later (%v), want %d", deleted, err, many)
		}
	})
}
