package models_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// stored reads u again.
func stored(t *testing.T, db *models.DB, u *models.User) *models.User {
	t.Helper()
	got, err := db.UserByID(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// wantsSessions checks the number of u's sessions.
func wantsSessions(t *testing.T, db *models.DB, u *models.User, want int) {
	t.Helper()
	if got, err := db.Sessions(t.Context(), u.ID); err != nil || len(got) != want {
		t.Errorf("%s has %d sessions (%v), want %d", u.Username, len(got), err, want)
	}
}

// The user may change between the check of the password and the new session.
func TestProveSeesWhatHappenedMeanwhile(t *testing.T) {
	t.Parallel()
	tests := map[string]func(ctx context.Context, db *models.DB, u *models.User) error{
		"disabled": func(ctx context.Context, db *models.DB, u *models.User) error { return db.DisableUser(ctx, u) },
		"deleted":  func(ctx context.Context, db *models.DB, u *models.User) error { return db.DeleteUser(ctx, u) },
		"password changed": func(ctx context.Context, db *models.DB, u *models.User) error {
			_, err := db.ChangePassword(ctx, u, "another", nil)
			return err
		},
		"hash renewed": func(ctx context.Context, db *models.DB, u *models.User) error {
			return db.RehashPassword(ctx, u, "stronger")
		},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, happens := range tests {
			t.Run(name, func(t *testing.T) {
				u := newUser(t, db, uuid.NewString()[:8])
				seen := *u
				if err := happens(t.Context(), db, u); err != nil {
					t.Fatal(err)
				}
				_, token, err := db.Prove(t.Context(), &seen, models.Step{Factor: models.FactorPassword, Lifetime: life})
				wantsNotFound(t, err)
				if token != "" {
					t.Error("there is a token")
				}
				wantsSessions(t, db, u, 0)
			})
		}
	})
}

func wantsChanged(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, models.ErrChanged) {
		t.Errorf("the error is %v, want ErrChanged", err)
	}
}

func TestRehashPassword(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		late := *u // another request, that verified the password before
		if err := db.RehashPassword(t.Context(), u, "stronger"); err != nil || stored(t, db, u).PasswordHash != "stronger" {
			t.Errorf("stored is %q (%v)", stored(t, db, u).PasswordHash, err)
		}
		signIn(t, db, u)
		if _, err := db.ChangePassword(t.Context(), u, "changed", nil); err != nil {
			t.Fatal(err)
		}
		wantsChanged(t, db.RehashPassword(t.Context(), &late, "stronger, but of the old"))
		if got := stored(t, db, u).PasswordHash; got != "changed" {
			t.Errorf("stored is %q: the new password is overwritten", got)
		}
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u, other := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		verify(t, db, u)
		kept, token := signIn(t, db, u)
		_, lost := signIn(t, db, u)
		signIn(t, db, other)
		if err := db.RequestEmail(t.Context(), u, "new@example.com"); err != nil {
			t.Fatal(err)
		}
		void := []string{newToken(t, db, u, models.ResetPassword), newToken(t, db, u, models.ChangeEmail)}
		good := []string{newToken(t, db, u, models.VerifyEmail), newToken(t, db, other, models.ResetPassword)}

		late, old := *u, token
		if token, err := db.ChangePassword(t.Context(), u, "another", kept); err != nil {
			t.Fatal(err)
		} else if _, err := db.SessionByToken(t.Context(), token); err != nil {
			t.Error(err)
		}
		_, err := db.SessionByToken(t.Context(), old)
		wantsNotFound(t, err)
		_, err = db.ChangePassword(t.Context(), &late, "of who knows the old one", nil)
		wantsChanged(t, err)
		wantsChanged(t, db.RequestEmail(t.Context(), &late, "thief@example.com"))
		wantsChanged(t, db.DeleteUser(t.Context(), &late))
		if got := stored(t, db, u).PasswordHash; got != "another" {
			t.Errorf("stored is %q", got)
		}
		_, err = db.SessionByToken(t.Context(), lost)
		wantsNotFound(t, err)
		wantsSessions(t, db, other, 1)
		for _, secret := range void {
			_, err := db.TokenBySecret(t.Context(), secret, purposes...)
			wantsNotFound(t, err)
		}
		for _, secret := range good {
			if _, err := db.TokenBySecret(t.Context(), secret, purposes...); err != nil {
				t.Error(err)
			}
		}
		wantsQueue(t, db, models.MailVerifyEmail, models.MailVerifyEmail, models.MailPasswordChanged)
	})
}

func TestConfirmEmail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u, other := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		emptyQueue(t, db)
		ask := func(email string) *models.Token {
			t.Helper()
			secret, err := db.CreateToken(t.Context(), nil, u, models.ChangeEmail, email)
			if err != nil {
				t.Fatal(err)
			}
			return token(t, db, secret)
		}
		wantsTaken(t, db.ConfirmEmail(t.Context(), ask("BENJAMIN@example.com")), "email")
		if got := stored(t, db, u); got.Email != u.Email || got.Verified() {
			t.Errorf("stored is %+v", got)
		}
		wantsQueue(t, db)

		verify(t, db, u)
		if err := db.ConfirmEmail(t.Context(), ask("New@Example.com")); err != nil {
			t.Fatal(err)
		}
		if got := stored(t, db, u); got.Email != "New@Example.com" || !got.Verified() || got.EmailKey != "new@example.com" {
			t.Errorf("stored is %+v", got)
		}
		if m := queue(t, db); len(m) != 1 || m[0].Kind != models.MailEmailChanged || m[0].Recipient != u.Email || m[0].Detail.Email != "New@Example.com" {
			t.Errorf("the queue holds %+v, want the notice to the old address", m)
		}
		if got := stored(t, db, other); got.Verified() {
			t.Errorf("the other is %+v", got)
		}
	})
}

func TestRenewSession(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		s, old := signIn(t, db, u)
		setTime(t, db, "sessions", "authenticated_at", time.Now().Add(-time.Hour))
		renewed, err := db.RenewSession(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := db.SessionByToken(t.Context(), old); err != nil || got.ID != s.ID || !got.AuthenticatedAt.IsZero() {
			t.Errorf("within a minute the old token finds %+v (%v), want the session without the password", got, err)
		}
		setTime(t, db, "sessions", "replaced_at", time.Now().Add(-time.Minute))
		_, err = db.SessionByToken(t.Context(), old)
		wantsNotFound(t, err)
		twice := *s
		twice.TokenHash = bytes.Repeat([]byte{1}, 32) // as another request read it before
		_, err = db.RenewSession(t.Context(), &twice)
		wantsChanged(t, err)
		got, err := db.SessionByToken(t.Context(), renewed)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != s.ID || !got.ExpiresAt.Equal(s.ExpiresAt) || time.Since(got.AuthenticatedAt) > time.Minute {
			t.Errorf("the session is %+v", got)
		}
		if err := db.DeleteSession(t.Context(), u.ID, s.ID); err != nil {
			t.Fatal(err)
		}
		_, err = db.RenewSession(t.Context(), s)
		wantsNotFound(t, err)
	})
}

func TestDisableUser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u, other := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		signIn(t, db, u)
		signIn(t, db, other)
		if err := db.DisableUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		wantsSessions(t, db, u, 0)
		wantsSessions(t, db, other, 1)
		if !stored(t, db, u).Disabled() || stored(t, db, other).Disabled() {
			t.Error("the wrong user is disabled")
		}
		if err := db.EnableUser(t.Context(), u); err != nil || stored(t, db, u).Disabled() {
			t.Errorf("the user is still disabled (%v)", err)
		}
		signIn(t, db, u)
	})
}

func TestDeleteUser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u, other := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		verify(t, db, u)
		for _, who := range []*models.User{u, other} {
			signIn(t, db, who)
			newToken(t, db, who, models.VerifyEmail)
			if _, err := db.RememberBrowser(t.Context(), who, "", models.MailDetail{}, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.DeleteUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		wantsQueue(t, db, models.MailVerifyEmail, models.MailAccountDeleted) // ben's, and the last to anna
		for _, model := range []any{(*models.Session)(nil), (*models.Token)(nil), (*models.Browser)(nil)} {
			for who, want := range map[uuid.UUID]int64{u.ID: 0, other.ID: 1} {
				if n, err := db.Bun().NewSelect().Model(model).Where("user_id = ?", who).Count(t.Context()); err != nil || n != want {
					t.Errorf("%d rows of %T are left (%v), want %d", n, model, err, want)
				}
			}
		}
		wantsNotFound(t, db.DeleteUser(t.Context(), u))
	})
}

// Two requests set the password at once, one with the old password and one with an
// emailed token. They lock in the same order: one is too late, and nothing else
// goes wrong.
func TestPasswordIsSetByOneOfTwo(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for range 20 {
			u := newUser(t, db, uuid.NewString()[:8])
			s, _ := signIn(t, db, u)
			reset := token(t, db, newToken(t, db, u, models.ResetPassword))
			email := token(t, db, newToken(t, db, u, models.ChangeEmail))
			var group sync.WaitGroup
			var change, byMail, confirm error
			group.Go(func() { _, change = db.ChangePassword(t.Context(), u, "changed", s) })
			group.Go(func() { byMail = db.ResetPassword(t.Context(), reset, "reset") })
			group.Go(func() { confirm = db.ConfirmEmail(t.Context(), email) })
			group.Wait()
			for _, err := range []error{change, byMail, confirm} {
				if err != nil && !errors.Is(err, models.ErrNotFound) {
					t.Errorf("the error is %v", err)
				}
			}
			if (change == nil) == (byMail == nil) {
				t.Errorf("the change ends with %v, the reset with %v: want one of them done", change, byMail)
			}
		}
	})
}

func TestResetPasswordOfAnAddressThatIsNoLongerTheUsers(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		secret, err := db.CreateToken(t.Context(), nil, u, models.ResetPassword, "former@example.com")
		if err != nil {
			t.Fatal(err)
		}
		wantsNotFound(t, db.ResetPassword(t.Context(), token(t, db, secret), "another"))
		if got := stored(t, db, u).PasswordHash; got != u.PasswordHash {
			t.Errorf("stored is %q", got)
		}
	})
}

// TestAfterRestoreOfEmails restores a backup from before people changed their address.
func TestAfterRestoreOfEmails(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		var later []models.Event
		user := func(name, email string) *models.User {
			u := newUser(t, db, name)
			verify(t, db, u)
			later = append(later, models.Event{ID: uuid.Must(uuid.NewV7()), Kind: models.EventEmailConfirmed, UserID: u.ID, Detail: models.EventDetail{Email: email}, CreatedAt: time.Now().UTC()})
			return u
		}
		moved, unknown := user("has.moved", "new@example.com"), user("an.earlier.version", "")
		taken := user("somebody.has.it", newUser(t, db, "somebody").Email)
		r, err := db.AfterRestore(t.Context(), later)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Emails, []string{"has.moved"}) || !slices.Equal(r.Outdated, []string{"an.earlier.version", "somebody.has.it"}) {
			t.Errorf("it names %+v", r)
		}
		for u, want := range map[*models.User]string{moved: "new@example.com", unknown: unknown.Email, taken: taken.Email} {
			if got, err := db.UserByID(t.Context(), u.ID); err != nil || got.Email != want || !got.Verified() {
				t.Errorf("%s has %+v (%v), want %s", u.Username, got, err, want)
			}
		}
	})
}
