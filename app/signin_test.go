package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const wrongLogin = "The e-mail, username or password is wrong."

func TestSignIn(t *testing.T) {
	t.Parallel()
	right := anna().Get("password")
	tests := map[string]struct {
		form url.Values
		ok   bool
	}{
		"by username":                  {credentials("anna.smith", right), true},
		"by username, another case":    {credentials("ANNA.smith", right), true},
		"by username, spaces around":   {credentials(" \tanna.smith ", right), true},
		"by e-mail":                    {credentials("anna@example.com", right), true},
		"by e-mail, another case":      {credentials("Anna@Example.COM", right), true},
		"by e-mail, spaces around":     {credentials("  anna@example.com\u00a0", right), true},
		"wrong password":               {credentials("anna.smith", "correct horse batterz"), false},
		"password in another case":     {credentials("anna.smith", strings.ToUpper(right)), false},
		"password with a space":        {credentials("anna.smith", right+" "), false},
		"somebody else's password":     {credentials("benjamin", right), false},
		"unknown username":             {credentials("nobody", right), false},
		"unknown e-mail":               {credentials("nobody@example.com", right), false},
		"first name":                   {credentials("Anna", right), false},
		"username with a host":         {credentials("anna.smith@example.com", right), false},
		"pattern of SQL":               {credentials("anna%", right), false},
		"SQL":                          {credentials("' OR 1=1 --", right), false},
		"SQL in the password":          {credentials("anna.smith", "' OR 'x'='x"), false},
		"username of 10,000":           {credentials(strings.Repeat("u", 10_000), right), false},
		"password of 10,000":           {credentials("anna.smith", strings.Repeat("p", 10_000)), false},
		"password with a NUL after it": {credentials("anna.smith", right+"\x00"), false},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		s.visit(t).join(with(ben(), "password", "a very different thing", "confirm_password", "a very different thing"))
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				for _, options := range [][]option{nil, {htmx}} {
					v := s.visit(t)
					a := v.post("/sign-in", tt.form, options...)
					if tt.ok {
						a.leadsTo("/dashboard")
						if got := v.get("/dashboard").text("h1"); got != "Hello, Anna" {
							t.Errorf("the dashboard says %q", got)
						}
						continue
					}
					a.wants(http.StatusUnprocessableEntity).isHTML().wantsErrors(nil)
					if got := a.text(".form-error"); got != wrongLogin {
						t.Errorf("the form says %q, want %q", got, wrongLogin)
					}
					if got, want := a.value("login"), tt.form.Get("login"); got != want || a.value("password") != "" {
						t.Errorf("the form holds %q, want %q and no password", got, want)
					}
					if len(a.Cookies()) > 0 || v.signedIn() {
						t.Error("a stranger is let in")
					}
				}
			})
		}
	})
}

func TestSignInFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		form  url.Values
		wrong map[string]string
	}{
		"nothing":             {url.Values{}, map[string]string{"login": "Enter your e-mail or username.", "password": "Enter your password."}},
		"login of spaces":     {credentials("  ", "something"), map[string]string{"login": "Enter your e-mail or username."}},
		"no password":         {credentials("anna", ""), map[string]string{"password": "Enter your password."}},
		"login with NUL":      {credentials("an\x00na", "something"), map[string]string{"login": oddCharacter}},
		"login not UTF-8":     {credentials("an\xffna", "something"), map[string]string{"login": oddCharacter}},
		"login of two lines":  {credentials("an\r\nna", "something"), map[string]string{"login": oddCharacter}},
		"fields of elsewhere": {url.Values{"username": {"anna"}, "Password": {"something"}}, map[string]string{"login": "Enter your e-mail or username.", "password": "Enter your password."}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				v := s.visit(t)
				v.post("/sign-in", tt.form).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				v.post("/sign-in", tt.form, htmx).wants(http.StatusUnprocessableEntity).fragment("form#sign-in").wantsErrors(tt.wrong)
			})
		}
		page := s.get("/sign-in").page().wantsErrors(nil)
		for name, autocomplete := range map[string]string{"login": "username", "password": "current-password"} {
			if got := page.find(`input[name="`+name+`"]`).AttrOr("autocomplete", ""); got != autocomplete {
				t.Errorf("autocomplete of %s is %q, want %q", name, got, autocomplete)
			}
		}
	})
}

func TestUnknownUserAndWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		for _, options := range [][]option{nil, {htmx}} {
			person := with(anna(), "username", "anna.smith")
			if len(options) > 0 {
				person = with(ben(), "username", "benjamin")
			}
			for _, field := range []string{"username", "email"} {
				s.visit(t).post("/sign-in", credentials(person.Get(field), "not the password")) // the first request renders nothing anew
			}
			unknown := s.visit(t).post("/sign-in", credentials(person.Get("email"), "not the password"), options...)
			s.visit(t).join(person)
			wrong := s.visit(t).post("/sign-in", credentials(person.Get("email"), "not the password"), options...)
			if wrong.wants(http.StatusUnprocessableEntity).body != unknown.wants(http.StatusUnprocessableEntity).body {
				t.Errorf("an unknown user reads\n%s\na wrong password\n%s", unknown.body, wrong.body)
			}
			for _, a := range []*answer{unknown, wrong} { // these differ from request to request
				a.Header.Del("X-Request-Id")
				a.Header.Del("Date")
			}
			if got, want := len(wrong.Header), len(unknown.Header); got != want {
				t.Errorf("%d headers for a wrong password, %d for an unknown user", got, want)
			}
			for name := range unknown.Header {
				wrong.wantsHeader(name, unknown.Header.Get(name))
			}
		}
	})
}

func TestEachSignInMakesANewToken(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		seen := map[string]bool{s.cookie("session"): true}
		for range 3 {
			v := s.visit(t)
			v.keep("session", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") // planted by somebody else
			v.post("/sign-in", annas()).leadsTo("/dashboard")
			seen[v.cookie("session")] = true
		}
		if len(seen) != 4 || len(s.sessions()) != 4 {
			t.Errorf("4 browsers hold %d tokens for %d sessions", len(seen), len(s.sessions()))
		}
	})
}

func TestPasswordInAnotherNormalForm(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(with(anna(), "password", "caf\u00e9 cr\u00e8me", "confirm_password", "caf\u00e9 cr\u00e8me"))
		s.post("/sign-in", credentials("anna.smith", "cafe\u0301 cre\u0300me")).leadsTo("/dashboard")
	})
}

func TestRaisedHashIsRenewedAtSignIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		old := newSite(t, db)
		old.join(anna())
		weak := old.users()[0].PasswordHash

		raised := newSite(t, db, func(c *app.Config) { c.Argon2Time = 2 })
		raised.post("/sign-in", credentials("anna.smith", "wrong password")).wants(http.StatusUnprocessableEntity)
		if raised.users()[0].PasswordHash != weak {
			t.Fatal("a wrong password changes the hash")
		}
		raised.post("/sign-in", annas()).leadsTo("/dashboard")
		strong := raised.users()[0].PasswordHash
		if !strings.HasPrefix(strong, "$argon2id$v=19$m=7168,t=2,p=1$") {
			t.Fatalf("the hash is still %q", strong)
		}
		raised.visit(t).post("/sign-in", annas()).leadsTo("/dashboard")
		old.visit(t).post("/sign-in", annas()).leadsTo("/dashboard")
		if raised.users()[0].PasswordHash != strong {
			t.Error("a hash that is strong enough is made anew")
		}
	})
}

// elsewhere are values of next that lead, or would in some browser, to another
// site, and some that are no path at all.
var elsewhere = []string{
	"", " ", "dashboard", "account/", ".", "..", "../account", "?x=1", "#top",
	"https://evil.example", "http://evil.example/account", "HTTPS://evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example",
	"//evil.example", "///evil.example", "////evil.example", "//evil.example/account", "//evil.example@localhost",
	`/\evil.example`, `/\/evil.example`, `\\evil.example`, `\/evil.example`, `\evil.example`, `/account\..\..\evil`,
	"/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "\n//evil.example", "/ /evil.example", "/\x00/evil.example",
	"\u00a0//evil.example", "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,hi", "mailto:a@evil.example", "ftp://evil.example",
	"evil.example", "www.evil.example/account", "@evil.example", ":80", "://evil.example", "[::1]", "/account\r\nSet-Cookie: session=x", "/account\r\nLocation: https://evil.example",
	"/%zz", "/" + strings.Repeat("a", 2001), "／／evil.example", "http://[::1", "%2F%2Fevil.example",
}

// here are values of next that a person comes back to.
var here = []string{
	"/", "/account", "/account?tab=profile", "/account?a=1&b=2&c=%26", "/o/acme/projects?q=caf%C3%A9+au+lait", "/search?url=https%3A%2F%2Fevil.example",
	"/a%2Fb", "/account#profile", "/account?next=%2Fdashboard", "/@anna", "/a;b", "/a:b", "/~anna", "/account?x='<b>\"",
}

func TestNextLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		for _, next := range elsewhere {
			t.Run(next, func(t *testing.T) {
				way := "/sign-in?next=" + url.QueryEscape(next)
				for _, options := range [][]option{nil, {htmx}} {
					s.visit(t).post(way, annas(), options...).leadsTo("/dashboard")
				}
				if got := s.visit(t).get(way).find("form#sign-in").AttrOr("action", ""); got != "/sign-in" {
					t.Errorf("the form posts to %q", got)
				}
			})
		}
		t.Run("in the form", func(t *testing.T) {
			s.visit(t).post("/sign-in", with(annas(), "next", "https://evil.example")).leadsTo("/dashboard")
		})
		t.Run("twice", func(t *testing.T) {
			s.visit(t).post("/sign-in?next=%2F%2Fevil.example&next=%2Faccount", annas()).leadsTo("/dashboard")
		})
		t.Run("sign-up", func(t *testing.T) {
			s.visit(t).post("/sign-up?next=%2F%5Cevil.example", ben()).leadsTo("/dashboard")
		})
	})
}

func TestNextLeadsBack(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		for i, next := range here {
			t.Run(next, func(t *testing.T) {
				for _, options := range [][]option{nil, {htmx}} {
					v := s.visit(t)
					page := v.get("/sign-in?next=" + url.QueryEscape(next)).page()
					way := page.find("form#sign-in").AttrOr("action", "")
					if htmx := page.find("form#sign-in").AttrOr("hx-post", ""); htmx != way {
						t.Errorf("hx-post is %q, action %q", htmx, way)
					}
					again := v.post(way, credentials("anna.smith", "a wrong password"), options...).wants(http.StatusUnprocessableEntity)
					v.post(again.find("form#sign-in").AttrOr("action", ""), annas(), options...).leadsTo(next)
				}
				v := s.visit(t)
				toSignUp := v.get("/sign-in?next="+url.QueryEscape(next)).find(`main a[href^="/sign-up"]`).AttrOr("href", "")
				way := v.get(toSignUp).find("form#sign-up").AttrOr("action", "")
				person := with(ben(), "username", "person"+string(rune('a'+i)), "email", string(rune('a'+i))+"@example.com")
				v.post(way, person).leadsTo(next)
			})
		}
	})
}

// What a sign-in leaves is kept together or not at all, and so with what leads to
// it: here the event cannot be written, which comes last.
func TestNoHalfSignIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.log.mayFail()
		s.join(anna())
		secret := s.resetToken(annasEmail)
		rename := func(from, to string) {
			t.Helper()
			if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE ? RENAME TO ?", bun.Ident(from), bun.Ident(to)); err != nil {
				t.Fatal(err)
			}
		}
		reset := twice(anotherPassword)
		reset.Set("token", secret)
		rename("events", "away")
		for path, form := range map[string]url.Values{"/sign-in": annas(), "/sign-up": ben(), "/reset-password": reset} {
			v := s.visit(t)
			a := v.post(path, form).wants(http.StatusInternalServerError)
			if set := a.Cookies(); len(set) > 0 {
				t.Errorf("%s sets %v", path, set)
			}
		}
		if users, sessions := len(s.users()), len(s.sessions()); users != 1 || sessions != 1 {
			t.Errorf("there are %d users and %d sessions", users, sessions)
		}
		rename("away", "events")
		s.visit(t).post("/sign-in", annas()).leadsTo("/dashboard")
		s.visit(t).post("/reset-password", reset).leadsTo("/dashboard")
	})
}
