package auth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSignUpQueuesOneMail(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Post("/sign-up", apptest.With(apptest.Anna.Form(), "email", "anna@"), options...).Wants(http.StatusUnprocessableEntity)
		if mails := s.Queue(); len(mails) > 0 {
			t.Fatalf("a sign-up that failed queues %+v", mails)
		}
		s.Post("/sign-up", apptest.With(apptest.Anna.Form(), "email", "Anna@Example.com"), options...).LeadsTo("/dashboard")
		s.Visit(t).Post("/sign-up", apptest.With(apptest.Anna.Form(), "username", "someone"), options...).Wants(http.StatusUnprocessableEntity)
		if mails := s.Queue(); len(mails) != 1 || mails[0].Kind != models.MailVerifyEmail || mails[0].Recipient != "Anna@Example.com" || mails[0].UserID != s.Users()[0].ID {
			t.Errorf("the queue holds %+v", mails)
		}
		s.MailTo("Anna@Example.com", apptest.VerifySubject)
	})
}

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	const banner = "Confirm your email address. We sent a link to anna@example.com."
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		var page *apptest.Answer
		for range 2 { // a program that looks at mail opens it too
			page = s.Get(link).Wants(http.StatusOK).Page().WantsHeader("Cache-Control", "no-store").Says("Is anna@example.com your email address?")
		}
		if s.Users()[0].Verified() || !strings.HasPrefix(s.Get("/account").Text(".banner p"), banner) {
			t.Errorf("before the button is pressed, the banner says %q", s.Get("/account").Text(".banner p"))
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

func TestVerifyEmailInAnotherBrowser(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		stranger := s.Visit(t)
		stranger.Submit(stranger.Get(link), "form#verify", nil, options...).LeadsTo("/sign-in")
		stranger.Get("/sign-in").Says("Email address confirmed")
		if stranger.SignedIn() || !s.User(apptest.Anna.Email).Verified() {
			t.Error("the link signs in, or does not verify")
		}
	})
}

func TestLinkActsForItsOwnUserAlone(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		other := s.Visit(t)
		other.Join(apptest.Ben)
		other.Submit(other.Get(link), "form#verify", nil, options...).LeadsTo("/dashboard")
		if s.User("benjamin").Verified() || !s.User("anna.smith").Verified() {
			t.Error("the link verifies who opens it")
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
			"/verify-email":   {verify, reset},
			"/reset-password": {reset, verify},
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
		letters := s.Deliver()
		if len(letters) != 3 {
			t.Fatalf("sent are %+v, want 3", letters)
		}
		stored := s.Everything()
		for _, l := range letters {
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
		s.Post("/account/verify", nil, options...).LeadsTo("/sign-in")
	})
}
