package app_test

import (
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// The worker deletes an account that nobody confirmed, and somebody else gets its name
// and address.
func TestUnconfirmedAccountsAreDeleted(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]bool{"after UNCONFIRMED_MAX": false, "never with 0s": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, func(c *app.Config) {
					if kept {
						c.UnconfirmedMax = 0
					}
				})
				s.Join(apptest.Anna)
				mails := s.Deliver()
				s.SetTime("users", "unconfirmed_since", time.Now().Add(-14*apptest.Day))
				s.SetTime("throttles", "forget_at", time.Now().Add(-time.Hour)) // so that a purge of anything is seen
				if kept {
					if text := s.Get("/account").Text(".banner p"); text != "Confirm your email address. We sent a link to anna@example.com. Check your spam folder, too." {
						t.Errorf("the banner says %q", text)
					}
				}
				stop := s.StartWork()
				if kept {
					s.Visit(t).Post("/forgot-password", apptest.Fill("email", apptest.Anna.Email))
					apptest.Eventually(t, func() bool { return len(s.Queue()) == 0 })
				} else {
					apptest.Eventually(t, func() bool { return len(s.Logged("unconfirmed accounts deleted")) == 1 })
				}
				stop()
				if kept {
					s.Get("/dashboard").Wants(200)
					return
				}
				if users := s.Users(); len(users) > 0 {
					t.Errorf("there is still %+v", users)
				}
				s.Get("/dashboard").LeadsTo("/sign-in")
				s.Visit(t).Get(mails[0].Link).Gone()
				s.Visit(t).JoinAs(apptest.With(apptest.Anna.Form(), "first_name", "Annabel", "password", apptest.AnotherPassword, "confirm_password", apptest.AnotherPassword))
			})
		})
	}
}
