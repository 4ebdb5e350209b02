package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// addresses are what a person types who forgot the password, and who then gets
// a mail, on a site with anna@example.com, straße@example.com and the disabled
// ben@example.com.
var addresses = map[string]struct{ typed, mailed string }{
	"known":                           {"anna@example.com", annasEmail},
	"in another case":                 {"ANNA@Example.COM", annasEmail},
	"with spaces around":              {" anna@example.com\t", annasEmail},
	"unknown":                         {"carol@example.com", ""},
	"of somebody disabled":            {"ben@example.com", ""},
	"the same when folded":            {"STRASSE@example.com", "straße@example.com"},
	"a username with a host":          {"anna.smith@example.com", ""},
	"a Cyrillic letter":               {"аnna@example.com", ""},
	"a pattern":                       {"%@example.com", ""},
	"hostile":                         {"'onfocus='x&y@example.com", ""},
	"as long as an address can be":    {address(254), ""},
	"a part of one":                   {"nna@example.com", ""},
	"with another's address as a tag": {"anna+x@example.com", ""},
}

// forgetful is that site.
func forgetful(t *testing.T, db *models.DB) *site {
	t.Helper()
	s := newSite(t, db)
	s.visit(t).join(anna())
	s.visit(t).join(with(anna(), "username", "sharp.s", "email", "straße@example.com"))
	s.visit(t).join(ben())
	if err := db.DisableUser(t.Context(), s.user("benjamin")); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	return s
}

// named is the address in the answer to a person who forgot the password.
var named = regexp.MustCompile(`<strong>[^<]*</strong>`)

func TestForgotPasswordDoesNotTellWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]option{"plain": nil, "htmx": {htmx}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				q := watch(db)
				s := forgetful(t, db)
				bodies := map[string]bool{}
				for name, tt := range addresses {
					var a *answer
					asked := q.during(func() { a = s.post("/forgot-password", fill("email", tt.typed), options...) })
					if len(asked) != 1 || !strings.HasPrefix(asked[0], `INSERT INTO "mails"`) || strings.Contains(asked[0], "users") {
						t.Errorf("%s: the database is asked %q, want one INSERT", name, asked)
					}
					a.wants(http.StatusOK).harmless().says("a link to set a new password is on its way.")
					if shown := a.text("[role=status] strong"); shown != strings.TrimSpace(tt.typed) {
						t.Errorf("%s: it names %q", name, shown)
					}
					bodies[named.ReplaceAllString(a.body, "")] = true
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
				s.post("/forgot-password", fill("email", tt.typed)).wants(http.StatusOK)
				if tt.mailed == "" {
					s.noLetter()
					return
				}
				link := s.letterTo(tt.mailed, resetSubject).link
				if got := s.get(link).wants(http.StatusOK).find("form input[autocomplete=username]").AttrOr("value", ""); got != s.user(tt.mailed).Username {
					t.Errorf("the link is for %s", got)
				}
			})
		}
	})
}

func TestForgotPasswordRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ email, wrong string }{
		"nothing":     {"", "Enter your e-mail."},
		"a username":  {"anna.smith", wantsAddress},
		"two":         {"anna@example.com,eve@evil.example", wantsAddress},
		"with a name": {"Anna <anna@example.com>", wantsAddress},
		"two lines":   {"anna@example.com\r\neve@evil.example", oddCharacter},
		"of 255":      {address(255), atMost254},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.get("/forgot-password").wants(http.StatusOK).page().wantsErrors(nil)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				want := map[string]string{"email": tt.wrong}
				s.post("/forgot-password", fill("email", tt.email)).wants(http.StatusUnprocessableEntity).page().wantsErrors(want)
				s.post("/forgot-password", fill("email", tt.email), htmx).wants(http.StatusUnprocessableEntity).fragment("form#forgot-password").wantsErrors(want)
			})
		}
		if mails := s.queue(); len(mails) > 0 {
			t.Errorf("the queue holds %+v", mails)
		}
	})
}
