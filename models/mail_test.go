package models_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// queue returns the queued mail, oldest first.
func queue(t *testing.T, db *models.DB) (mails []models.Mail) {
	t.Helper()
	if err := db.Bun().NewSelect().Model(&mails).Order("id").Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return mails
}

// wantsQueue checks that exactly these kinds of mail are queued.
func wantsQueue(t *testing.T, db *models.DB, kinds ...string) {
	t.Helper()
	var got []string
	for _, m := range queue(t, db) {
		got = append(got, m.Kind)
	}
	if !slices.Equal(got, kinds) {
		t.Errorf("the queue holds %v, want %v", got, kinds)
	}
}

// emptyQueue removes all mail from the queue.
func emptyQueue(t *testing.T, db *models.DB) {
	t.Helper()
	if _, err := db.Bun().NewDelete().Model((*models.Mail)(nil)).Where("1 = 1").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, db *models.DB) *models.Mail {
	t.Helper()
	m, err := db.ClaimMail(t.Context(), models.MailFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMailIsQueuedInTheTransaction(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		wantsQueue(t, db, models.MailVerifyEmail)
		if m := queue(t, db)[0]; m.Recipient != u.Email || m.UserID != u.ID || m.Name != "" || m.Attempts != 0 || m.NextAt.After(time.Now()) {
			t.Errorf("queued is %+v", m)
		}
		wantsTaken(t, db.CreateUser(t.Context(), &models.User{Username: "someone", Email: u.Email}), "email")
		undo := errors.New("undo")
		err := db.InTx(t.Context(), func(tx *models.DB) error {
			return errors.Join(tx.CreateUser(t.Context(), &models.User{Username: "carol", Email: "carol@example.com"}), undo)
		})
		if !errors.Is(err, undo) {
			t.Errorf("the error is %v", err)
		}
		if err := db.CreateUser(t.Context(), &models.User{Username: "benjamin", Email: "ben@example.com", VerifiedAt: time.Now()}); err != nil {
			t.Error(err)
		}
		wantsQueue(t, db, models.MailVerifyEmail) // the first alone
	})
}

func TestNothingChangesWithoutItsMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		verify(t, db, u)
		found := token(t, db, newToken(t, db, u, models.ChangeEmail))
		if _, err := db.Bun().ExecContext(t.Context(), "DROP TABLE mails"); err != nil {
			t.Fatal(err)
		}
		change := *u
		_, changePassword := db.ChangePassword(t.Context(), &change, "another", nil)
		for name, err := range map[string]error{
			"CreateUser":     db.CreateUser(t.Context(), &models.User{Username: "benjamin", Email: "ben@example.com"}),
			"ChangePassword": changePassword,
			"ConfirmEmail":   db.ConfirmEmail(t.Context(), found),
		} {
			if err == nil {
				t.Errorf("%s does without its mail", name)
			}
		}
		users, err := db.Users(t.Context(), [16]byte{}, 10)
		if err != nil || len(users) != 1 || !same(&users[0], u) {
			t.Errorf("the users are %+v (%v)", users, err)
		}
	})
}

func TestClaimMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		first, second := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		m := claim(t, db)
		if m.UserID != first.ID || m.Attempts != 1 || m.NextAt.Before(time.Now().Add(2*time.Minute)) {
			t.Errorf("claimed is %+v", m)
		}
		if other := claim(t, db); other.UserID != second.ID {
			t.Errorf("claimed is %+v", other)
		}
		_, err := db.ClaimMail(t.Context(), models.MailFilter{})
		wantsNotFound(t, err)

		setTime(t, db, "mails", "next_at", time.Now()) // their processes have died
		again := claim(t, db)
		if again.ID != m.ID || again.Attempts != 2 {
			t.Errorf("claimed is %+v", again)
		}
		for range 2 {
			if err := db.DeleteMail(t.Context(), again); err != nil {
				t.Error(err)
			}
		}
		if left := queue(t, db); len(left) != 1 || left[0].UserID != second.ID {
			t.Errorf("left are %+v", left)
		}

		setTime(t, db, "mails", "next_at", time.Now())
		newUser(t, db, "charlotte")
		m = claim(t, db)
		setTime(t, db, "mails", "next_at", time.Now()) // m is due as well
		if err := db.DeleteMail(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		next, err := db.ClaimMail(t.Context(), models.MailFilter{})
		if err != nil || next.ID == m.ID {
			t.Fatalf("claimed is %+v (%v), after %+v", next, err, m)
		}
		if left := queue(t, db); len(left) != 1 || left[0].ID != next.ID {
			t.Errorf("left are %+v", left)
		}
		for range 2 {
			if err := db.DeleteMail(t.Context(), m, next); err != nil {
				t.Fatal(err)
			}
			_, err = db.ClaimMail(t.Context(), models.MailFilter{})
			wantsNotFound(t, err)
			wantsQueue(t, db)
		}
	})
}

// TestMailOrder claims mail while some of it may not be sent.
func TestMailOrder(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for _, m := range []models.Mail{
			{Kind: models.MailInvitation, Recipient: "a@Slow.example"},
			{Kind: models.MailPasswordChanged, Recipient: "b@example.com"},
			{Kind: models.MailResetPassword, Recipient: "c@slow.example"},
			{Kind: models.MailVerifyEmail, Recipient: "d@example.com"},
			{Kind: models.MailChangeEmail, Recipient: "e@example.com"},
		} {
			if err := db.QueueMail(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		wants := func(filter models.MailFilter, order string) {
			t.Helper()
			if _, err := db.Bun().NewUpdate().Model((*models.Mail)(nil)).Set("next_at = created_at").Where("1 = 1").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := ""
			for {
				m, err := db.ClaimMail(t.Context(), filter)
				if errors.Is(err, models.ErrNotFound) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got += m.Recipient[:1]
			}
			if got != order {
				t.Errorf("with %+v the order is %s, want %s", filter, got, order)
			}
		}
		wants(models.MailFilter{First: true, Urgent: true, Except: []string{"slow.example"}}, "de")
		wants(models.MailFilter{First: true}, "cba")
		wants(models.MailFilter{First: true}, "")
		wants(models.MailFilter{}, "cdeba")
		wants(models.MailFilter{Urgent: true}, "cde")
		wants(models.MailFilter{Except: []string{"slow.example", "other.example"}}, "deb")
	})
}

// refusedMail returns the reason of each refused mail.
func refusedMail(t *testing.T, db *models.DB) map[uuid.UUID]string {
	t.Helper()
	reasons := map[uuid.UUID]string{}
	for m, err := range db.AllRefusedMail(t.Context(), uuid.Nil) {
		if err != nil {
			t.Fatal(err)
		}
		reasons[m.ID] = m.Reason
	}
	return reasons
}

// TestRefusedMail is kept for a month, or until its user is deleted.
func TestRefusedMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		m := claim(t, db)
		for range 2 { // another process may say so too
			if err := db.RefuseMail(t.Context(), m, "550 5.1.1\x00 no such user"); err != nil {
				t.Fatal(err)
			}
		}
		wantsQueue(t, db)
		other := models.Mail{Kind: models.MailInvitation, Recipient: "ben@example.com"}
		if err := db.QueueMail(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if err := db.RefuseMail(t.Context(), claim(t, db), "full"); err != nil {
			t.Fatal(err)
		}
		n := 0
		for r, err := range db.AllRefusedMail(t.Context(), u.ID) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; r.ID != m.ID || r.Kind != models.MailVerifyEmail || r.Recipient != u.Email || r.User.Username != u.Username || r.Reason != "550 5.1.1 no such user" || r.Attempts != 1 {
				t.Errorf("refused is %+v", r)
			}
		}
		if n != 1 || len(refusedMail(t, db)) != 2 {
			t.Errorf("%d mails to the user are refused, want 1; all are %v", n, refusedMail(t, db))
		}
		verify(t, db, u)
		if err := db.DeleteUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if left := refusedMail(t, db); len(left) != 1 {
			t.Errorf("after the deletion of the user there are %v", left)
		}
		purge := func(want int) {
			t.Helper()
			if _, err := db.Purge(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if left := refusedMail(t, db); len(left) != want {
				t.Errorf("after a purge there are %v, want %d", left, want)
			}
		}
		setTime(t, db, "refused_mails", "refused_at", time.Now().Add(-29*24*time.Hour))
		purge(1)
		setTime(t, db, "refused_mails", "refused_at", time.Now().Add(-31*24*time.Hour))
		purge(0)
	})
}

func TestEachMailIsClaimedOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const n = 40
		for i := range n {
			if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailResetPassword, Recipient: fmt.Sprintf("p%d@example.com", i)}); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		claimed := map[string]int{}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for {
					m, err := db.ClaimMail(t.Context(), models.MailFilter{})
					if errors.Is(err, models.ErrNotFound) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					claimed[m.Recipient]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if len(claimed) != n {
			t.Errorf("%d mails are claimed, want %d", len(claimed), n)
		}
		for to, times := range claimed {
			if times != 1 {
				t.Errorf("that to %s is claimed %d times", to, times)
			}
		}
	})
}

func TestRetryMail(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		attempts int
		age      time.Duration
		wait     time.Duration // until the next attempt; none when given up
	}{
		"after the first":      {1, 0, 4 * time.Second},
		"after the third":      {3, time.Minute, 16 * time.Second},
		"after the eighth":     {8, time.Hour, 512 * time.Second},
		"after the ninth":      {9, time.Hour, 10 * time.Minute},
		"after many":           {300, 24 * time.Hour, 10 * time.Minute},
		"almost three days":    {400, 72*time.Hour - time.Minute, 10 * time.Minute},
		"beyond three days":    {400, 72*time.Hour + time.Minute, 0},
		"first, much too late": {1, 100 * time.Hour, 0},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				emptyQueue(t, db)
				if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: "anna@example.com"}); err != nil {
					t.Fatal(err)
				}
				m := claim(t, db)
				m.Attempts, m.CreatedAt = tt.attempts, time.Now().Add(-tt.age)
				before := time.Now().Truncate(time.Microsecond)
				again, err := db.RetryMail(t.Context(), m, "the server is down")
				if err != nil || again != (tt.wait > 0) {
					t.Errorf("to be tried again is %v (%v)", again, err)
				}
				left := queue(t, db)
				if len(left) == 0 && tt.wait == 0 {
					if refused := refusedMail(t, db); !strings.Contains(refused[m.ID], "the server is down") {
						t.Errorf("refused are %v", refused)
					}
					return
				}
				if len(left) != 1 || left[0].NextAt.Before(before.Add(tt.wait)) || left[0].NextAt.After(time.Now().Add(tt.wait)) {
					t.Errorf("the queue holds %+v, want a mail that waits %v", left, tt.wait)
				}
			})
		}
	})
}

func TestResendVerification(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		tooSoon := func(why string) {
			t.Helper()
			if err := db.ResendVerification(t.Context(), u); !errors.Is(err, models.ErrTooSoon) {
				t.Errorf("%s: the error is %v, want ErrTooSoon", why, err)
			}
		}
		tooSoon("the first is queued")
		setTime(t, db, "mails", "created_at", time.Now().Add(-time.Hour))
		tooSoon("the first is queued for an hour")
		emptyQueue(t, db)
		newToken(t, db, u, models.VerifyEmail)
		tooSoon("the first was just sent")
		wantsQueue(t, db)

		setTime(t, db, "tokens", "created_at", time.Now().Add(-time.Minute))
		newToken(t, db, u, models.ResetPassword) // which is another matter
		if err := db.ResendVerification(t.Context(), u); err != nil {
			t.Error(err)
		}
		wantsQueue(t, db, models.MailVerifyEmail)
		emptyQueue(t, db)
		before := *u
		if err := db.DisableUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		wantsNotFound(t, db.ResendVerification(t.Context(), &before))
		wantsQueue(t, db)
	})
}

func TestResendVerificationAtOnceQueuesOne(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		emptyQueue(t, db)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := db.ResendVerification(t.Context(), u); err != nil && !errors.Is(err, models.ErrTooSoon) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		wantsQueue(t, db, models.MailVerifyEmail)
	})
}

// verify marks u's address as verified.
func verify(t *testing.T, db *models.DB, u *models.User) {
	t.Helper()
	u.VerifiedAt = time.Now().UTC().Truncate(time.Microsecond)
	if _, err := db.Bun().NewUpdate().Model(u).WherePK().Column("verified_at").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestStrangersGetNoNotices changes an account whose address is not verified.
func TestStrangersGetNoNotices(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		happens := func(want int) {
			t.Helper()
			before := count(t, db, "mails")
			session, _ := signIn(t, db, u)
			if _, err := db.RememberBrowser(t.Context(), u, "", models.MailDetail{}, false); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ChangePassword(t.Context(), u, "another hash", session); err != nil {
				t.Fatal(err)
			}
			if n := count(t, db, "mails") - before; n != want {
				t.Errorf("%d mails, want %d", n, want)
			}
		}
		happens(0)
		verify(t, db, u)
		happens(2)
	})
}
