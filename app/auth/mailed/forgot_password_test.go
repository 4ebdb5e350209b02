package mailed_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// addresses are what a person types who forgot the password, and who then gets
// a mail, on a site with anna@example.com, straße@example.com and the disabled
// ben@example.com.
var addresses = map[string]struct{ typed, mailed string }{
	"known":                           {"anna@example.com", apptest.Anna.Email},
	"in another case":                 {"ANNA@Example.COM", apptest.Anna.Email},
	"with spaces around":              {" anna@example.com\t", apptest.Anna.Email},
	"unknown":                         {"carol@example.com", ""},
	"of somebody disabled":            {"ben@example.com", ""},
	"the same when folded":            {"STRASSE@example.com", "straße@example.com"},
	"a username with a host":          {"anna.smith@example.com", ""},
	"a Cyrillic letter":               {"аnna@example.com", ""},
	"a pattern":                       {"%@example.com", ""},
	"hostile":                         {"'onfocus='x&y@example.com", ""},
	"as long as an address can be":    {apptest.EmailOf(254), ""},
	"a part of one":                   {"nna@example.com", ""},
	"with another's address as a tag": {"anna+x@example.com", ""},
}

// forgetful is that site.
func forgetful(t *testing.T, db *models.DB) *apptest.Site {
	t.Helper()
	s := apptest.NewSite(t, db)
	s.Visit(t).Join(apptest.Anna)
	s.Visit(t).JoinAs(apptest.With(apptest.Anna.Form(), "username", "sharp.s", "email", "straße@example.com"))
	s.Visit(t).Join(apptest.Ben)
	if err := db.DisableUser(t.Context(), s.User("benjamin")); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	return s
}

// named is the address in the answer to a person who forgot the password.
var named = regexp.MustCompile(`<strong>[^<]*</strong>|name="email" value="[^"]*"`)

func TestForgotPasswordDoesNotTellWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				q := apptest.Watch(db)
				s := forgetful(t, db)
				bodies := map[string]bool{}
				for name, tt := range addresses {
					var a *apptest.Answer
					asked := q.During(func() { a = s.Post("/forgot-password", apptest.Fill("email", tt.typed), options...) })
					if len(asked) != 1 || !strings.HasPrefix(asked[0], `INSERT INTO "mails"`) || strings.Contains(asked[0], "users") {
						t.Errorf("%s: the database is asked %q, want one INSERT", name, asked)
					}
					a.Wants(http.StatusOK).Harmless().Says("we've sent a link to reset its password.")
					if shown := a.Text(".callout strong"); shown != strings.TrimSpace(tt.typed) {
						t.Errorf("%s: it names %q", name, shown)
					}
					bodies[named.ReplaceAllString(a.Body, "")] = true
				}
				if len(bodies) != 1 {
					t.Errorf("there are %d different answers, want 1", len(bodies))
				}
			})
		})
	}
}

func TestForgotPasswordMailsWhoIsOnFile(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := forgetful(t, db)
		for name, tt := range addresses {
			t.Run(name, func(t *testing.T) {
				s.Post("/forgot-password", apptest.Fill("email", tt.typed)).Wants(http.StatusOK)
				if tt.mailed == "" {
					s.NoMail()
					return
				}
				link := s.MailTo(tt.mailed, apptest.ResetSubject).Link
				if got := s.Get(link).Wants(http.StatusOK).Find("form input[autocomplete=username]").AttrOr("value", ""); got != s.User(tt.mailed).Username {
					t.Errorf("the link is for %s", got)
				}
			})
		}
	})
}

func TestForgotPasswordRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ email, wrong string }{
		"nothing":     {"", "Enter your email."},
		"a username":  {"anna.smith", apptest.WantsAddress},
		"two":         {"anna@example.com,eve@evil.example", apptest.WantsAddress},
		"with a name": {"Anna <anna@example.com>", apptest.WantsAddress},
		"two lines":   {"anna@example.com\r\neve@evil.example", apptest.OddCharacter},
		"of 255":      {apptest.EmailOf(255), apptest.AtMost254},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Get("/forgot-password").Wants(http.StatusOK).Page().WantsErrors(nil)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				want := map[string]string{"email": tt.wrong}
				s.Post("/forgot-password", apptest.Fill("email", tt.email)).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(want)
				s.Post("/forgot-password", apptest.Fill("email", tt.email), apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#forgot-password").WantsErrors(want)
			})
		}
		if mails := s.Queue(); len(mails) > 0 {
			t.Errorf("the queue holds %+v", mails)
		}
	})
}

func TestForgotPasswordAgain(t *testing.T) {
	t.Parallel()
	limit := func(c *app.Config) {
		c.LimitMail = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: apptest.Day}
	}
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		page := s.Get("/forgot-password")
		page = s.Submit(page, "form#forgot-password", apptest.Fill("email", "Anna@example.com"), options...).Wants(http.StatusOK).Says("Check your inbox and spam folder.")
		if page.Find(`form#forgot-password a[href="/forgot-password"]`).Length() != 1 {
			t.Error("no link leads back to the form")
		}
		page = s.Submit(page, "form#forgot-password", nil, options...).Wants(http.StatusOK).Says("If there's an account for Anna@example.com, we've sent another link")
		page = s.Submit(page, "form#forgot-password", nil, options...).Wants(http.StatusTooManyRequests).Says("Too many attempts. Try again in ").Says("it has a link from us already.")
		if page.Value("email") != "Anna@example.com" || page.Find("input:not([type=hidden], [name=code])").Length() > 0 {
			t.Error("the address is gone, or to be typed again")
		}
	}, limit)
}

// TestForgotPasswordCode opens the mail on a phone, and resets on the laptop that asked.
func TestForgotPasswordCode(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		const enter = "form#enter-code"
		asked := func(v *apptest.Visitor) (*apptest.Answer, apptest.Mail) {
			t.Helper()
			page := v.Submit(v.Get("/forgot-password"), "form#forgot-password", apptest.Fill("email", "Anna@example.com"), options...).Wants(http.StatusOK)
			return page, s.MailTo(apptest.Anna.Email, apptest.ResetSubject)
		}
		wrong := func(a *apptest.Answer, sentence string) *apptest.Answer {
			t.Helper()
			return a.Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": sentence})
		}
		page, m := asked(s.Visitor)
		again := wrong(s.Submit(page, enter, apptest.Fill("code", "0000-0000"), options...), wrongMailedCode)
		wrong(s.Visit(t).Post("/forgot-password/code", apptest.Fill("code", m.Code), options...), otherBrowser)
		wrong(s.Post(signInCode, code(m.Code), options...), wrongMailedCode) // it is for something else
		to := s.Submit(again, enter, apptest.Fill("code", strings.ToLower(m.Code)), options...)
		link := to.Header.Get("Location") + to.Header.Get("HX-Redirect")
		t.Cleanup(func() { s.Log.Hide(strings.TrimPrefix(link, "/reset-password?token=")) })
		s.Get(m.Link).Gone()
		reset := s.Get(link).Wants(http.StatusOK).Says("This link is for the account anna.smith.")
		s.Submit(reset, "form#reset-password", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/dashboard")
		s.MailTo(apptest.Anna.Email, apptest.WasResetSubject)
		s.Post("/sign-out", nil).LeadsTo("/")

		// The code ends with the link, with the newest mail and after ten minutes.
		for name, end := range map[string]func(m apptest.Mail){
			"the link was used": func(m apptest.Mail) {
				v := s.Visit(t)
				v.Submit(v.Get(m.Link), "form#reset-password", apptest.Twice("zuvokelimantra 39")).LeadsTo("/dashboard")
			},
			"a newer one":       func(apptest.Mail) { asked(s.Visit(t)) },
			"after ten minutes": func(apptest.Mail) { s.SetTime("codes", "expires_at", time.Now()) },
			"disabled": func(apptest.Mail) {
				if err := s.DB.DisableUser(t.Context(), s.User("anna.smith")); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				page, m := asked(v)
				end(m)
				wrong(v.Submit(page, enter, apptest.Fill("code", m.Code), options...), wrongMailedCode)
				if u := s.User("anna.smith"); u.Disabled() {
					if err := s.DB.EnableUser(t.Context(), u); err != nil {
						t.Fatal(err)
					}
				}
				s.Deliver()
			})
		}
	}, many)
}
