package auth_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const wrongCode = "That code is wrong, or was used before."

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		a := s.JoinWithApp()
		s.Post("/sign-in?next=/account", apptest.Credentials("anna.smith", "not mine, really"), options...).Wants(http.StatusUnprocessableEntity).Says(apptest.WrongSignIn)
		to := apptest.SecondFactorPath + "?next=%2Faccount"
		answer := s.Post("/sign-in?next=/account", apptest.Anna.Credentials(), options...).LeadsTo(to).Keeps("session")
		if c := answer.Sets("sign_in"); c == nil || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge < 590 || c.MaxAge > 600 {
			answer.Failf("the cookie is %v", c)
		}
		if s.SignedIn() || len(s.Sessions()) > 0 {
			t.Error("the password alone signs in")
		}
		if dump := s.Dump("sign_ins"); strings.Contains(dump, s.Cookie("sign_in")) {
			t.Error("the token is stored in the clear")
		}
		page := s.Get(to).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("Signing in as anna.smith.")
		input := page.Find("#code")
		if _, focus := input.Attr("autofocus"); !focus || input.AttrOr("autocomplete", "") != "one-time-code" || input.AttrOr("inputmode", "") != "numeric" {
			page.Failf("the field is wrong: %s", page.Body)
		}
		code := a.Code()
		for typed, wrong := range map[string]string{"": "Enter the code from your app.", "000 00": wrongCode, "abcdef": wrongCode, a.CodeIn(2 * time.Hour): wrongCode} {
			s.Submit(page, apptest.SecondFactorForm, apptest.Fill("code", typed), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": wrong})
		}
		done := s.Submit(page, apptest.SecondFactorForm, apptest.Fill("code", code[:3]+" "+code[3:]), options...).LeadsTo("/account").Clears("sign_in")
		if done.Sets("session") == nil || !s.SignedIn() || strings.Contains(s.Dump("sign_ins"), "password") {
			t.Error("the code doesn't sign in, or the sign-in still waits")
		}
		s.Get(apptest.SecondFactorPath + "?next=/account").LeadsTo("/account")
		if got := s.Kinds(); !slices.Equal(got[len(got)-3:], []string{"code-failed", "code-failed", "sign-in"}) || !slices.Contains(got, "sign-in-started") {
			t.Errorf("the audit log has %v", got)
		}
	})
}

// TestSecondFactorRefuses tries to sign in without the code of the one whose password was
// right, on this browser, a moment ago.
func TestSecondFactorRefuses(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s *apptest.Site){
		"expired": func(s *apptest.Site) { s.SetTime("sign_ins", "expires_at", time.Now()) },
		"another browser": func(s *apptest.Site) {
			s.SetCookie("sign_in", strings.Repeat("A", 43))
		},
		"another password": func(s *apptest.Site) {
			token := s.ResetToken(apptest.Anna.Email)
			s.Visit(s.T).Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", token)).LeadsTo(apptest.SecondFactorPath)
		},
		"another address": func(s *apptest.Site) {
			secret, err := s.DB.CreateToken(s.T.Context(), nil, s.User("anna.smith"), models.ChangeEmail, "new@example.com")
			if err != nil {
				s.T.Fatal(err)
			}
			token, err := s.DB.TokenBySecret(s.T.Context(), secret, models.ChangeEmail)
			if err != nil {
				s.T.Fatal(err)
			}
			if err := s.DB.ConfirmEmail(s.T.Context(), token); err != nil {
				s.T.Fatal(err)
			}
		},
		"signed out everywhere": func(s *apptest.Site) {
			if _, err := s.DB.DeleteSessions(s.T.Context(), s.User("anna.smith").ID, uuid.Nil); err != nil {
				s.T.Fatal(err)
			}
		},
		"disabled": func(s *apptest.Site) {
			if err := s.DB.DisableUser(s.T.Context(), s.User("anna.smith")); err != nil {
				s.T.Fatal(err)
			}
		},
		"reset by an operator": func(s *apptest.Site) {
			if err := s.DB.ResetFactors(s.T.Context(), s.User("anna.smith")); err != nil {
				s.T.Fatal(err)
			}
		},
		"the app removed": func(s *apptest.Site) {
			apps, err := s.DB.Authenticators(s.T.Context(), s.User("anna.smith").ID)
			if err != nil || len(apps) != 1 {
				s.T.Fatal(err, len(apps))
			}
			if err := s.DB.RemoveAuthenticator(s.T.Context(), s.User("anna.smith"), apps[0].ID); err != nil {
				s.T.Fatal(err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db)
				a := s.JoinWithApp()
				s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
				page := s.Get(apptest.SecondFactorPath).Wants(http.StatusOK)
				end(s)
				s.Get("/dashboard").LeadsTo("/sign-in")
				s.Get("/account/security").LeadsTo("/sign-in?next=%2Faccount%2Fsecurity")
				s.Submit(page, apptest.SecondFactorForm, apptest.Fill("code", a.CodeIn(0))).LeadsTo("/sign-in")
				s.Get(apptest.SecondFactorPath).LeadsTo("/sign-in")
				s.Get("/sign-in").Says("That took too long, or your account changed. Please sign in again.")
				if s.SignedIn() || len(s.Sessions()) > 0 {
					t.Error("somebody is signed in")
				}
			})
		})
	}
}

// TestOtherWaysInAskForTheSecondFactor takes each way in that is not the password.
func TestOtherWaysInAskForTheSecondFactor(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		a := s.JoinWithApp()
		s.Deliver()

		// A mailed link sets the password, and the code is still missing.
		token := s.ResetToken(apptest.Anna.Email)
		s.Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", token)).LeadsTo(apptest.SecondFactorPath).Keeps("session")
		if s.SignedIn() {
			t.Error("a mailed link alone signs in")
		}
		s.MailTo(apptest.Anna.Email, "Your password was reset")
		s.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code())).LeadsTo("/dashboard")
		s.NoMail() // about a new browser

		// So does a link that somebody else opens who is signed in: they stay, until the code.
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		token = s.ResetToken(apptest.Anna.Email)
		ben.Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", token)).LeadsTo(apptest.SecondFactorPath)
		ben.Get("/account").Wants(http.StatusOK).Says("Ben Jones")
		ben.Submit(ben.Get(apptest.SecondFactorPath).Says("Signing in as anna.smith."), apptest.SecondFactorForm, apptest.Fill("code", a.Code())).LeadsTo("/dashboard")
		ben.Get("/account").Wants(http.StatusOK).Says("Anna Smith")
		ben.Post("/sign-out", nil).LeadsTo("/")
		s.Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).LeadsTo(apptest.SecondFactorPath)
		s.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code())).LeadsTo("/dashboard")
		s.Confirmed()
		s.Deliver()

		// The link to a new address confirms it once the code was right.
		s.Post("/account/email", apptest.Fill("email", "new@example.com", "current_password", apptest.AnotherPassword)).Wants(http.StatusOK)
		link := s.MailTo("new@example.com", "Confirm your new email address").Link
		v := s.Visit(t)
		page := v.Get(link).Wants(http.StatusOK)
		to := v.Submit(page, "form#verify", apptest.Fill("password", apptest.AnotherPassword)).Wants(http.StatusSeeOther).Header.Get("Location")
		if !strings.HasPrefix(to, apptest.SecondFactorPath+"?next=%2Fverify-email") || s.User("anna.smith").Email != apptest.Anna.Email {
			t.Errorf("the password alone leads to %s, and the address is %s", to, s.User("anna.smith").Email)
		}
		v.Post(to, apptest.Fill("code", a.Code())).LeadsTo(link)
		v.Submit(v.Get(link).Wants(http.StatusOK), "form#verify", nil).LeadsTo("/dashboard")
		if s.User("anna.smith").Email != "new@example.com" {
			t.Error("the address is not confirmed")
		}
	})
}

// TestPreparedFactorsEnd signs up with Anna's address, and protects the account from her.
func TestPreparedFactorsEnd(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, purpose := range map[string]models.Purpose{"/verify-email/password": models.VerifyEmail, "/reset-password": models.ResetPassword} {
			s := apptest.NewSite(t, db)
			eve := s.Visit(t)
			eve.JoinAs(apptest.With(apptest.Anna.Form(), "password", apptest.AnotherPassword, "confirm_password", apptest.AnotherPassword))
			a := eve.AddAuthenticator()
			eve.RecoveryCodes()
			token, err := db.CreateToken(t.Context(), nil, s.User("anna.smith"), purpose, apptest.Anna.Email)
			if err != nil {
				t.Fatal(err)
			}
			s.Post(name, apptest.With(apptest.Twice("zuvokelimantra 39"), "token", token)).LeadsTo("/dashboard")
			if eve.SignedIn() || s.Dump("authenticators")+s.Dump("recovery_codes") != "" {
				t.Errorf("%s: what was prepared is still there", name)
			}
			eve.Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).Wants(http.StatusUnprocessableEntity)
			eve.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code())).LeadsTo("/sign-in")
			if err := db.DeleteUser(t.Context(), s.User("anna.smith")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestCodeCountsOnce uses one code twice, one after the other and at once, and one sign-in
// with two codes at once.
func TestCodeCountsOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		a := s.JoinWithApp()
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		code := a.Code()
		s.Post(apptest.SecondFactorPath, apptest.Fill("code", code)).LeadsTo("/dashboard")
		other.Post(apptest.SecondFactorPath, apptest.Fill("code", code)).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": wrongCode})
		other.Post(apptest.SecondFactorPath, apptest.Fill("code", a.CodeIn(-30*time.Second))).Wants(http.StatusUnprocessableEntity) // older than one that was used

		storm := func(send []func() *apptest.Answer) (through int) {
			answers := make([]*apptest.Answer, len(send))
			var group sync.WaitGroup
			for i, f := range send {
				group.Go(func() { answers[i] = f() })
			}
			group.Wait()
			for _, answer := range answers {
				if answer.Header.Get("Location") == "/dashboard" {
					through++
				}
			}
			return through
		}
		var send []func() *apptest.Answer
		for range 4 {
			v := s.Visit(t)
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
			send = append(send, func() *apptest.Answer { return v.Post(apptest.SecondFactorPath, apptest.Fill("code", code)) })
		}
		code = a.Code()
		if n := storm(send); n != 1 {
			t.Errorf("one code signs in %d times", n)
		}

		v := s.Visit(t)
		v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		waiting, before := v.Cookie("sign_in"), len(s.Sessions())
		first, second := a.Code(), a.CodeIn(30*time.Second)
		send = nil
		for _, code := range []string{first, second} {
			v := s.Visit(t)
			v.SetCookie("sign_in", waiting)
			send = append(send, func() *apptest.Answer { return v.Post(apptest.SecondFactorPath, apptest.Fill("code", code)) })
		}
		if n := storm(send); n != 1 || len(s.Sessions()) != before+1 {
			t.Errorf("one sign-in begins %d sessions", len(s.Sessions())-before)
		}
	})
}

// TestSignInGoesOnInAnotherProcess begins to sign in at one process, and ends at another.
func TestSignInGoesOnInAnotherProcess(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s, other := apptest.NewSite(t, db), apptest.NewSite(t, db)
		a := s.JoinWithApp()
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		other.SetCookie("sign_in", s.Cookie("sign_in"))
		other.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code())).LeadsTo("/dashboard")
		s.Post(apptest.SecondFactorPath, apptest.Fill("code", a.CodeIn(30*time.Second))).LeadsTo("/sign-in")
	})
}

// TestCodesAreThrottled guesses codes in two processes.
func TestCodesAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		slow := func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 3, First: time.Minute, Longest: time.Hour, Forget: apptest.Day}
		}
		s, other := apptest.NewSite(t, db, slow), apptest.NewSite(t, db, slow)
		a := s.JoinWithApp()
		eve := []*apptest.Visitor{s.Visit(t), other.Visitor}
		for i := range 3 {
			v := eve[i%2]
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath) // a right password doesn't forget the guesses
			v.Post(apptest.SecondFactorPath, apptest.Fill("code", "000000")).Wants(http.StatusUnprocessableEntity)
		}
		for _, v := range eve {
			v.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code())).TooEarly()
			v.Post(apptest.SecondFactorPath, apptest.Fill("recovery_code", "aaaa-bbbb-cccc-dddd")).TooEarly()
		}
		s.SignIn(apptest.Anna, a) // from a browser that she has used before
	})
}

func TestReauthenticateWithSecondFactor(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		a := s.JoinWithApp()
		s.SignIn(apptest.Anna, a)
		page := s.Get("/account/email").Wants(http.StatusOK)
		s.AgePassword()
		// The password in the form is not enough.
		ask := asksForPassword(s.Submit(page, "form#change-email", apptest.NewEmail("new@example.com"), options...), "/account/email")
		for _, wrong := range []struct{ password, code, field, sentence string }{
			{apptest.Anna.Password, "", "current_code", "Enter a security code."},
			{apptest.Anna.Password, "000000", "current_code", wrongCode},
			{"wrong horse", a.Code(), "current_password", apptest.WrongPassword},
		} {
			typed := apptest.Fill("current_password", wrong.password, "current_code", wrong.code)
			ask = asksForPassword(s.Submit(ask, apptest.SudoForm, typed, options...), "/account/email").WantsErrors(map[string]string{wrong.field: wrong.sentence})
			if ask.Value("email") != "new@example.com" || ask.Value("current_code") != "" {
				ask.Failf("what was typed is gone, or the code came back")
			}
		}
		code := a.Code()
		s.Submit(ask, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password, "current_code", code), options...).Wants(http.StatusOK).Says("We sent a link to new@example.com.")
		s.AgePassword()
		ask = asksForPassword(s.Get("/account/delete"), "/account/delete")
		s.Submit(ask, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password, "current_code", code), options...).Wants(http.StatusForbidden).WantsErrors(map[string]string{"current_code": wrongCode})
	})
}

func TestSignInAgainWithSecondFactor(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		a := s.JoinWithApp()
		s.SignIn(apptest.Anna, a)
		page := s.Get("/account").Wants(http.StatusOK)
		end := func() { s.SetCookie("session", strings.Repeat("A", 43)) }
		end()
		ask := s.Submit(page, "form#account", apptest.Fill("first_name", "Augusta")).AsksToSignIn(http.StatusForbidden)
		ask = s.Submit(ask, again, againAs(apptest.Anna)).AsksToSignIn(http.StatusForbidden)
		for range 2 {
			if ask.Value("first_name") != "Augusta" || ask.Find("input[name=again_code]").Length() != 1 || s.User("anna.smith").FirstName != "Anna" {
				ask.Failf("the code isn't asked for, or what was typed is gone or stored")
			}
			ask = s.Submit(ask, again, apptest.Fill("again_code", "000000")).AsksToSignIn(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"again_code": wrongCode})
		}
		s.Submit(ask, again, apptest.Fill("again_code", a.Code())).LeadsTo("/account")
		if s.User("anna.smith").FirstName != "Augusta" || !s.SignedIn() {
			t.Error("the form isn't saved after the code")
		}

		// Under htmx the page keeps everything, and sends it again.
		page = s.Get("/account").Wants(http.StatusOK)
		end()
		profile := apptest.Fill("first_name", "Ada")
		ask = s.Submit(page, "form#account", profile, apptest.HTMX).AsksToSignIn(http.StatusForbidden)
		ask = s.Submit(ask, again, againAs(apptest.Anna), apptest.HTMX).Wants(http.StatusForbidden).Fragment(again)
		s.Submit(ask, again, apptest.Fill("again_code", a.Code()), apptest.HTMX).Wants(http.StatusNoContent).WantsHeader("HX-Trigger", "signed-in")
		s.Submit(page, "form#account", profile, apptest.HTMX).Wants(http.StatusOK)

		// One that waited too long begins again.
		end()
		ask = s.Submit(page, "form#account", profile).AsksToSignIn(http.StatusForbidden)
		ask = s.Submit(ask, again, againAs(apptest.Anna)).AsksToSignIn(http.StatusForbidden)
		s.SetTime("sign_ins", "expires_at", time.Now())
		ask = s.Submit(ask, again, apptest.Fill("again_code", a.Code())).AsksToSignIn(http.StatusUnprocessableEntity).Says("That took too long")
		if ask.Find("input[name=again_password]").Length() != 1 || ask.Value("first_name") != "Ada" {
			ask.Failf("it doesn't ask for the password again, or what was typed is gone")
		}
	})
}

func TestRecoveryCodesSignIn(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		a := s.JoinWithApp()
		s.SignIn(apptest.Anna, a)
		codes := s.RecoveryCodes()
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Deliver()
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		page := s.Get(apptest.SecondFactorPath).Wants(http.StatusOK)
		link := page.Find("#second-factor a").AttrOr("href", "")
		page = s.Get(link).Wants(http.StatusOK)
		s.Submit(page, apptest.SecondFactorForm, apptest.Fill("recovery_code", ""), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"recovery_code": "Enter a recovery code."})
		s.Submit(page, apptest.SecondFactorForm, apptest.Fill("recovery_code", "aaaa-bbbb-cccc-dddd"), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"recovery_code": wrongCode})
		s.Submit(page, apptest.SecondFactorForm, apptest.Fill("recovery_code", " "+strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))), options...).LeadsTo("/dashboard")
		if m := s.MailTo(apptest.Anna.Email, "A recovery code was used"); strings.Contains(m.Text, codes[3]) {
			t.Error("the mail repeats the code")
		}
		if got := s.Kinds(); !slices.Equal(got[len(got)-2:], []string{"recovery-code-used", "sign-in"}) {
			t.Errorf("the audit log has %v", got)
		}
		if s.Get("/account/recovery-codes").Says("9 recovery codes left").Find("#codes").Length() > 0 {
			t.Error("the codes are shown again")
		}
		v := s.Visit(t)
		v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		v.Post(apptest.SecondFactorPath, apptest.Fill("recovery_code", codes[3])).Wants(http.StatusUnprocessableEntity) // used
		s.RecoveryCodes()
		v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		v.Post(apptest.SecondFactorPath, apptest.Fill("recovery_code", codes[4])).Wants(http.StatusUnprocessableEntity) // of an old set
	})
}

// TestRecoveryCodesAreHashedLikePasswords also has a set of an earlier version, which
// stored a SHA-256 of each code. What is typed costs one hash, whether or not it is a code.
func TestRecoveryCodesAreHashedLikePasswords(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.SignIn(apptest.Anna, s.JoinWithApp())
		user := s.User(apptest.Anna.Username)
		waits := s.Visit(t)
		waits.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		try := func(code string) (a *apptest.Answer) {
			t.Helper()
			got := s.Hashes.During(func() { a = waits.Post(apptest.SecondFactorPath, apptest.Fill("recovery_code", code)) })
			if len(got) != 1 {
				t.Errorf("%q computes %v", code, got)
			}
			db.LiftThrottles(t.Context(), user)
			return a
		}
		const earlier = "k234-abcd-efgh-ijkl"
		for _, nobodys := range []string{"abcd-efgh-ijkl-mnop", earlier, "12345678"} {
			try(nobodys).Wants(http.StatusUnprocessableEntity)
		}

		sum := sha256.Sum256([]byte("recovery code of " + user.ID.String() + "\x00K234ABCDEFGHIJKL"))
		if _, err := db.Bun().ExecContext(t.Context(), "INSERT INTO recovery_codes (user_id, code_hash, created_at) VALUES (?, ?, ?)", user.ID, sum[:], time.Now()); err != nil {
			t.Fatal(err)
		}
		try("k234-abcd-efgh-ijk2").Wants(http.StatusUnprocessableEntity)
		try(earlier).LeadsTo("/dashboard")

		var codes []string
		if made := s.Hashes.During(func() { codes = s.RecoveryCodes() }); len(made) != 10 {
			t.Errorf("a set costs %d hashes", len(made))
		}
		stored, err := db.RecoveryCodes(t.Context(), user.ID)
		if err != nil {
			t.Fatal(err)
		}
		salts := map[string]bool{}
		for _, code := range stored {
			if parts := strings.Split(string(code.CodeHash), "$"); len(parts) == 6 && parts[1] == "argon2id" {
				salts[parts[4]] = true
			}
		}
		if len(salts) != 10 {
			t.Errorf("there are %d salts for 10 codes", len(salts))
		}
		waits.Post("/sign-out", nil)
		waits.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		for _, wrong := range []string{earlier, codes[0][:18] + "7", codes[1][:1] + codes[0][1:]} {
			if wrong != codes[0] { // which may end with 7
				try(wrong).Wants(http.StatusUnprocessableEntity)
			}
		}
		try(codes[9]).LeadsTo("/dashboard")
	})
}

func TestTrustedBrowser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		a := s.JoinWithApp()
		trust := func(v *apptest.Visitor, p apptest.Person) {
			t.Helper()
			v.Post("/sign-in", p.Credentials()).LeadsTo(apptest.SecondFactorPath)
			if !v.Get(apptest.SecondFactorPath).Says("Don't ask again on this browser for 30 days").Find("[name=trust]").Is("input[type=checkbox]") {
				t.Error("there is no checkbox")
			}
			v.Post(apptest.SecondFactorPath, apptest.Fill("code", a.Code(), "trust", "1")).LeadsTo("/dashboard")
			v.Post("/sign-out", nil).LeadsTo("/")
		}
		asks := func(v *apptest.Visitor, p apptest.Person, want bool) {
			t.Helper()
			to := "/dashboard"
			if want {
				to = apptest.SecondFactorPath
			}
			v.Post("/sign-in", p.Credentials()).LeadsTo(to)
		}
		before := s.Cookie("browser")
		trust(s.Visitor, apptest.Anna)
		if s.Cookie("browser") == before {
			t.Error("the mark from before is trusted")
		}
		old := s.Visit(t)
		old.SetCookie("browser", before)
		asks(old, apptest.Anna, true)
		asks(s.Visitor, apptest.Anna, false)
		page := s.Get("/account/sessions").Says("Trusted browsers").Says("Not asked for a code until").Says("This browser")

		// It ends when it is revoked, …
		revoke := page.Find("#browsers form").AttrOr("action", "")
		s.Post(revoke, nil).LeadsTo("/account/sessions")
		s.Post("/sign-out", nil).LeadsTo("/")
		asks(s.Visitor, apptest.Anna, true)
		// … after its time, …
		trust(s.Visitor, apptest.Anna)
		s.SetTime("browsers", "trusted_until", time.Now())
		asks(s.Visitor, apptest.Anna, true)
		// … when another browser signs out all others, …
		trust(s.Visitor, apptest.Anna)
		v := s.Visit(t)
		v.SignIn(apptest.Anna, a)
		v.Post("/account/sessions/end-others", nil).LeadsTo("/account/sessions")
		asks(s.Visitor, apptest.Anna, true)
		// … and with a new password.
		trust(s.Visitor, apptest.Anna)
		v.ChangePassword().LeadsTo("/account")
		anna := apptest.Anna
		anna.Password = apptest.AnotherPassword
		asks(s.Visitor, anna, true)
		trust(s.Visitor, anna)
		asks(s.Visitor, anna, false)
		s.Post("/sign-out", nil).LeadsTo("/")

		// It is not a factor if the site says so, nor for somebody else.
		never := apptest.NewSite(t, db, func(c *app.Config) { c.TrustBrowser = 0 })
		never.SetCookie("browser", s.Cookie("browser"))
		asks(never.Visitor, anna, true)
		if never.Get(apptest.SecondFactorPath).Find("[name=trust]").Length() > 0 {
			t.Error("trust is offered although it's off")
		}
		s.Join(apptest.Ben)
		a = s.AddAuthenticator()
		s.Post("/sign-out", nil).LeadsTo("/")
		asks(s.Visitor, apptest.Ben, true)
	})
}

// TestWaitingSignInsEnd counts those of one user, and purges them.
func TestWaitingSignInsEnd(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.JoinWithApp()
		for range 25 {
			s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
		}
		count := func() int {
			n, err := db.Bun().NewSelect().Model((*models.SignIn)(nil)).Count(context.WithoutCancel(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		}
		if n := count(); n != 20 {
			t.Errorf("%d wait, want 20", n)
		}
		s.SetTime("sign_ins", "expires_at", time.Now())
		if _, err := db.Purge(t.Context(), time.Hour); err != nil || count() != 0 {
			t.Error(err, count())
		}
	})
}

// TestWrongCodesAreTold guesses codes after the right password.
func TestWrongCodesAreTold(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 2, First: 30 * time.Second, Longest: time.Hour, Forget: apptest.Day}
		})
		s.JoinWithApp()
		s.Deliver()
		eve := s.Visit(t)
		guess := func() *apptest.Answer {
			eve.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo(apptest.SecondFactorPath)
			return eve.Post(apptest.SecondFactorPath, apptest.Fill("code", "000000"))
		}
		for range 2 {
			guess().Wants(http.StatusUnprocessableEntity)
		}
		s.NoMail()
		for range 3 {
			guess().TooEarly()
		}
		m := s.MailTo(apptest.Anna.Email, "Someone may know your password")
		if !strings.Contains(m.Text, "IP address: 127.0.0.1") {
			t.Errorf("the mail says %s", m.Text)
		}
		// Another wait within the hour is not told.
		if _, err := db.Bun().ExecContext(t.Context(), "UPDATE throttles SET until = ? WHERE kind = 'security code'", time.Now().UTC().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		guess().Wants(http.StatusUnprocessableEntity)
		guess().TooEarly()
		v := s.Visit(t)
		v.Submit(v.Get(m.Link).Wants(http.StatusOK), "form#not-me", nil).LeadsTo(m.Link)
		v.Get(m.Link).Wants(http.StatusOK).Says("No password works until you choose one.")
		factors, err := s.DB.Factors(t.Context(), s.User("anna.smith"))
		if err != nil || factors.Password || factors.Apps != 1 {
			t.Errorf("the password works, or the app is gone (%v)", err)
		}
		if waiting, err := db.SignInByToken(t.Context(), eve.Cookie("sign_in")); err == nil && waiting.ID != uuid.Nil {
			t.Error("the sign-in still waits")
		}
		s.MailTo(apptest.Anna.Email, apptest.ResetSubject)
	})
}
