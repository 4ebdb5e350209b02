package auth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	right := apptest.Anna.Password
	tests := map[string]struct {
		form url.Values
		ok   bool
	}{
		"by username":                  {apptest.Credentials("anna.smith", right), true},
		"by username, another case":    {apptest.Credentials("ANNA.smith", right), true},
		"by username, spaces around":   {apptest.Credentials(" \tanna.smith ", right), true},
		"by email":                     {apptest.Credentials("anna@example.com", right), true},
		"by email, another case":       {apptest.Credentials("Anna@Example.COM", right), true},
		"by email, spaces around":      {apptest.Credentials("  anna@example.com\u00a0", right), true},
		"wrong password":               {apptest.Credentials("anna.smith", "correct horse batterz"), false},
		"password in another case":     {apptest.Credentials("anna.smith", strings.ToUpper(right)), false},
		"password with a space":        {apptest.Credentials("anna.smith", right+" "), false},
		"somebody else's password":     {apptest.Credentials("benjamin", right), false},
		"unknown username":             {apptest.Credentials("nobody", right), false},
		"unknown email":                {apptest.Credentials("nobody@example.com", right), false},
		"first name":                   {apptest.Credentials("Anna", right), false},
		"username with a host":         {apptest.Credentials("anna.smith@example.com", right), false},
		"pattern of SQL":               {apptest.Credentials("anna%", right), false},
		"SQL":                          {apptest.Credentials("' OR 1=1 --", right), false},
		"SQL in the password":          {apptest.Credentials("anna.smith", "' OR 'x'='x"), false},
		"username of 10,000":           {apptest.Credentials(strings.Repeat("u", 10_000), right), false},
		"password of 10,000":           {apptest.Credentials("anna.smith", strings.Repeat("p", 10_000)), false},
		"password with a NUL after it": {apptest.Credentials("anna.smith", right+"\x00"), false},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		s.Visit(t).JoinAs(apptest.With(apptest.Ben.Form(), "password", "a very different thing", "confirm_password", "a very different thing"))
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
					v := s.Visit(t)
					a := v.Post("/sign-in", tt.form, options...)
					if tt.ok {
						a.LeadsTo("/dashboard")
						if got := v.Get("/dashboard").Text("h1"); got != "Hello, Anna" {
							t.Errorf("the dashboard says %q", got)
						}
						continue
					}
					a.Wants(http.StatusUnprocessableEntity).IsHTML().WantsErrors(nil)
					if got := a.Text(".form-error"); got != apptest.WrongSignIn {
						t.Errorf("the form says %q, want %q", got, apptest.WrongSignIn)
					}
					if got, want := a.Value("login"), tt.form.Get("login"); got != want || a.Value("password") != "" {
						t.Errorf("the form holds %q, want %q and no password", got, want)
					}
					if a.Keeps("session").Keeps("browser"); v.SignedIn() {
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
		"nothing":             {url.Values{}, map[string]string{"login": "Enter your email address or username.", "password": "Enter your password."}},
		"login of spaces":     {apptest.Credentials("  ", "something"), map[string]string{"login": "Enter your email address or username."}},
		"no password":         {apptest.Credentials("anna", ""), map[string]string{"password": "Enter your password."}},
		"login with NUL":      {apptest.Credentials("an\x00na", "something"), map[string]string{"login": apptest.OddCharacter}},
		"login not UTF-8":     {apptest.Credentials("an\xffna", "something"), map[string]string{"login": apptest.OddCharacter}},
		"login of two lines":  {apptest.Credentials("an\r\nna", "something"), map[string]string{"login": apptest.OddCharacter}},
		"fields of elsewhere": {url.Values{"username": {"anna"}, "Password": {"something"}}, map[string]string{"login": "Enter your email address or username.", "password": "Enter your password."}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				v.Post("/sign-in", tt.form).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				v.Post("/sign-in", tt.form, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#sign-in").WantsErrors(tt.wrong)
			})
		}
		page := s.Get("/sign-in").Page().WantsErrors(nil)
		for name, autocomplete := range map[string]string{"login": "username webauthn", "password": "current-password"} {
			if got := page.Find(`input[name="`+name+`"]`).AttrOr("autocomplete", ""); got != autocomplete {
				t.Errorf("autocomplete of %s is %q, want %q", name, got, autocomplete)
			}
		}
	})
}

func TestUnknownUserAndWrongPasswordLookTheSame(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
			person := apptest.With(apptest.Anna.Form(), "username", "anna.smith")
			if len(options) > 0 {
				person = apptest.With(apptest.Ben.Form(), "username", "benjamin")
			}
			for _, field := range []string{"username", "email"} {
				s.Visit(t).Post("/sign-in", apptest.Credentials(person.Get(field), "not the password")) // the first request renders nothing anew
			}
			unknown := s.Visit(t).Post("/sign-in", apptest.Credentials(person.Get("email"), "not the password"), options...)
			s.Visit(t).JoinAs(person)
			wrong := s.Visit(t).Post("/sign-in", apptest.Credentials(person.Get("email"), "not the password"), options...)
			if wrong.Wants(http.StatusUnprocessableEntity).Body != unknown.Wants(http.StatusUnprocessableEntity).Body {
				t.Errorf("an unknown user reads\n%s\na wrong password\n%s", unknown.Body, wrong.Body)
			}
			for _, a := range []*apptest.Answer{unknown, wrong} { // these differ from request to request
				a.Header.Del("X-Request-Id")
				a.Header.Del("Date")
			}
			if got, want := len(wrong.Header), len(unknown.Header); got != want {
				t.Errorf("%d headers for a wrong password, %d for an unknown user", got, want)
			}
			for name := range unknown.Header {
				wrong.WantsHeader(name, unknown.Header.Get(name))
			}
		}
	})
}

func TestEachSignInMakesANewToken(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		seen := map[string]bool{s.Cookie("session"): true}
		for range 3 {
			v := s.Visit(t)
			v.SetCookie("session", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") // planted by someone else
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
			seen[v.Cookie("session")] = true
		}
		if len(seen) != 4 || len(s.Sessions()) != 4 {
			t.Errorf("4 browsers hold %d tokens for %d sessions", len(seen), len(s.Sessions()))
		}
	})
}

func TestPasswordInAnotherNormalForm(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).JoinAs(apptest.With(apptest.Anna.Form(), "password", "caf\u00e9 cr\u00e8me", "confirm_password", "caf\u00e9 cr\u00e8me"))
		s.Post("/sign-in", apptest.Credentials("anna.smith", "cafe\u0301 cre\u0300me")).LeadsTo("/dashboard")
	})
}

func TestRaisedHashIsRenewedAtSignIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		old := apptest.NewSite(t, db)
		old.Join(apptest.Anna)
		weak := old.Users()[0].PasswordHash

		raised := apptest.NewSite(t, db, func(c *app.Config) { c.Argon2Time = 2 })
		raised.Post("/sign-in", apptest.Credentials("anna.smith", "wrong password")).Wants(http.StatusUnprocessableEntity)
		if raised.Users()[0].PasswordHash != weak {
			t.Fatal("a wrong password changes the hash")
		}
		raised.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		strong := raised.Users()[0].PasswordHash
		if !strings.HasPrefix(strong, "$argon2id$v=19$m=7168,t=2,p=1$") {
			t.Fatalf("the hash is still %q", strong)
		}
		raised.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		old.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		if raised.Users()[0].PasswordHash != strong {
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
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		for _, next := range elsewhere {
			t.Run(next, func(t *testing.T) {
				way := "/sign-in?next=" + url.QueryEscape(next)
				for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
					s.Visit(t).Post(way, apptest.Anna.Credentials(), options...).LeadsTo("/dashboard")
				}
				if got := s.Visit(t).Get(way).Find("form#sign-in").AttrOr("action", ""); got != "/sign-in" {
					t.Errorf("the form posts to %q", got)
				}
			})
		}
		t.Run("in the form", func(t *testing.T) {
			s.Visit(t).Post("/sign-in", apptest.With(apptest.Anna.Credentials(), "next", "https://evil.example")).LeadsTo("/dashboard")
		})
		t.Run("twice", func(t *testing.T) {
			s.Visit(t).Post("/sign-in?next=%2F%2Fevil.example&next=%2Faccount", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		})
		t.Run("sign-up", func(t *testing.T) {
			s.Visit(t).Post("/sign-up?next=%2F%5Cevil.example", apptest.Ben.Form()).LeadsTo("/dashboard")
		})
	})
}

func TestNextLeadsBack(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		for i, next := range here {
			t.Run(next, func(t *testing.T) {
				for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
					v := s.Visit(t)
					page := v.Get("/sign-in?next=" + url.QueryEscape(next)).Page()
					way := page.Find("form#sign-in").AttrOr("action", "")
					if htmx := page.Find("form#sign-in").AttrOr("hx-post", ""); htmx != way {
						t.Errorf("hx-post is %q, action %q", htmx, way)
					}
					again := v.Post(way, apptest.Credentials("anna.smith", "a wrong password"), options...).Wants(http.StatusUnprocessableEntity)
					v.Post(again.Find("form#sign-in").AttrOr("action", ""), apptest.Anna.Credentials(), options...).LeadsTo(next)
				}
				v := s.Visit(t)
				toSignUp := v.Get("/sign-in?next="+url.QueryEscape(next)).Find(`main a[href^="/sign-up"]`).AttrOr("href", "")
				way := v.Get(toSignUp).Find("form#sign-up").AttrOr("action", "")
				person := apptest.With(apptest.Ben.Form(), "username", "person"+string(rune('a'+i)), "email", string(rune('a'+i))+"@example.com")
				v.Post(way, person).LeadsTo(next)
			})
		}
	})
}

// What a sign-in leaves is kept together or not at all, and so with what leads to
// it: here the event cannot be written, which comes last.
func TestNoHalfSignIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Log.MayFail()
		s.Join(apptest.Anna)
		secret := s.ResetToken(apptest.Anna.Email)
		rename := func(from, to string) {
			t.Helper()
			if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE ? RENAME TO ?", bun.Ident(from), bun.Ident(to)); err != nil {
				t.Fatal(err)
			}
		}
		reset := apptest.Twice(apptest.AnotherPassword)
		reset.Set("token", secret)
		rename("events", "away")
		for path, form := range map[string]url.Values{"/sign-in": apptest.Anna.Credentials(), "/sign-up": apptest.Ben.Form(), "/reset-password": reset} {
			v := s.Visit(t)
			a := v.Post(path, form).Wants(http.StatusInternalServerError)
			if set := a.Cookies(); len(set) > 0 {
				t.Errorf("%s sets %v", path, set)
			}
		}
		if users, sessions := len(s.Users()), len(s.Sessions()); users != 1 || sessions != 1 {
			t.Errorf("there are %d users and %d sessions", users, sessions)
		}
		rename("away", "events")
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.Visit(t).Post("/reset-password", reset).LeadsTo("/dashboard")
	})
}

// TestSameWorkForEveryone raises the cost of a password. A sign-in computes the same
// hashes for a user from before and from after that, a disabled one, and nobody.
func TestSameWorkForEveryone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		before := apptest.NewSite(t, db)
		before.Join(apptest.Anna)
		before.Visit(t).Join(apptest.Nth(1))
		if err := db.DisableUser(t.Context(), before.User(apptest.Nth(1).Username)); err != nil {
			t.Fatal(err)
		}
		s := apptest.NewSite(t, db, func(c *app.Config) { c.Argon2Time = 2 })
		s.Visit(t).Join(apptest.Ben)
		want := []string{"m=7168,t=1,p=1", "m=7168,t=2,p=1"}
		for _, login := range []string{apptest.Anna.Username, apptest.Anna.Email, apptest.Ben.Username, apptest.Nth(1).Username, "nobody", "nobody@example.com"} {
			got := s.Hashes.During(func() {
				s.Visit(t).Post("/sign-in", apptest.Credentials(login, "not the password")).Wants(http.StatusUnprocessableEntity)
			})
			if !slices.Equal(got, want) {
				t.Errorf("a sign-in of %s computes %v, want %v", login, got, want)
			}
		}
		// The process from before hears of the new cost when it meets the first such hash.
		before.Visit(t).Post("/sign-in", apptest.Credentials(apptest.Ben.Username, "not the password")).Wants(http.StatusUnprocessableEntity)
		for _, login := range []string{apptest.Anna.Username, apptest.Ben.Username, "nobody"} {
			got := before.Hashes.During(func() {
				before.Visit(t).Post("/sign-in", apptest.Credentials(login, "not the password")).Wants(http.StatusUnprocessableEntity)
			})
			if !slices.Equal(got, want) {
				t.Errorf("before, a sign-in of %s computes %v, want %v", login, got, want)
			}
		}
	})
}
