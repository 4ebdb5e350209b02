package models_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestImpersonationEndsOnce ends an impersonation by several processes and a request at once.
// The person is told once.
func TestImpersonationEndsOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		operator, person := newUser(t, db, "operator"), newUser(t, db, "person")
		if err := errors.Join(db.SetOperator(t.Context(), operator, models.OperatorAdmin), db.VerifyUser(t.Context(), person)); err != nil {
			t.Fatal(err)
		}
		s, token := signIn(t, db, operator)
		if err := db.Impersonate(t.Context(), s, person, true); err != nil {
			t.Fatal(err)
		}
		if err := db.Impersonate(t.Context(), s, person, true); !errors.Is(err, models.ErrChanged) {
			t.Errorf("a second one begins: %v", err)
		}
		if n, err := db.EndImpersonations(t.Context()); n != 0 || err != nil {
			t.Errorf("%d end before their time (%v)", n, err)
		}
		found, err := db.SessionByToken(t.Context(), token)
		if err != nil || found.UserID != operator.ID || found.Impersonation == nil || found.Impersonation.User.ID != person.ID {
			t.Fatalf("the session has %+v (%v)", found, err)
		}
		end := time.Now().UTC().Add(-3 * time.Minute).Truncate(time.Microsecond)
		if _, err := db.Bun().NewUpdate().Model(found.Impersonation).WherePK().Set("expires_at = ?", end).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		found.Impersonation.ExpiresAt = end
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if _, err := db.EndImpersonations(t.Context()); err != nil {
					t.Error(err)
				}
			})
			group.Go(func() {
				err := db.EndImpersonation(t.Context(), found.Impersonation, models.ImpersonationStopped, models.Event{})
				if err != nil && !errors.Is(err, models.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		told, recorded := 0, 0
		for m, err := range db.AllMail(t.Context(), person) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Kind == models.MailImpersonated {
				told++
				if !m.Detail.Until.Equal(end) || !m.Detail.Writes {
					t.Errorf("the mail says %+v", m.Detail)
				}
			}
		}
		for e, err := range db.AllEvents(t.Context(), models.EventFilter{Kinds: []string{models.EventImpersonationEnded}}) {
			if err != nil {
				t.Fatal(err)
			}
			recorded++
			if e.Detail.End != models.ImpersonationRanOut {
				t.Errorf("it ended as %q", e.Detail.End)
			}
		}
		if told != 1 || recorded != 1 {
			t.Errorf("%d mails and %d events tell of it", told, recorded)
		}
	})
}
