package mailed_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// addKey gives Anna a passkey.
func addKey(s *apptest.Site, id string) {
	s.T.Helper()
	key := &models.Passkey{CredentialID: []byte(id), PublicKey: []byte("key"), Name: "Key"}
	if err := s.DB.AddPasskey(s.T.Context(), s.User("anna.smith"), key); err != nil {
		s.T.Fatal(err)
	}
}

// changeEmail changes Anna's address as the one who is signed in at v.
func changeEmail(v *apptest.Visitor, password, email string) {
	v.T.Helper()
	v.Post("/account/email", apptest.Fill("email", email, "current_password", password)).Wants(http.StatusOK)
	sent := v.Site.Deliver()
	i := slices.IndexFunc(sent, func(m apptest.Mail) bool { return m.To == email && m.Subject == apptest.ChangeSubject })
	if i < 0 {
		v.T.Fatalf("there is no link to %s in %+v", email, sent)
	}
	v.Submit(v.Get(sent[i].Link).Wants(http.StatusOK), "form#verify", nil).LeadsTo("/dashboard")
}

// factorsOf returns how Anna can prove who she is.
func factorsOf(s *apptest.Site) models.Factors {
	s.T.Helper()
	f, err := s.DB.Factors(s.T.Context(), s.User("anna.smith"))
	if err != nil {
		s.T.Fatal(err)
	}
	return f
}

// report presses the button of a notice.
func report(s *apptest.Site, link string, options ...apptest.Option) *apptest.Answer {
	s.T.Helper()
	v := s.Visit(s.T)
	page := v.Get(link).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("Wasn't this you?")
	v.Submit(page, "form#not-me", nil, options...).LeadsTo(link)
	return v.Get(link).Wants(http.StatusOK).Page().Harmless().Says("Your account is locked")
}

// TestNotMe reports each change that a stranger may make. Anna has an app and a passkey of
// her own.
func TestNotMe(t *testing.T) {
	t.Parallel()
	own := models.Factors{Passkeys: 1, Apps: 1, RecoveryCodes: 10}
	tests := map[string]struct {
		subject string
		change  func(s *apptest.Site, eve *apptest.Visitor)
		page    string // says what happened
		done    string
		factors models.Factors
	}{
		"new browser":  {apptest.NewBrowserSubject, func(*apptest.Site, *apptest.Visitor) {}, "Someone signed in from a new browser", "No password works until you choose one.", own},
		"new password": {apptest.NewPasswordSubject, func(_ *apptest.Site, eve *apptest.Visitor) { eve.ChangePassword() }, "The password was changed", "No password works until you choose one.", own},
		"another password": {apptest.WasResetSubject, func(s *apptest.Site, eve *apptest.Visitor) {
			eve.Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.ResetToken(apptest.Anna.Email)))
		}, "The password was reset by email", "No password works until you choose one.", own},
		"new app":     {"An authenticator app was added", func(_ *apptest.Site, eve *apptest.Visitor) { eve.AddAuthenticator() }, "Added an authenticator app", "1 authenticator app was removed.", own},
		"new passkey": {apptest.PasskeyAddedSubject, func(s *apptest.Site, _ *apptest.Visitor) { addKey(s, "eve's") }, "Added a passkey", "1 passkey was removed.", own},
		"new connection": {"A way to sign in was added", func(s *apptest.Site, _ *apptest.Visitor) {
			identity := &models.Identity{Provider: "acme", Issuer: "https://acme.example", Subject: "eve"}
			if err := s.DB.AddIdentity(s.T.Context(), s.User("anna.smith"), identity, "Acme"); err != nil {
				s.T.Fatal(err)
			}
		}, "Connected an account elsewhere", "1 connection was removed.", own},
		"copied passkey": {apptest.PasskeyRefusedSubject, func(s *apptest.Site, _ *apptest.Visitor) {
			user := s.User("anna.smith")
			keys, err := s.DB.Passkeys(s.T.Context(), user.ID)
			if err == nil {
				err = s.DB.TellPasskeyCopied(s.T.Context(), user, &keys[0])
			}
			if err != nil {
				s.T.Fatal(err)
			}
		}, "Passkey refused: it may have been copied", "1 passkey was removed.", models.Factors{Apps: 1, RecoveryCodes: 10}},
		"new codes": {"New recovery codes were created", func(_ *apptest.Site, eve *apptest.Visitor) { eve.RecoveryCodes() }, "Created recovery codes", "The recovery codes are void.", models.Factors{Passkeys: 1, Apps: 1}},
		"app removed": {"An authenticator app was removed", func(s *apptest.Site, eve *apptest.Visitor) {
			apps, _ := s.DB.Authenticators(s.T.Context(), s.User("anna.smith").ID)
			eve.Post("/account/authenticator/"+apps[0].ID.String()+"/remove", nil).LeadsTo("/account/authenticator")
		}, "Removed an authenticator app", "No password works until you choose one.", models.Factors{Passkeys: 1, RecoveryCodes: 10}},
		"new address": {apptest.ChangedSubject, func(_ *apptest.Site, eve *apptest.Visitor) {
			changeEmail(eve, apptest.Anna.Password, "evil@example.com")
		}, "The email address was changed", "The email address is anna@example.com again.", own},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []apptest.Option
			if tt.factors == own { // the others without scripts
				options = append(options, apptest.HTMX)
			}
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, many)
				a := s.JoinWithApp()
				s.SignIn(apptest.Anna, a)
				s.RecoveryCodes()
				addKey(s, "anna's")
				s.Post("/account/email", apptest.NewEmail("pending@example.com")).Wants(http.StatusOK)
				s.Deliver()
				eve := s.Visit(t)
				eve.SignIn(apptest.Anna, a)
				if tt.subject != apptest.NewBrowserSubject {
					s.Deliver()
				}
				tt.change(s, eve)
				var link string
				for _, m := range s.Deliver() {
					if m.Subject == tt.subject && m.To == apptest.Anna.Email {
						link = m.Link
					}
				}
				if !strings.HasPrefix(link, "/not-me?token=") {
					t.Fatalf("the link is %q", link)
				}
				before := s.Everything()
				s.Visit(t).Get(link).Says("This link is about the account anna.smith.").Says(tt.page)
				if s.Everything() != before {
					t.Error("a GET changes something")
				}
				report(s, link, options...).Says(tt.done).Says("Open the link that we sent to anna@example.com")
				user := s.User("anna.smith")
				if len(s.Sessions()) > 0 || s.Dump("browsers") != "" || user.HasPassword() || user.Email != apptest.Anna.Email || factorsOf(s) != tt.factors {
					t.Errorf("left are %d sessions, %+v, %+v", len(s.Sessions()), user, factorsOf(s))
				}
				for _, password := range []string{apptest.Anna.Password, apptest.AnotherPassword} {
					eve.Post("/sign-in", apptest.Credentials("anna.smith", password)).Wants(http.StatusUnprocessableEntity)
				}
				if pending, err := s.DB.PendingEmail(t.Context(), user); err != nil || pending != "" {
					t.Errorf("%s still waits (%v)", pending, err)
				}
				if !slices.Contains(s.Kinds(), "change-reported") {
					t.Errorf("the audit log has %v", s.Kinds())
				}

				// The way back takes the mailed link, and the second factor that was kept.
				var reset apptest.Mail
				for _, m := range s.Deliver() {
					if m.Subject == apptest.ResetSubject {
						reset = m
					}
				}
				to := s.Visit(t).Post("/reset-password", apptest.With(apptest.Twice("seven purple kites"), "token", s.TokenOf(reset))).Header.Get("Location")
				if want := map[bool]string{true: apptest.SecondFactorPath, false: "/dashboard"}[tt.factors.Apps > 0]; reset.To != apptest.Anna.Email || to != want {
					t.Errorf("the link goes to %s, and leads to %s, want %s", reset.To, to, want)
				}

				// The button works once.
				s.Visit(t).Post("/not-me", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link}))).LeadsTo(link)
				if !s.User("anna.smith").HasPassword() {
					t.Error("it works twice")
				}
			})
		})
	}
}

// TestNotMeOrder is the story of a stranger who takes Anna's account and holds links, too.
func TestNotMeOrder(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, many)
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		links := map[string]string{} // of notices, by address and subject
		deliver := func() {
			for _, m := range s.Deliver() {
				if strings.HasPrefix(m.Link, "/not-me") {
					links[m.To+": "+m.Subject] = m.Link
				}
			}
		}
		const anna, evil, worse = "anna@example.com: ", "evil@example.com: ", "worse@example.com: "
		eve := s.Visit(t)
		eve.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		addKey(s, "first")
		deliver() // the new browser, and the passkey
		changeEmail(eve, apptest.Anna.Password, "evil@example.com")
		addKey(s, "second")
		deliver()
		changeEmail(eve, apptest.Anna.Password, "worse@example.com")
		deliver()
		eve.ChangePassword().LeadsTo("/account")
		eve.Post("/forgot-password", apptest.Fill("email", "worse@example.com")).Wants(http.StatusOK)
		eve.Post("/account/email", apptest.Fill("email", "worst@example.com", "current_password", apptest.AnotherPassword)).Wants(http.StatusOK)
		deliver()
		var void []string
		for _, m := range s.Outbox() {
			if (m.To == "worse@example.com" || m.To == "worst@example.com") && s.TokenOf(m) != "" && m.Subject != "Confirm your new email address" || m.To == "worst@example.com" {
				void = append(void, m.Link)
			}
		}
		if len(links) != 6 || len(void) < 3 {
			t.Fatalf("the links are %v and %v", links, void)
		}

		// A link of hers acts on the address that was hers, and no earlier one.
		report(s, links[worse+apptest.NewPasswordSubject])
		if u := s.User("anna.smith"); u.Email != "worse@example.com" || u.HasPassword() {
			t.Errorf("the account is %+v", u)
		}
		report(s, links[evil+apptest.ChangedSubject]).Says("The email address is evil@example.com again.")
		deliver()
		eve.Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).Wants(http.StatusUnprocessableEntity)

		// Anna's wins, whichever she takes, although others were used before.
		report(s, links[anna+apptest.NewBrowserSubject]).Says("The email address is anna@example.com again.").Says("1 passkey was removed.")
		if f := factorsOf(s); f.Passkeys != 1 || s.User("anna.smith").Email != apptest.Anna.Email {
			t.Errorf("the factors are %+v", f)
		}
		for _, link := range append(void, links[evil+apptest.PasskeyAddedSubject]) {
			s.Visit(t).Get(link).Gone()
			if strings.HasPrefix(link, "/not-me") {
				s.Visit(t).Post("/not-me", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link}))).Gone()
			}
		}
		told := s.Deliver()
		restored := slices.ContainsFunc(told, func(m apptest.Mail) bool {
			return m.To == "evil@example.com" && m.Subject == "Your email address was changed back" && s.TokenOf(m) == ""
		})
		reset := slices.ContainsFunc(told, func(m apptest.Mail) bool { return m.To == apptest.Anna.Email && m.Subject == apptest.ResetSubject })
		if !restored || !reset || len(told) != 2 {
			t.Errorf("told are %+v", told)
		}
		s.Visit(t).Post("/forgot-password", apptest.Fill("email", "evil@example.com")).Wants(http.StatusOK)
		s.NoMail()

		// Her other links still undo what they are about.
		report(s, links[anna+apptest.PasskeyAddedSubject]).Says("1 passkey was removed.")
		if f := factorsOf(s); f.Passkeys != 0 {
			t.Errorf("the factors are %+v", f)
		}
	})
}

// TestNotMeRefuses follows links that are no longer good.
func TestNotMeRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]func(s *apptest.Site){
		"expired": func(s *apptest.Site) { s.SetTime("tokens", "expires_at", time.Now()) },
		"a week later": func(s *apptest.Site) {
			s.SetTime("former_emails", "replaced_at", time.Now().Add(-models.FormerEmailLife))
		},
		"disabled": func(s *apptest.Site) {
			if err := s.DB.DisableUser(s.T.Context(), s.User("anna.smith")); err != nil {
				s.T.Fatal(err)
			}
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db)
				s.Join(apptest.Anna)
				s.Confirmed()
				s.Deliver()
				changeEmail(s.Visitor, apptest.Anna.Password, "new@example.com")
				link := s.MailTo(apptest.Anna.Email, apptest.ChangedSubject).Link
				s.Visit(t).Get(link).Wants(http.StatusOK)
				end(s)
				before := s.Dump("users")
				s.Visit(t).Get(link).Gone()
				s.Visit(t).Post("/not-me", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link}))).Gone()
				for _, secret := range []string{"", strings.Repeat("A", 43), s.ResetToken("new@example.com")} {
					s.Visit(t).Post("/not-me", apptest.Fill("token", secret)).Gone()
				}
				if s.Dump("users") != before {
					t.Error("it does something")
				}
			})
		})
	}
}

// TestNotMeOnceAtATime presses the button in several windows, one of them signed in.
func TestNotMeOnceAtATime(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		s.ChangePassword().LeadsTo("/account")
		link := s.MailTo(apptest.Anna.Email, apptest.NewPasswordSubject).Link
		token := s.TokenOf(apptest.Mail{Link: link})
		var group sync.WaitGroup
		for i := range 4 {
			v := s.Visit(t)
			if i == 0 {
				v = s.Visitor
			}
			group.Go(func() { v.Post("/not-me", apptest.Fill("token", token)).LeadsTo(link) })
		}
		group.Wait()
		n := 0
		for _, kind := range s.Kinds() {
			if kind == "change-reported" {
				n++
			}
		}
		if n != 1 || s.SignedIn() {
			t.Errorf("it is reported %d times, and the browser is signed in: %v", n, s.SignedIn())
		}
		s.MailTo(apptest.Anna.Email, apptest.ResetSubject)
	})
}

// TestFormerEmailIsReserved tries to take an address that its owner replaced.
func TestFormerEmailIsReserved(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		changeEmail(s.Visitor, apptest.Anna.Password, "new@example.com")
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		taken := map[string]string{"email": apptest.TakenEmail}
		form := apptest.With(apptest.Nth(1).Form(), "email", "ANNA@example.com")
		s.Visit(t).Post("/sign-up", form).Wants(http.StatusUnprocessableEntity).WantsErrors(taken)
		ben.Post("/account/email", apptest.Fill("email", apptest.Anna.Email, "current_password", apptest.Ben.Password)).Wants(http.StatusUnprocessableEntity).WantsErrors(taken)
		changeEmail(s.Visitor, apptest.Anna.Password, apptest.Anna.Email) // its owner may
		changeEmail(s.Visitor, apptest.Anna.Password, "new@example.com")
		s.SetTime("former_emails", "replaced_at", time.Now().Add(-models.FormerEmailLife))
		if _, err := db.Purge(t.Context(), time.Hour); err != nil || s.Dump("former_emails") != "" {
			t.Errorf("they are not purged (%v)", err)
		}
		s.Visit(t).Post("/sign-up", form).LeadsTo("/dashboard")

		for i := range 11 {
			secret, err := db.CreateToken(t.Context(), nil, s.User("anna.smith"), models.ChangeEmail, apptest.Nth(101+i).Email)
			if err != nil {
				t.Fatal(err)
			}
			a := s.Post("/verify-email", apptest.Fill("token", secret))
			if i < 10 {
				a.LeadsTo("/dashboard")
			} else {
				a.Wants(http.StatusConflict).Says("Your email address was changed many times within a week.")
			}
		}
	})
}
