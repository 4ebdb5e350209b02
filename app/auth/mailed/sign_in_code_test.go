package mailed_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const (
	signInCode      = "/sign-in/code"
	codeSubject     = "Your code to sign in"
	wrongMailedCode = "That code is wrong, or no longer works. Check the newest mail, or ask for another code."
	spentMailedCode = "That was wrong too often. Ask for another code."
	otherBrowser    = "This browser hasn't asked for a code lately. Enter it where you asked for it, or ask for another code here."
)

// table is the first table of a query.
var table = regexp.MustCompile(`"?[a-z_]+"? AS "?[a-z]+"?|INTO "[a-z_]+"`)

// mailedCode makes v ask for a code to that address, and returns the mail.
func mailedCode(v *apptest.Visitor, email string) apptest.Mail {
	v.T.Helper()
	v.Post(signInCode, apptest.Fill("email", email)).Wants(http.StatusOK)
	return v.Site.MailTo(email, codeSubject)
}

// code is the form with a mailed code.
func code(code string) url.Values { return apptest.Fill("code", code, "cookies_expected", "1") }

func TestSignInCode(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()

		// From the page to sign in, by typing the code as people do.
		page := s.Get("/sign-in?next=/account")
		page = s.Get(page.Find("main a[href^='/sign-in/code']").AttrOr("href", "")).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store")
		s.Submit(page, "form#ask-code", apptest.Fill("email", "anna"), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": apptest.WantsAddress})
		sent := s.Submit(page, "form#ask-code", apptest.Fill("email", "ANNA@Example.com"), options...).Wants(http.StatusOK).
			Says("If there's an account for ANNA@Example.com, we've sent a code to it. The code works for 10 minutes.")
		m := s.MailTo(apptest.Anna.Email, codeSubject)
		if all := s.Dump("codes"); strings.Contains(all, m.Code) || strings.Contains(all, strings.ReplaceAll(m.Code, "-", "")) || strings.Contains(all, s.Cookie("code")) || !strings.Contains(all, "$argon2id$") {
			t.Errorf("the database has %s", all)
		}
		for typed, wrong := range map[string]string{"": "Enter the 8 letters and digits of the code.", "ABCD-EFG": "Enter the 8 letters and digits of the code.", "0000-0000": wrongMailedCode} {
			s.Submit(sent, "form#enter-code", apptest.Fill("code", typed), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": wrong})
		}
		if s.SignedIn() {
			t.Fatal("a wrong code signs in")
		}
		typed := " " + strings.ToLower(strings.ReplaceAll(m.Code, "-", " ")) + " "
		used := s.Cookie("code")
		s.Submit(sent, "form#enter-code", apptest.Fill("code", typed), options...).LeadsTo("/account").Clears("code")
		s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
		if !s.SignedIn() || s.Dump("codes") != "" || !s.User("anna.smith").HasPassword() {
			t.Error("nobody is signed in, the code is still there, or the password is gone")
		}

		// It works once.
		s.Post("/sign-out", nil).LeadsTo("/")
		s.SetCookie("code", used)
		s.Post(signInCode, code(m.Code), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": wrongMailedCode})

		// The link is a button in the browser that asked. Another shows the code.
		s.Post(signInCode+"?next=/account/sessions", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		m = s.MailTo(apptest.Anna.Email, codeSubject)
		phone := s.Visit(t)
		page = phone.Get(m.Link).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("Enter this code in the browser in which you asked for it:").Says(m.Code)
		if page.Find("main form").Length() > 0 {
			page.Failf("it has a form")
		}
		phone.Post(signInCode, code(m.Code), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": otherBrowser})
		page = s.Get(m.Link).Wants(http.StatusOK).Page().Harmless().Says("You asked for a code for anna@example.com in this browser.")
		if phone.SignedIn() || s.SignedIn() {
			t.Error("opening the link signs in")
		}
		s.Submit(page, "form#enter-code", nil, options...).LeadsTo("/account/sessions")
		if got := strings.Join(s.Kinds(), " "); got != "sign-up sign-in-failed sign-in sign-out sign-in-failed sign-in" {
			t.Errorf("the events are %s", got)
		}

		// Whoever is signed in meanwhile keeps their session.
		ben := s.Visit(t)
		m = mailedCode(ben, apptest.Anna.Email)
		ben.Join(apptest.Ben)
		ben.Post(signInCode, code(m.Code), options...).Wants(http.StatusConflict).Says("You're signed in as benjamin now.")
		ben.Get("/account").Says("Ben Jones")
	}, many)
}

// TestSignInCodeDoesNotTellWhoHasAnAccount compares answers, queries and hashes.
func TestSignInCodeDoesNotTellWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := forgetful(t, db)
		answers, queries := map[string]bool{}, map[string]bool{}
		for name, tt := range addresses {
			v := s.Visit(t)
			var a *apptest.Answer
			asked := q.During(func() { a = v.Post(signInCode, apptest.Fill("email", tt.typed)) })
			if len(asked) != 1 || !strings.HasPrefix(asked[0], `INSERT INTO "mails"`) || strings.Contains(asked[0], "users") {
				t.Errorf("%s: the database is asked %q, want one INSERT", name, asked)
			}
			answers[named.ReplaceAllString(a.Wants(http.StatusOK).Harmless().Body, "")] = true
			if tt.mailed == "" {
				s.NoMail()
			} else {
				s.MailTo(tt.mailed, codeSubject)
			}
			for range models.MaxCodeTries {
				hashes := s.Hashes.During(func() {
					asked = q.During(func() { a = v.Post(signInCode, code("0000-0000")) })
				})
				if len(hashes) != 1 {
					t.Errorf("%s: it computes %v", name, hashes)
				}
				answers["wrong: "+named.ReplaceAllString(a.Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": wrongMailedCode}).Body, "")] = true
				var shapes []string
				for _, query := range asked {
					verb, rest, _ := strings.Cut(query, " ")
					shapes = append(shapes, verb+" "+table.FindString(rest))
				}
				queries[strings.Join(shapes, "\n")] = true
			}
			a = v.Post(signInCode, code("0000-0000")).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": spentMailedCode})
			answers["spent: "+named.ReplaceAllString(a.Body, "")] = true
			link := v.Get(signInCode + "?code=0000-0000")
			answers["link: "+named.ReplaceAllString(link.Body, "")] = true
		}
		if len(answers) != 4 {
			t.Errorf("there are %d different answers, want 4", len(answers))
		}
		if len(queries) != 1 {
			t.Errorf("the queries differ: %q", slices.Collect(maps.Keys(queries)))
		}
	})
}

func TestSignInCodeRefuses(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		tests := map[string]struct {
			// before spoils the code of m, which the visitor has asked for.
			before func(s *apptest.Site, v *apptest.Visitor, m apptest.Mail)
			wrong  string
		}{
			"after ten minutes": {func(s *apptest.Site, _ *apptest.Visitor, _ apptest.Mail) {
				s.SetTime("codes", "expires_at", time.Now())
			}, wrongMailedCode},
			"after a newer one": {func(_ *apptest.Site, v *apptest.Visitor, _ apptest.Mail) { mailedCode(v, apptest.Anna.Email) }, wrongMailedCode},
			"after a newer one that another browser asked for": {func(s *apptest.Site, _ *apptest.Visitor, _ apptest.Mail) {
				mailedCode(s.Visit(s.T), apptest.Anna.Email)
			}, wrongMailedCode},
			"after five tries": {func(_ *apptest.Site, v *apptest.Visitor, _ apptest.Mail) {
				for range models.MaxCodeTries {
					v.Post(signInCode, code("0000-0000")).Wants(http.StatusUnprocessableEntity)
				}
			}, spentMailedCode},
			"with the address of another browser's cookie": {func(s *apptest.Site, v *apptest.Visitor, _ apptest.Mail) {
				secret, _, _ := strings.Cut(v.Cookie("code"), ".")
				v.SetCookie("code", secret+"."+base64.RawURLEncoding.EncodeToString([]byte(apptest.Ben.Email)))
			}, wrongMailedCode},
			"without the cookie": {func(_ *apptest.Site, v *apptest.Visitor, _ apptest.Mail) { v.SetCookie("code", "") }, otherBrowser},
			"of somebody disabled since": {func(s *apptest.Site, _ *apptest.Visitor, _ apptest.Mail) {
				if err := s.DB.DisableUser(s.T.Context(), s.User("anna.smith")); err != nil {
					s.T.Fatal(err)
				}
			}, wrongMailedCode},
			"of somebody with another password since": {func(s *apptest.Site, _ *apptest.Visitor, _ apptest.Mail) {
				s.Visit(s.T).Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.ResetToken(apptest.Anna.Email))).LeadsTo("/dashboard")
			}, wrongMailedCode},
			"of somebody with another address since": {func(s *apptest.Site, _ *apptest.Visitor, _ apptest.Mail) {
				anna := s.Visit(s.T)
				anna.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
				s.Deliver()
				changeEmail(anna, apptest.Anna.Password, "new@example.com")
			}, wrongMailedCode},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s := apptest.NewSite(t, db, many)
				s.Visit(t).Join(apptest.Anna)
				s.Confirmed()
				s.Deliver()
				v := s.Visit(t)
				m := mailedCode(v, apptest.Anna.Email)
				tt.before(s, v, m)
				v.Post(signInCode, code(m.Code)).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": tt.wrong})
				if v.SignedIn() {
					t.Error("it signs in")
				}
				if err := db.DeleteUser(t.Context(), s.User("anna.smith")); err != nil {
					t.Fatal(err)
				}
				s.Deliver()
			})
		}
	})
}

func TestSignInCodeIsThrottled(t *testing.T) {
	t.Parallel()
	two := models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: apptest.Day}
	ask := func(email string) func(*apptest.Visitor) *apptest.Answer {
		return func(v *apptest.Visitor) *apptest.Answer { return v.Post(signInCode, apptest.Fill("email", email)) }
	}
	try := func(email string) func(*apptest.Visitor) *apptest.Answer {
		return func(v *apptest.Visitor) *apptest.Answer {
			ask(email)(v).Wants(http.StatusOK)
			return v.Post(signInCode, code("0000-0000"))
		}
	}
	tests := map[string]struct {
		limit func(*app.Config)
		try   []func(*apptest.Visitor) *apptest.Answer // of which the third is too early
	}{
		"asking for an address":  {func(c *app.Config) { c.LimitMail = two }, []func(*apptest.Visitor) *apptest.Answer{ask("anna@example.com"), ask("an.na+x@example.com"), ask("ANNA@example.com")}},
		"asking from a network":  {func(c *app.Config) { c.LimitSignUp = two }, []func(*apptest.Visitor) *apptest.Answer{ask("a@example.com"), ask("b@example.com"), ask("c@example.com")}},
		"trying from a network":  {func(c *app.Config) { c.LimitAddress = two }, []func(*apptest.Visitor) *apptest.Answer{try("a@example.com"), try("b@example.com"), try("c@example.com")}},
		"trying a known account": {func(c *app.Config) { c.LimitAccount = two }, []func(*apptest.Visitor) *apptest.Answer{try("anna@example.com"), try("anna@example.com"), try("Anna@example.com")}},
		"trying an unknown one":  {func(c *app.Config) { c.LimitAccount = two }, []func(*apptest.Visitor) *apptest.Answer{try("carol@example.com"), try("carol@example.com"), try("Carol@example.com")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, tt.limit)
				s.Visit(t).Join(apptest.Anna)
				s.Deliver()
				for i, try := range tt.try {
					a := try(s.Visit(t))
					s.Deliver()
					if i < 2 && a.StatusCode == http.StatusTooManyRequests {
						t.Errorf("try %d is too early", i+1)
					} else if i == 2 {
						a.TooEarly()
					}
				}
			})
		})
	}
}

// TestSignInCodeEndsWhatWasPrepared has Eve sign up with Anna's address.
func TestSignInCodeEndsWhatWasPrepared(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost)
		eve := s.Visit(t)
		eve.Join(apptest.Anna)
		eve.AddAuthenticator()
		eve.RecoveryCodes()
		eve.AddPasskey(s.SecurityKey())
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		if err := db.AddIdentity(t.Context(), s.User("anna.smith"), &models.Identity{Provider: "acme", Issuer: "acme", Subject: "eve"}, "Acme"); err != nil {
			t.Fatal(err)
		}
		m := mailedCode(s.Visitor, apptest.Anna.Email)
		if strings.Contains(m.Text, "Hello Anna") {
			t.Error("the mail greets with a name that a stranger chose")
		}
		s.LeadsBack(s.Post(signInCode, code(m.Code)), "/dashboard", "Signed in. Your email address wasn't confirmed before, so we removed the password and the devices that this account had.")
		u := s.User("anna.smith")
		if eve.SignedIn() || !s.SignedIn() || u.HasPassword() || !u.Verified() || s.Dump("authenticators")+s.Dump("recovery_codes")+s.Dump("passkeys")+s.Dump("identities") != "" || len(s.Sessions()) != 1 {
			t.Error("something of Eve is left")
		}
		eve.Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusUnprocessableEntity)
		s.Get(link).Gone()
	})
}

func TestSignInCodeAsksForTheSecondFactor(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		a := s.JoinWithApp()
		s.Deliver()
		v := s.Visit(t)
		signIn := func() *apptest.Answer {
			t.Helper()
			v.Post(signInCode+"?next=/account", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
			return v.Post(signInCode, code(s.MailTo(apptest.Anna.Email, codeSubject).Code), options...)
		}
		signIn().LeadsTo(apptest.SecondFactorPath + "?next=%2Faccount").Keeps("session")
		if v.SignedIn() {
			t.Error("a mailed code alone signs in")
		}
		v.Post(apptest.SecondFactorPath+"?next=/account", apptest.Fill("code", a.Code(), "trust", "1"), options...).LeadsTo("/account")
		s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
		v.Post("/sign-out", nil).LeadsTo("/")
		signIn().LeadsTo("/account") // a trusted browser, as after a password
	}, many)
}

// TestConfirmByMailedCode has neither a password nor a passkey.
func TestConfirmByMailedCode(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Anna)
		s.Deliver()
		s.Post(signInCode, code(mailedCode(s.Visitor, apptest.Anna.Email).Code)).LeadsTo("/dashboard") // which ends the password
		s.Deliver()
		confirm := func(asked *apptest.Answer) *apptest.Answer {
			t.Helper()
			sent := s.Submit(asked.Wants(http.StatusForbidden), "form[action^='/sign-in/code']", nil).Wants(http.StatusOK).Page().Says("anna@example.com")
			return s.Submit(sent, "form#enter-code", apptest.Fill("code", s.MailTo(apptest.Anna.Email, codeSubject).Code), options...)
		}

		// A page opens after that, and a form that takes no password is sent.
		s.AgePassword()
		confirm(s.Get("/account/email").Says("Sign in again to continue.")).LeadsTo("/account/email")
		page := s.Get("/account/email").Wants(http.StatusOK)
		if n := len(s.Sessions()); n != 1 {
			t.Errorf("there are %d sessions", n)
		}

		// What was typed stays in its tab.
		s.AgePassword()
		asked := s.Submit(page, "form#change-email", apptest.Fill("email", "new@example.com"), options...).Wants(http.StatusForbidden).Says("Confirm it's you in another tab, then come back here to continue.")
		if target := asked.Find("form[action^='/sign-in/code']").AttrOr("target", ""); target != "_blank" {
			asked.Failf("it opens in %q", target)
		}
		s.Submit(asked, apptest.SudoForm, nil, options...).Wants(http.StatusForbidden).Says("First confirm it's you in the other tab.")
		confirm(asked).LeadsTo("/account/security")
		s.Submit(asked, apptest.SudoForm, nil, options...).Wants(http.StatusOK).Says("We sent a link to new@example.com.")

		// Nobody gets a code at an address that isn't confirmed, which would end the account as it is.
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		s.Deliver()
		ben.Post(signInCode, apptest.Fill("email", apptest.Anna.Email), options...).Wants(http.StatusForbidden).Says("We email codes only to confirmed addresses.")
		s.NoMail()
	}, many)
}
