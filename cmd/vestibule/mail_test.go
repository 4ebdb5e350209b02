//go:build linux || darwin || freebsd

package main_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// queue returns the mail that waits in the database.
func queue(t *testing.T, db *models.DB) (mails []models.Mail) {
	t.Helper()
	if err := db.Bun().NewSelect().Model(&mails).Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return mails
}

// TestMailOutlivesTheProgram lets the mail server be down, and then the program
// die: both come back, and each mail arrives once.
func TestMailOutlivesTheProgram(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		office := apptest.StartMailServer(t)
		office.Down.Store(true)
		settings := append(unlimited, "DATABASE_URL="+database, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com")
		s := serve(t, settings...)
		s.mayFail = true // the mail server is down
		const people = 3
		for i := range people {
			s.signUp(apptest.Nth(i))
		}
		db := modelstest.Open(t, database)
		// Killed while a mail is claimed, its lease of a minute had to pass. So
		// the time is when each was tried in vain and waits for another try.
		if !waitFor(func() bool {
			waiting := 0
			for _, m := range queue(t, db) {
				if left := time.Until(m.NextAt); m.Attempts > 0 && left > time.Second && left < 30*time.Second {
					waiting++
				}
			}
			return waiting == people
		}) {
			t.Fatalf("the queue is %+v", queue(t, db))
		}
		s.kill()
		office.Down.Store(false)

		serve(t, settings...)
		if !waitFor(func() bool { return len(queue(t, db)) == 0 }) {
			t.Fatalf("the queue is %+v", queue(t, db))
		}
		for i := range people {
			if n := len(office.To(apptest.Nth(i).Email, apptest.VerifySubject)); n != 1 {
				t.Errorf("the mail to %s arrives %d times, want once", apptest.Nth(i).Email, n)
			}
		}
	})
}

// TestTwoProcessesMailOnce shares the queue of fifty sign-ups between two.
func TestTwoProcessesMailOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		office := apptest.StartMailServer(t)
		settings := append(unlimited, "DATABASE_URL="+database, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com")
		one, two := serve(t, settings...), serve(t, settings...)
		const people = 50
		var group sync.WaitGroup
		for first, s := range []*site{one, two} {
			group.Go(func() {
				for i := first; i < people; i += 2 {
					c := s.caller(t)
					c.wants(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusSeeOther)
				}
			})
		}
		group.Wait()
		db := modelstest.Open(t, database)
		if !waitFor(func() bool { return len(queue(t, db)) == 0 }) {
			t.Fatalf("%d mails still wait", len(queue(t, db)))
		}
		for i := range people {
			if n := len(office.To(apptest.Nth(i).Email, apptest.VerifySubject)); n != 1 {
				t.Errorf("the mail to %s arrives %d times, want once", apptest.Nth(i).Email, n)
			}
		}
	})
}
