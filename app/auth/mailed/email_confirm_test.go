package mailed_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
	"vestibule/templates/components"
)

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		deleted := s.Users()[0].CreatedAt.Add(14 * apptest.Day)
		banner := "Confirm your email address by " + components.FormatDate(deleted) + " to keep your account. We sent a link to anna@example.com. Check your spam folder, too."
		mail := s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
		for _, want := range []string{"the account anna.smith:", components.FormatTime(deleted)} {
			if !strings.Contains(mail.Text, want) {
				t.Errorf("the mail does not say %q: %s", want, mail.Text)
			}
		}
		link := mail.Link
		var page *apptest.Answer
		for range 2 { // a program that looks at mail opens it too
			page = s.Get(link).Wants(http.StatusOK).Page().WantsHeader("Cache-Control", "no-store").
				Says("Is anna@example.com your email address?").Says("This link is for the account anna.smith.")
		}
		if page.Find("input[type=password]").Length() > 0 {
			t.Error("it asks somebody signed in for the password")
		}
		if s.Users()[0].Verified() || s.Get("/account").Text(".banner p") != banner {
			t.Errorf("before the button is pressed, the banner says %q, want %q", s.Get("/account").Text(".banner p"), banner)
		}

		s.Submit(page, "form#verify", nil, options...).LeadsTo("/dashboard")
		after := s.Get("/dashboard").Says("Email address confirmed")
		if !s.Users()[0].Verified() || after.Find(".banner").Length() > 0 {
			t.Error("the email is not verified")
		}
		s.Submit(page, "form#verify", nil, options...).Gone()
		s.Get(link).Gone().Page()
		s.NoMail()
	})
}

// In a browser that isn't signed in, the link alone neither signs in nor confirms: the
// password shows that the account is the reader's.
func TestVerifyEmailInAnotherBrowser(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		phone := s.Visit(t)
		page := phone.Get(link).Wants(http.StatusOK).Page().WantsErrors(nil).WantsHeader("Cache-Control", "no-store").
			Says("Is anna@example.com your email address?").Says("This link is for the account anna.smith.")
		for typed, wrong := range map[string]string{"": "Enter your password.", apptest.AnotherPassword: "That isn't the password of this account."} {
			a := phone.Submit(page, "form#verify", apptest.Fill("password", typed), options...).
				Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"password": wrong})
			if a.Value("password") != "" || a.Value("token") != s.TokenOf(apptest.Mail{Link: link}) {
				t.Error("the password came back, or the token is lost")
			}
		}
		if phone.SignedIn() || s.User(apptest.Anna.Email).Verified() {
			t.Error("the link alone signs in, or confirms")
		}
		phone.Submit(page, "form#verify", apptest.Fill("password", apptest.Anna.Password), options...).LeadsTo("/dashboard")
		phone.Get("/dashboard").Wants(http.StatusOK).Says("Email address confirmed")
		if !s.User(apptest.Anna.Email).Verified() || !s.SignedIn() {
			t.Error("it does not confirm, or signs out who knew the password")
		}
		s.Submit(page, "form#verify", apptest.Fill("password", apptest.Anna.Password), options...).Gone()
		s.NoMail()
	})
}

// A stranger signs up with an address that isn't theirs. Whoever reads mail there gets
// the account without them.
func TestVerifyEmailOfAnAccountThatSomebodyElsePrepared(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna) // not Anna
		mail := s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
		s.Post("/account/email", apptest.NewEmail("evil@example.com")).Wants(http.StatusOK)
		evil := s.MailTo("evil@example.com", apptest.ChangeSubject)
		reset := "/reset-password?token=" + s.ResetToken(apptest.Anna.Email)

		v := s.Visit(t)
		to := v.Get(mail.Link).Find("main p.aside a").AttrOr("href", "")
		page := v.Get(to).Wants(http.StatusOK).Page().WantsErrors(nil).WantsHeader("Cache-Control", "no-store").
			Says("This link is for the account anna.smith.").
			Says("Close this page. The account will be deleted on " + components.FormatDate(s.Users()[0].CreatedAt.Add(14*apptest.Day)) + ".")
		before := s.Users()[0]
		for name, tt := range apptest.BadPasswords {
			a := v.Submit(page, "form#verify-password", tt.Typed, options...).Wants(http.StatusUnprocessableEntity).WantsErrors(tt.Wrong)
			if a.Value("password")+a.Value("confirm_password") != "" {
				t.Errorf("%s: the passwords came back", name)
			}
		}
		form := apptest.Fill("token", s.TokenOf(mail), "password", "sunshine")
		v.Leaves("/verify-email/password/check", "password", form, map[string]string{"password": apptest.TooCommon})
		if s.Users()[0] != before || !s.SignedIn() {
			t.Errorf("a bad password changes something: %+v", s.Users()[0])
		}

		v.Submit(page, "form#verify-password", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/dashboard")
		v.Get("/dashboard").Wants(http.StatusOK).Says("Password changed, other devices signed out")
		if s.SignedIn() || len(s.Sessions()) != 1 {
			t.Error("the stranger's session lives on")
		}
		if u := s.Users()[0]; !u.Verified() || u.Email != apptest.Anna.Email {
			t.Errorf("the user is %+v", u)
		}
		s.MailTo(apptest.Anna.Email, apptest.WasResetSubject)
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusUnprocessableEntity)
		s.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).LeadsTo("/dashboard")
		for _, void := range []string{mail.Link, to, evil.Link, reset} {
			s.Visit(t).Get(void).Gone()
		}
		v.Submit(page, "form#verify-password", apptest.Twice("another one altogether"), options...).Gone()
		s.Post("/verify-email/password/check?field=password", form, apptest.HTMX).Wants(http.StatusNoContent)
	})
}

// The password at a link is throttled as at sign-in.
func TestVerifyEmailByPasswordIsLimited(t *testing.T) {
	t.Parallel()
	three := models.Limit{Free: 3, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
	for name, change := range map[string]func(*app.Config){
		"account": func(c *app.Config) { c.LimitAccount = three },
		"address": func(c *app.Config) { c.LimitAddress = three },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
				s.Join(apptest.Anna)
				v := s.Visit(t)
				page := v.Get(s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link)
				for range 3 {
					v.Submit(page, "form#verify", apptest.Fill("password", apptest.AnotherPassword), options...).Wants(http.StatusUnprocessableEntity)
				}
				v.Submit(page, "form#verify", apptest.Fill("password", apptest.Anna.Password), options...).TooEarly()
				v.Post("/sign-in", apptest.Anna.Credentials(), options...).TooEarly()
				if s.Users()[0].Verified() {
					t.Error("it confirms all the same")
				}
			}, change)
		})
	}
}

// A link that is opened in a browser signed in to another account does nothing there. It
// says whose it is, and goes on after signing out.
func TestLinkActsForItsOwnUserAlone(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		mail := s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
		token := url.Values{"token": {s.TokenOf(mail)}}
		other := s.Visit(t)
		other.Join(apptest.Ben)
		for path, form := range map[string]url.Values{
			"/verify-email":          apptest.Fill("token", token.Get("token"), "password", apptest.Anna.Password),
			"/verify-email/password": apptest.With(apptest.Twice(apptest.AnotherPassword), "token", token.Get("token")),
		} {
			link := path + "?" + token.Encode()
			for _, a := range []*apptest.Answer{other.Get(link).Wants(http.StatusOK).Page(), other.Post(path, form, options...).Wants(http.StatusConflict)} {
				a.WantsHeader("Cache-Control", "no-store").Harmless().
					Says("It confirms an email address of the account anna.smith. You're signed in as benjamin, so nothing was confirmed.")
				if a.Find("main form:not([action='/sign-out'])").Length() > 0 {
					t.Error("there is a button that confirms")
				}
			}
			if s.User("benjamin").Verified() || s.User("anna.smith").Verified() || !s.SignedIn() || !other.SignedIn() {
				t.Error("the link does something")
			}
			switched := s.Visit(t)
			switched.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
			switched.Submit(switched.Get(link), "main form[action='/sign-out']", nil, options...).LeadsTo(link)
			switched.Get(link).Wants(http.StatusOK).Says("Signed out").Says("This link is for the account anna.smith.")
			if switched.SignedIn() || !other.SignedIn() {
				t.Error("the browser is still signed in, or another is not")
			}
		}
	})
}

func TestLinksThatAreNotGood(t *testing.T) {
	t.Parallel()
	bad := map[string]func(token, other string) string{
		"none":              func(string, string) string { return "" },
		"of another page":   func(_, other string) string { return other },
		"first char other":  func(token, _ string) string { return altered(token, 0) },
		"in between other":  func(token, _ string) string { return altered(token, 20) },
		"cut":               func(token, _ string) string { return token[:42] },
		"longer":            func(token, _ string) string { return token + "A" },
		"padded":            func(token, _ string) string { return token + "=" },
		"with a line break": func(token, _ string) string { return token[:20] + "\n" + token[20:] },
		"with NUL":          func(token, _ string) string { return token + "\x00" },
		"of zeros":          func(string, string) string { return strings.Repeat("A", 43) },
		"its hash":          func(token, _ string) string { return apptest.HashOf(token) },
		"not UTF-8":         func(string, string) string { return strings.Repeat("\xff", 43) },
		"SQL":               func(string, string) string { return "' OR 1=1 --" },
		"HTML":              func(string, string) string { return `"><script>alert(1)</script>` },
		"10 kB":             func(string, string) string { return strings.Repeat("A", 10_000) },
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		verify := s.TokenOf(s.MailTo(apptest.Anna.Email, apptest.VerifySubject))
		reset := s.ResetToken(apptest.Anna.Email)
		pages := map[string]struct{ token, other string }{
			"/verify-email":          {verify, reset},
			"/verify-email/password": {verify, reset},
			"/reset-password":        {reset, verify},
		}
		refuse := func(t *testing.T, path, token string) {
			t.Helper()
			typed := apptest.Fill("token", token, "password", apptest.AnotherPassword, "confirm_password", apptest.AnotherPassword)
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				s.Visit(t).Get(path+"?token="+url.QueryEscape(token), options...).Gone()
				s.Visit(t).Post(path, typed, options...).Gone()
			}
		}
		for path, tokens := range pages {
			for name, make := range bad {
				t.Run(path+" "+name, func(t *testing.T) { refuse(t, path, make(tokens.token, tokens.other)) })
			}
			t.Run(path+" good until it expires", func(t *testing.T) {
				s.SetTime("tokens", "expires_at", time.Now().Add(time.Minute))
				s.Visit(t).Get(path + "?token=" + tokens.token).Wants(http.StatusOK)
				s.SetTime("tokens", "expires_at", time.Now())
				refuse(t, path, tokens.token)
			})
		}
		if u := s.Users()[0]; u.Verified() || u.UpdatedAt != u.CreatedAt || len(s.Sessions()) != 1 {
			t.Error("a bad link changes something")
		}
	})
}

// altered returns token with another letter at i.
func altered(token string, i int) string {
	letter := "A"
	if token[i] == 'A' {
		letter = "B"
	}
	return token[:i] + letter + token[i+1:]
}

func TestTokensAreStoredAsHashes(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Post("/forgot-password", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		s.Post("/account/email", apptest.Fill("email", "new@example.com", "current_password", apptest.Anna.Password)).Wants(http.StatusOK)
		queued := s.Everything()
		mails := s.Deliver()
		if len(mails) != 3 {
			t.Fatalf("sent are %+v, want 3", mails)
		}
		stored := s.Everything()
		for _, l := range mails {
			token := s.TokenOf(l)
			secret, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil || len(secret) != 32 {
				t.Fatalf("the token %q holds %d bytes (%v), want 32", token, len(secret), err)
			}
			for _, tables := range []string{queued, stored} {
				if strings.Contains(tables, token) || strings.Contains(tables, string(secret)) {
					t.Errorf("the token of %q is stored", l.Subject)
				}
			}
		}
	})
}

func TestResendVerification(t *testing.T) {
	t.Parallel()
	const tooSoon = "We sent a link a moment ago. Check your inbox, or try again in a minute."
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		resend := func(status int, sentence string) *apptest.Answer {
			t.Helper()
			a := s.Post("/account/verify", nil, append(options, apptest.Header("Referer", s.URL+"/account"))...)
			if len(options) > 0 {
				return a.Wants(status).Says(sentence)
			}
			s.Get(a.LeadsTo("/account").Header.Get("Location")).Says(sentence)
			return a
		}
		s.Join(apptest.Anna)
		resend(http.StatusTooManyRequests, tooSoon).WantsHeader("Retry-After", "60") // the first waits to be sent
		first := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		resend(http.StatusTooManyRequests, tooSoon).WantsHeader("Retry-After", "60")

		s.SetTime("tokens", "created_at", time.Now().Add(-time.Minute))
		resend(http.StatusOK, "Link sent").WantsHeader("Retry-After", "")
		resend(http.StatusTooManyRequests, tooSoon)
		s.Get(first).Wants(http.StatusOK) // good until the second is sent
		second := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		s.Get(first).Gone()

		s.Submit(s.Get(second), "form#verify", nil).LeadsTo("/dashboard")
		resend(http.StatusOK, "Email address confirmed")
		s.NoMail()
	})
}

func TestVerifiedMeanwhileGetsNoMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		s.SetTime("tokens", "created_at", time.Now().Add(-time.Minute))
		s.Post("/account/verify", nil).LeadsTo("/dashboard")
		s.Submit(s.Get(link), "form#verify", nil).LeadsTo("/dashboard")
		s.NoMail()
	})
}

func TestStrangersCannotResend(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		if a := s.Post("/account/verify", nil, options...); len(options) > 0 {
			a.AsksToSignIn(http.StatusForbidden)
		} else {
			a.LeadsTo("/sign-in")
		}
	})
}

// TestVerifyEmailByCode opens the mail on a phone, and types its code on the laptop that is
// signed in.
func TestVerifyEmailByCode(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		const form, path = "form#verify-code", "/account/verify/code"
		enter := func(page *apptest.Answer, typed string) *apptest.Answer {
			t.Helper()
			return s.Submit(page, form, apptest.Fill("code", typed), options...)
		}
		wrong := func(a *apptest.Answer, sentence string) {
			t.Helper()
			a.Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": sentence})
		}
		s.Join(apptest.Anna)
		m := s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		s.Deliver()
		wrong(ben.Post(path, apptest.Fill("code", m.Code), options...), wrongMailedCode)
		page := s.Get(s.Get("/dashboard").Find(".banner a[href='/account/verify/code']").AttrOr("href", "")).Wants(http.StatusOK).Page().Harmless()
		for range models.MaxCodeTries {
			wrong(enter(page, "0000-0000"), wrongMailedCode)
		}
		wrong(enter(page, m.Code), spentMailedCode)
		s.SetTime("tokens", "created_at", time.Now().Add(-time.Hour))
		s.Post("/account/verify", nil)
		old, m := m, s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
		wrong(enter(page, old.Code), wrongMailedCode)
		enter(page, m.Code).LeadsTo("/dashboard")
		u := s.User("anna.smith")
		if !u.Verified() || !u.HasPassword() || !s.SignedIn() {
			t.Error("the address is not confirmed, or something else has changed")
		}
		s.Get(m.Link).Gone()
		s.Get(path).LeadsTo("/account/email")

		// So is another address.
		page = s.Post("/account/email", apptest.NewEmail("new@example.com"), options...).Wants(http.StatusOK)
		m = s.MailTo("new@example.com", apptest.ChangeSubject)
		wrong(enter(page, "0000-0000"), wrongMailedCode)
		page = s.Get("/account/email").Wants(http.StatusOK)
		s.Post("/account/email/cancel", nil)
		enter(page, m.Code).Gone()
		s.Post("/account/email", apptest.NewEmail("new@example.com"), options...).Wants(http.StatusOK)
		m = s.MailTo("new@example.com", apptest.ChangeSubject)
		enter(page, m.Code).LeadsTo("/account/email")
		s.MailTo(apptest.Anna.Email, apptest.ChangedSubject)
		if u := s.User("anna.smith"); u.Email != "new@example.com" || !u.Verified() {
			t.Errorf("the address is %s", u.Email)
		}
	}, many)
}

// A stranger signs up with somebody's address and waits. Whoever proves the address gets
// the account without the stranger's passkey.
func TestPasskeyOfAStrangerWhoWaits(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		strangers := s.SecurityKey()
		s.JoinWith(apptest.Anna, strangers).LeadsTo("/dashboard")
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link

		owner := s.Visit(t)
		page := owner.Get(link).Wants(http.StatusOK).Page().Says("Is " + apptest.Anna.Email + " your email address?")
		others := s.SecurityKey()
		s.Visit(t).JoinWith(apptest.Ben, others).LeadsTo("/dashboard")
		owner.Submit(page, "form#verify", apptest.Fill("credential", others.Sign(owner.Post("/sign-in/passkey", nil))), options...).
			Wants(http.StatusUnprocessableEntity).Says("This passkey is for another account.")
		chosen := owner.Get(page.Find(".aside a").AttrOr("href", "")).Wants(http.StatusOK)
		owner.Submit(chosen, "form:has([name=password])", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/dashboard")
		if u := s.User(apptest.Anna.Email); !u.Verified() || !u.HasPassword() || s.SignedIn() {
			t.Errorf("the user is %+v, or the stranger is still signed in", u)
		}
		s.SignInWith(strangers).Wants(http.StatusUnprocessableEntity).Says("We don't know this passkey.")
	}, apptest.OnLocalhost)
}

func TestConfirmEmailWithAPasskey(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		key := s.SecurityKey()
		s.JoinWith(apptest.Anna, key).LeadsTo("/dashboard")
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		v := s.Visit(t) // on another device
		page := v.Get(link).Wants(http.StatusOK).Page()
		if page.Find("[type=password]").Length() > 0 {
			page.Failf("it asks for a password that there isn't")
		}
		v.Submit(page, "form#verify", apptest.Fill("problem", "NotAllowedError"), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(nil).Says("The request was canceled")
		v.Submit(page, "form#verify", apptest.Fill("credential", key.Sign(v.Post("/sign-in/passkey", nil))), options...).LeadsTo("/dashboard")
		if !s.User(apptest.Anna.Username).Verified() || !v.SignedIn() || !s.SignedIn() || len(s.Passkeys()) != 1 {
			t.Error("the address isn't confirmed, or somebody is signed out")
		}
		v.Get(link).Gone()
	}, apptest.OnLocalhost)
}
