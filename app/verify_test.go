package app_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSignUpQueuesOneMail(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.post("/sign-up", with(anna(), "email", "anna@"), options...).wants(http.StatusUnprocessableEntity)
		if mails := s.queue(); len(mails) > 0 {
			t.Fatalf("a sign-up that failed queues %+v", mails)
		}
		s.post("/sign-up", with(anna(), "email", "Anna@Example.com"), options...).leadsTo("/dashboard")
		s.visit(t).post("/sign-up", with(anna(), "username", "someone"), options...).wants(http.StatusUnprocessableEntity)
		if mails := s.queue(); len(mails) != 1 || mails[0].Kind != models.MailVerifyEmail || mails[0].Recipient != "Anna@Example.com" || mails[0].UserID != s.users()[0].ID {
			t.Errorf("the queue holds %+v", mails)
		}
		s.letterTo("Anna@Example.com", verifySubject)
	})
}

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	const banner = "Confirm your e-mail: we sent a link to anna@example.com."
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		link := s.letterTo(annasEmail, verifySubject).link
		var page *answer
		for range 2 { // a program that looks at mail opens it too
			page = s.get(link).wants(http.StatusOK).page().wantsHeader("Cache-Control", "no-store").says("Is anna@example.com your e-mail?")
		}
		if s.users()[0].Verified() || s.get("/account").text(".banner p") != banner {
			t.Errorf("before the button is pressed, the banner says %q", s.get("/account").text(".banner p"))
		}

		s.submit(page, "form#verify", nil, options...).leadsTo("/dashboard")
		after := s.get("/dashboard").says("Your e-mail is confirmed.")
		if !s.users()[0].Verified() || after.find(".banner").Length() > 0 {
			t.Error("the e-mail is not verified")
		}
		s.submit(page, "form#verify", nil, options...).gone()
		s.get(link).gone().page()
		s.noLetter()
	})
}

func TestVerifyEmailInAnotherBrowser(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		link := s.letterTo(annasEmail, verifySubject).link
		stranger := s.visit(t)
		stranger.submit(stranger.get(link), "form#verify", nil, options...).leadsTo("/sign-in")
		stranger.get("/sign-in").says("Your e-mail is confirmed.")
		if stranger.signedIn() || !s.user(annasEmail).Verified() {
			t.Error("the link signs in, or does not verify")
		}
	})
}

func TestLinkActsForItsOwnUserAlone(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		link := s.letterTo(annasEmail, verifySubject).link
		other := s.visit(t)
		other.join(ben())
		other.submit(other.get(link), "form#verify", nil, options...).leadsTo("/dashboard")
		if s.user("benjamin").Verified() || !s.user("anna.smith").Verified() {
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
		"its hash":          func(token, _ string) string { return hashOf(token) },
		"not UTF-8":         func(string, string) string { return strings.Repeat("\xff", 43) },
		"SQL":               func(string, string) string { return "' OR 1=1 --" },
		"HTML":              func(string, string) string { return `"><script>alert(1)</script>` },
		"10 kB":             func(string, string) string { return strings.Repeat("A", 10_000) },
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		verify := s.tokenOf(s.letterTo(annasEmail, verifySubject))
		reset := s.resetToken(annasEmail)
		pages := map[string]struct{ token, other string }{
			"/verify-email":   {verify, reset},
			"/reset-password": {reset, verify},
		}
		refuse := func(t *testing.T, path, token string) {
			t.Helper()
			typed := fill("token", token, "password", anotherPassword, "confirm_password", anotherPassword)
			for _, options := range [][]option{nil, {htmx}} {
				s.visit(t).get(path+"?token="+url.QueryEscape(token), options...).gone()
				s.visit(t).post(path, typed, options...).gone()
			}
		}
		for path, tokens := range pages {
			for name, make := range bad {
				t.Run(path+" "+name, func(t *testing.T) { refuse(t, path, make(tokens.token, tokens.other)) })
			}
			t.Run(path+" good until it expires", func(t *testing.T) {
				s.setTime("tokens", "expires_at", time.Now().Add(time.Minute))
				s.visit(t).get(path + "?token=" + tokens.token).wants(http.StatusOK)
				s.setTime("tokens", "expires_at", time.Now())
				refuse(t, path, tokens.token)
			})
		}
		if u := s.users()[0]; u.Verified() || u.UpdatedAt != u.CreatedAt || len(s.sessions()) != 1 {
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
		s := newSite(t, db)
		s.join(anna())
		s.post("/forgot-password", fill("email", annasEmail)).wants(http.StatusOK)
		s.post("/account/email", fill("email", "new@example.com", "current_password", annasPassword)).wants(http.StatusOK)
		queued := s.everything()
		letters := s.deliver()
		if len(letters) != 3 {
			t.Fatalf("sent are %+v, want 3", letters)
		}
		stored := s.everything()
		for _, l := range letters {
			token := s.tokenOf(l)
			secret, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil || len(secret) != 32 {
				t.Fatalf("the token %q holds %d bytes (%v), want 32", token, len(secret), err)
			}
			for _, tables := range []string{queued, stored} {
				if strings.Contains(tables, token) || strings.Contains(tables, string(secret)) {
					t.Errorf("the token of %q is stored", l.subject)
				}
			}
		}
	})
}

func TestResendVerification(t *testing.T) {
	t.Parallel()
	const tooSoon = "A link was sent a moment ago. Look into your inbox, or try again in a minute."
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		resend := func(status int, sentence string) *answer {
			t.Helper()
			a := s.post("/account/verify", nil, append(options, header("Referer", s.url+"/account"))...)
			if len(options) > 0 {
				return a.wants(status).says(sentence)
			}
			s.get(a.leadsTo("/account").Header.Get("Location")).says(sentence)
			return a
		}
		s.join(anna())
		resend(http.StatusTooManyRequests, tooSoon).wantsHeader("Retry-After", "60") // the first waits to be sent
		first := s.letterTo(annasEmail, verifySubject).link
		resend(http.StatusTooManyRequests, tooSoon).wantsHeader("Retry-After", "60")

		s.setTime("tokens", "created_at", time.Now().Add(-time.Minute))
		resend(http.StatusOK, "A new link is on its way to you.").wantsHeader("Retry-After", "")
		resend(http.StatusTooManyRequests, tooSoon)
		s.get(first).wants(http.StatusOK) // good until the second is sent
		second := s.letterTo(annasEmail, verifySubject).link
		s.get(first).gone()

		s.submit(s.get(second), "form#verify", nil).leadsTo("/dashboard")
		resend(http.StatusOK, "Your e-mail is confirmed.")
		s.noLetter()
	})
}

func TestVerifiedMeanwhileGetsNoMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		link := s.letterTo(annasEmail, verifySubject).link
		s.setTime("tokens", "created_at", time.Now().Add(-time.Minute))
		s.post("/account/verify", nil).leadsTo("/dashboard")
		s.submit(s.get(link), "form#verify", nil).leadsTo("/dashboard")
		s.noLetter()
	})
}

func TestStrangersCannotResend(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.post("/account/verify", nil, options...).leadsTo("/sign-in")
	})
}
