package mailed_test

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// The subjects of mail about recoveries.
const (
	recoverSubject   = "Recover your account"
	begunSubject     = "Someone wants to recover your account"
	readySubject     = "You can recover your account now"
	canceledSubject  = "The recovery of your account was canceled"
	recoveredSubject = "Your account was recovered"
)

// recoverLink asks for the link that begins a recovery of the account with that address.
func recoverLink(s *apptest.Site, email string) string {
	s.T.Helper()
	s.Visit(s.T).Post("/recover", apptest.Fill("email", email)).Wants(http.StatusOK)
	return s.MailTo(email, recoverSubject).Link
}

// beginRecovery begins a recovery of that account, and returns the mail about it.
func beginRecovery(s *apptest.Site, email string) []apptest.Mail {
	s.T.Helper()
	link, v := recoverLink(s, email), s.Visit(s.T)
	v.Submit(v.Get(link).Wants(http.StatusOK), "form#recover-start", nil).LeadsTo(link)
	return s.Deliver()
}

// hasWaited makes every recovery one that has waited, and returns the link of the mail that
// says so.
func hasWaited(s *apptest.Site, email string) string {
	s.T.Helper()
	s.SetTime("recoveries", "ready_at", time.Now())
	s.SetTime("mails", "created_at", time.Now())
	s.SetTime("mails", "next_at", time.Now())
	return s.MailTo(email, readySubject).Link
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		a := s.JoinWithApp()
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		other.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code(), "trust", "1")).LeadsTo("/dashboard")
		codes := other.RecoveryCodes()
		s.Deliver()

		// From the page that asks for the code, to a mailed link.
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		for _, path := range []string{apptest.SecondFactorPath, apptest.SecondFactorPath + "?recovery", "/forgot-password"} {
			if leads := s.Get(path).Find("main a[href='/recover']").Length() == 1; leads == (path == apptest.SecondFactorPath) {
				t.Errorf("%s leads to /recover: %v", path, leads)
			}
		}
		page := s.Get("/recover").Wants(http.StatusOK).Page().Says("this takes 3 days")
		page = s.Submit(page, "form#recover", apptest.Fill("email", "ANNA@example.com"), options...).Wants(http.StatusOK).Says("we've sent a link to recover it.")
		first := s.MailTo(apptest.Anna.Email, recoverSubject)
		s.Submit(page, "form#recover", nil, options...).Wants(http.StatusOK).Says("we've sent another link to recover it.")
		link := s.MailTo(apptest.Anna.Email, recoverSubject).Link
		s.Get(first.Link).Gone()
		if !strings.Contains(first.Text, "anna.smith") || !strings.Contains(first.Text, "takes\n3 days") {
			t.Errorf("the mail says %s", first.Text)
		}

		// It begins with the button, once.
		page = s.Get(link).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("This link is for the account anna.smith.")
		if s.Dump("recoveries") != "" {
			t.Fatal("it began without the button")
		}
		s.Submit(page, "form#recover-start", nil, options...).LeadsTo(link)
		began := s.Dump("recoveries")
		s.Get(link).Wants(http.StatusOK).Page().Says("The recovery of the account anna.smith has started.")
		s.Submit(page, "form#recover-start", nil, options...).LeadsTo(link)
		if s.MailTo(apptest.Anna.Email, begunSubject); s.Dump("recoveries") != began || began == "" {
			t.Error("asking again restarts the recovery")
		}
		again := recoverLink(s, apptest.Anna.Email)
		s.Post("/recover/start", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: again}))).LeadsTo(again)
		if s.Dump("recoveries") != began {
			t.Error("another link restarts the recovery")
		}

		// Nothing ends the wait early.
		early, err := s.DB.CreateToken(t.Context(), nil, s.User("anna.smith"), models.FinishRecovery, apptest.Anna.Email)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{early, s.TokenOf(apptest.Mail{Link: again}), s.ResetToken(apptest.Anna.Email)} {
			s.Get("/recover/finish?token=" + secret).Gone()
			s.Post("/recover/finish", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", secret)).Gone()
		}

		// After that, it takes the mailed link and a new password.
		link = hasWaited(s, apptest.Anna.Email)
		s.Visit(t).Post("/recover", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		newer := s.MailTo(apptest.Anna.Email, readySubject).Link
		s.Get(link).Gone()
		page = s.Get(newer).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("This link is for the account anna.smith.")
		s.Submit(page, "form#recover-finish", apptest.Twice("sunshine"), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"password": apptest.TooCommon})
		s.Leaves("/recover/finish/check", "password", apptest.With(apptest.Twice("my anna zuvok"), "token", s.TokenOf(apptest.Mail{Link: newer})), map[string]string{"password": apptest.Personal})
		if !other.SignedIn() || s.Dump("authenticators") == "" {
			t.Error("a refused form changes something")
		}
		s.Submit(page, "form#recover-finish", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/account/security")
		s.Get("/account/security").Wants(http.StatusOK).Says("Account recovered").Says("Not set up")
		if other.SignedIn() || s.Dump("authenticators")+s.Dump("recovery_codes")+s.Dump("recoveries") != "" || len(s.Sessions()) != 1 {
			t.Error("something of before is left")
		}
		s.Get(newer).Gone()
		other.Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusUnprocessableEntity)
		other.Post(apptest.SecondFactorPath, apptest.Fill("recovery_code", codes[0])).LeadsTo("/sign-in")
		if m := s.MailTo(apptest.Anna.Email, recoveredSubject); !strings.HasPrefix(m.Link, "/not-me?token=") {
			t.Errorf("the notice is %+v", m)
		}
		got := slices.DeleteFunc(s.Kinds(), func(kind string) bool {
			return !strings.HasPrefix(kind, "recovery-") || strings.HasPrefix(kind, "recovery-code")
		})
		if want := []string{"recovery-asked", "recovery-asked", "recovery-begun", "recovery-asked", "recovery-asked", "recovery-finished"}; !slices.Equal(got, want) {
			t.Errorf("the audit log has %v, want %v", got, want)
		}
	}, many)
}

// many allows enough mail for a long test.
func many(c *app.Config) {
	c.LimitMail = models.Limit{Free: 100, First: time.Second, Longest: time.Second, Forget: apptest.Day}
}

// TestRecoveryIsToldToEveryone has an address of before, one that waits and two devices.
func TestRecoveryIsToldToEveryone(t *testing.T) {
	t.Parallel()
	const present, pending = "new@example.com", "pending@example.com"
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		a := s.JoinWithApp()
		s.SignIn(apptest.Anna, a)
		other := s.Visit(t)
		other.SignIn(apptest.Anna, a)
		changeEmail(s.Visitor, apptest.Anna.Password, present)
		s.Post("/account/email", apptest.NewEmail(pending)).Wants(http.StatusOK)
		s.Deliver()

		cancel := map[string]string{}
		for _, m := range beginRecovery(s, present) {
			if m.Subject != begunSubject || strings.Contains(m.Text, "IP address") != (m.To == present) || !strings.Contains(m.Text, "anna.smith") {
				t.Errorf("%q to %s says %s", m.Subject, m.To, m.Text)
			}
			cancel[m.To] = m.Link
		}
		if len(cancel) != 3 || cancel[present] == "" || cancel[pending] == "" || cancel[apptest.Anna.Email] == "" {
			t.Fatalf("told are %v", cancel)
		}
		for _, v := range []*apptest.Visitor{s.Visitor, other} {
			for _, path := range []string{"/dashboard", "/account", "/", "/no-such-page"} {
				v.Get(path).Says("Someone asked to sign in to your account without your second step. They can do so from")
			}
		}
		if download := s.Get("/account/data").Body; !strings.Contains(download, `"ready_at"`) || !strings.Contains(download, `"email": "`+apptest.Anna.Email+`"`) {
			t.Errorf("the data has no recovery or former address: %s", download)
		}
		for _, link := range cancel {
			s.Visit(t).Get(link).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("Cancel this if it wasn't you.")
		}
		if s.Dump("recoveries") == "" {
			t.Error("a GET cancels it")
		}
		stranger := s.Visit(t)
		page := stranger.Get(cancel[apptest.Anna.Email])
		stranger.Submit(page, "form#recover-cancel", nil, options...).LeadsTo(cancel[apptest.Anna.Email])
		for _, link := range cancel {
			s.Visit(t).Get(link).Wants(http.StatusOK).Says("No recovery is waiting")
		}
		stranger.Submit(page, "form#recover-cancel", nil, options...).LeadsTo(cancel[apptest.Anna.Email]) // twice
		if s.MailTo(present, canceledSubject); s.Get("/dashboard").Find("aside.banner.warning").Length() > 0 {
			t.Error("the banner is still there")
		}
	}, many)
}

// TestRecoveryEnds ends a recovery in every way, and tries those that don't.
func TestRecoveryEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		act  func(s *apptest.Site, a *apptest.Authenticator)
		ends bool
	}{
		"banner": {func(s *apptest.Site, _ *apptest.Authenticator) {
			page := s.Get("/account/security").Wants(http.StatusOK)
			s.Submit(page, "aside.banner form", nil, apptest.Header("Referer", s.URL+"/account/security")).LeadsTo("/account/security")
			s.Get("/account/security").Says("Recovery canceled")
			s.Post("/account/recovery/cancel", nil).Wants(http.StatusSeeOther) // in another tab
		}, true},
		"sign-in":      {func(s *apptest.Site, a *apptest.Authenticator) { s.Visit(s.T).SignIn(apptest.Anna, a) }, true},
		"new password": {func(s *apptest.Site, _ *apptest.Authenticator) { s.ChangePassword().LeadsTo("/account") }, true},
		"new app":      {func(s *apptest.Site, _ *apptest.Authenticator) { s.AddAuthenticator() }, true},
		"new address": {func(s *apptest.Site, _ *apptest.Authenticator) {
			s.Post("/account/email", apptest.NewEmail("new@example.com")).Wants(http.StatusOK)
			s.Submit(s.Get(s.MailTo("new@example.com", apptest.ChangeSubject).Link), "form#verify", nil).LeadsTo("/dashboard")
		}, true},
		"reset by an operator": {func(s *apptest.Site, _ *apptest.Authenticator) {
			if err := s.DB.ResetFactors(s.T.Context(), s.User("anna.smith")); err != nil {
				s.T.Fatal(err)
			}
		}, true},
		"disabled": {func(s *apptest.Site, _ *apptest.Authenticator) {
			if err := s.DB.DisableUser(s.T.Context(), s.User("anna.smith")); err != nil {
				s.T.Fatal(err)
			}
		}, true},
		"password alone": {func(s *apptest.Site, _ *apptest.Authenticator) {
			s.Visit(s.T).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		}, false},
		"reset by mail": {func(s *apptest.Site, _ *apptest.Authenticator) {
			s.Visit(s.T).Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.ResetToken(apptest.Anna.Email))).LeadsTo(apptest.SecondFactorPath)
		}, false},
		"confirmed who they are": {func(s *apptest.Site, _ *apptest.Authenticator) { s.Get("/account/email").Wants(http.StatusOK) }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, many)
				a := s.JoinWithApp()
				s.SignIn(apptest.Anna, a)
				s.Deliver()
				link := recoverLink(s, apptest.Anna.Email)
				s.Visit(t).Post("/recover/start", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link}))).LeadsTo(link)
				s.Deliver()
				tt.act(s, a)
				ended := s.Dump("recoveries") == "" && !strings.Contains(s.Dump("mails"), models.MailRecoveryReady)
				if recorded := slices.Contains(s.Kinds(), "recovery-canceled"); ended != tt.ends || recorded != tt.ends {
					t.Fatalf("it ended: %v, recorded: %v, want %v", ended, recorded, tt.ends)
				}
				if !tt.ends {
					s.Deliver()
					hasWaited(s, apptest.Anna.Email)
					return
				}
				s.Get(link).Gone() // it begins no other
				told := slices.ContainsFunc(s.Deliver(), func(m apptest.Mail) bool { return m.Subject == canceledSubject && m.To != "" })
				if !told && name != "new address" { // told before
					t.Error("nobody is told")
				}
			})
		})
	}
}

// TestRecoverRefuses follows links that are no longer good.
func TestRecoverRefuses(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, many)
		s.JoinWithApp()
		s.Deliver()
		token := func(purpose models.Purpose, email string) string {
			t.Helper()
			secret, err := db.CreateToken(t.Context(), nil, s.User("anna.smith"), purpose, email)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		start := func(secret string) *apptest.Answer {
			return s.Visit(t).Post("/recover/start", apptest.Fill("token", secret))
		}
		finish := func(v *apptest.Visitor, secret string) *apptest.Answer {
			return v.Post("/recover/finish", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", secret))
		}
		for name, secret := range map[string]string{
			"nothing": "", "garbage": strings.Repeat("A", 43), "another purpose": token(models.ResetPassword, apptest.Anna.Email), "another address": token(models.Recover, "before@example.com"),
		} {
			start(secret).Gone()
			if s.Dump("recoveries") != "" {
				t.Fatalf("%s begins a recovery", name)
			}
		}
		expired := token(models.Recover, apptest.Anna.Email)
		s.SetTime("tokens", "expires_at", time.Now())
		start(expired).Gone()

		// Of two at once, one begins.
		secret := token(models.Recover, apptest.Anna.Email)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() { start(secret) })
		}
		group.Wait()
		s.MailTo(apptest.Anna.Email, begunSubject)
		link := hasWaited(s, apptest.Anna.Email)
		secret = s.TokenOf(apptest.Mail{Link: link})

		// What is too late, or for an address that was replaced, is refused.
		s.SetTime("recoveries", "expires_at", time.Now())
		finish(s.Visit(t), secret).Gone()
		if _, err := db.Purge(t.Context(), time.Hour); err != nil || s.Dump("recoveries") != "" {
			t.Errorf("it is not purged (%v)", err)
		}
		beginRecovery(s, apptest.Anna.Email)
		finish(s.Visit(t), secret).Gone() // of the one before
		link = hasWaited(s, apptest.Anna.Email)
		secret = s.TokenOf(apptest.Mail{Link: link})
		s.SetTime("tokens", "expires_at", time.Now())
		finish(s.Visit(t), secret).Gone()
		finish(s.Visit(t), token(models.FinishRecovery, "before@example.com")).Gone()

		// Of two at once, one finishes.
		secret = token(models.FinishRecovery, apptest.Anna.Email)
		statuses := make([]int, 3)
		for i := range statuses {
			v := s.Visit(t)
			group.Go(func() { statuses[i] = finish(v, secret).StatusCode })
		}
		group.Wait()
		slices.Sort(statuses)
		if want := []int{http.StatusSeeOther, http.StatusGone, http.StatusGone}; !slices.Equal(statuses, want) || len(s.Sessions()) != 1 {
			t.Errorf("the answers are %v", statuses)
		}
		s.Deliver()

		// Without a second factor there is nothing to wait for.
		secret = token(models.Recover, apptest.Anna.Email)
		start(secret).Gone()
		s.Visit(t).Post("/recover", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		s.MailTo(apptest.Anna.Email, apptest.ResetSubject)
	})
}

// TestRecoveryIsOff turns recoveries off while one waits.
func TestRecoveryIsOff(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		on := apptest.NewSite(t, db)
		on.JoinWithApp()
		on.Deliver()
		cancel := beginRecovery(on, apptest.Anna.Email)[0].Link
		off := apptest.NewSite(t, db, func(c *app.Config) { c.RecoveryWait = 0 })
		for _, path := range []string{"/recover", "/recover/start", "/recover/finish"} {
			off.Get(path).Wants(http.StatusNotFound)
			off.Post(path, url.Values{}).Wants(http.StatusNotFound)
		}
		if off.Get("/forgot-password").Find("a[href='/recover']").Length() > 0 {
			t.Error("a page leads to /recover")
		}
		off.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		off.Get(apptest.SecondFactorPath + "?recovery").Says("Contact the site's administrator.")
		off.SetTime("mails", "created_at", time.Now())
		off.SetTime("mails", "next_at", time.Now())
		off.NoMail()
		off.Get(cancel).Wants(http.StatusOK)
		off.Post("/recover/cancel", apptest.Fill("token", off.TokenOf(apptest.Mail{Link: cancel}))).LeadsTo(cancel)
	})
}

// TestRecoverDoesNotTellWhoHasAnAccount asks for several addresses, with and without a
// second factor.
func TestRecoverDoesNotTellWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := forgetful(t, db)
		ben := s.Visit(t)
		ben.Join(apptest.Nth(1))
		s.Confirmed()
		ben.AddAuthenticator()
		s.Deliver()
		addresses := maps.Clone(addresses)
		addresses["with a second factor"] = struct{ typed, mailed string }{apptest.Nth(1).Email, apptest.Nth(1).Email}
		bodies := map[string]bool{}
		for name, tt := range addresses {
			var a *apptest.Answer
			asked := q.During(func() { a = s.Post("/recover", apptest.Fill("email", tt.typed)) })
			if len(asked) != 1 || !strings.HasPrefix(asked[0], `INSERT INTO "mails"`) {
				t.Errorf("%s: the database is asked %q, want one INSERT", name, asked)
			}
			bodies[named.ReplaceAllString(a.Wants(http.StatusOK).Harmless().Body, "")] = true
			switch {
			case tt.mailed == "":
				s.NoMail()
			case tt.mailed == apptest.Nth(1).Email:
				s.MailTo(tt.mailed, recoverSubject)
			default:
				s.MailTo(tt.mailed, apptest.ResetSubject)
			}
		}
		if len(bodies) != 1 {
			t.Errorf("there are %d different answers, want 1", len(bodies))
		}
	})
}

// TestRecoverIsThrottled asks too often, for one address and one account.
func TestRecoverIsThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitMail = models.Limit{Free: 2, First: time.Minute, Longest: time.Minute, Forget: apptest.Day}
			c.LimitSignUp = models.Limit{Free: 4, First: time.Minute, Longest: time.Minute, Forget: apptest.Day}
		})
		s.JoinWithApp()
		for range 2 {
			s.Post("/recover", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		}
		s.Visit(t).Post("/recover", apptest.Fill("email", apptest.Anna.Email)).TooEarly()
		for i := range 2 {
			s.Post("/recover", apptest.Fill("email", apptest.Nth(i).Email)).Wants(http.StatusOK)
		}
		s.Post("/recover", apptest.Fill("email", apptest.Ben.Email)).TooEarly() // the network
		for range 3 {
			secret, err := db.CreateToken(t.Context(), nil, s.User("anna.smith"), models.Recover, apptest.Anna.Email)
			if err != nil {
				t.Fatal(err)
			}
			a := s.Post("/recover/start", apptest.Fill("token", secret))
			if a.StatusCode == http.StatusTooManyRequests {
				a.TooEarly()
				return
			}
			if _, err := db.CancelRecovery(t.Context(), s.User("anna.smith")); err != nil {
				t.Fatal(err)
			}
		}
		t.Error("one account recovers as often as it likes")
	})
}

// TestRecoveryHasWaitedOnce runs two processes when a recovery has waited.
func TestRecoveryHasWaitedOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s, other := apptest.NewSite(t, db), apptest.NewSite(t, db)
		s.JoinWithApp()
		s.Deliver()
		beginRecovery(s, apptest.Anna.Email)
		s.NoMail() // it has to wait
		s.SetTime("recoveries", "ready_at", time.Now())
		s.SetTime("mails", "created_at", time.Now())
		s.SetTime("mails", "next_at", time.Now())
		before := len(s.Outbox())
		stop := other.StartWork()
		s.Work(func() bool { return len(s.Queue()) == 0 })
		stop()
		if n := len(s.Outbox()) - before + len(other.Outbox()); n != 1 {
			t.Errorf("it is told %d times", n)
		}
	})
}

// TestRecoverRefusesBreachedPasswords ends a recovery with a password that is known from a
// data breach.
func TestRecoverRefusesBreachedPasswords(t *testing.T) {
	t.Parallel()
	hash := fmt.Sprintf("%X", sha1.Sum([]byte(apptest.BreachedPassword))) // #nosec G401 -- the public lists are of SHA-1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, hash[5:]+":12") }))
	t.Cleanup(server.Close)
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.Breached = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/range/"
		})
		s.JoinWithApp()
		s.Deliver()
		beginRecovery(s, apptest.Anna.Email)
		link := hasWaited(s, apptest.Anna.Email)
		s.Visit(t).Post("/recover/finish", apptest.Fill("token", apptest.Parameter(t, link, "token"), "password", apptest.BreachedPassword, "confirm_password", apptest.BreachedPassword)).
			Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"password": apptest.WasBreached})
	})
}
