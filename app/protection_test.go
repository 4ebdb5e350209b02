package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/app/web"
	"vestibule/assets"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestStrangersAreSentToSignIn(t *testing.T) {
	t.Parallel()
	referer := func(page string) apptest.Option { return apptest.Header("Referer", page) }
	tests := []struct {
		method, path string
		options      []apptest.Option
		want         string
	}{
		{"GET", "/dashboard", nil, "/sign-in"},
		{"GET", "/dashboard?tab=2", nil, "/sign-in?next=%2Fdashboard%3Ftab%3D2"},
		{"GET", "/account", nil, "/sign-in?next=%2Faccount"},
		{"GET", "/account?a=1&b=%2F", nil, "/sign-in?next=%2Faccount%3Fa%3D1%26b%3D%252F"},
		{"HEAD", "/account", nil, "/sign-in?next=%2Faccount"},
		{"POST", "/account", nil, "/sign-in"},
		{"POST", "/account", []apptest.Option{referer("http://example.com/account?x=1")}, "/sign-in?next=%2Faccount%3Fx%3D1"},
		{"POST", "/account", []apptest.Option{referer(`http://example.com/\evil.example`)}, "/sign-in?next=%2F%255Cevil.example"},
		{"GET", "/account", []apptest.Option{referer("http://example.com/elsewhere")}, "/sign-in?next=%2Faccount"},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for _, tt := range tests {
			t.Run(tt.method+tt.path, func(t *testing.T) {
				v := s.Visit(t)
				if tt.method == "POST" {
					tt.options = append(tt.options, apptest.Header("Content-Type", "application/x-www-form-urlencoded"))
				}
				a := v.Send(tt.method, tt.path, nil, tt.options...).LeadsTo(tt.want)
				if strings.Contains(a.Body, "<form") {
					t.Error("there is a form in the answer")
				}
			})
		}
		for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} { // a form is kept
			s.Visit(t).Post("/account", apptest.Anna.Form(), options...).AsksToSignIn(http.StatusForbidden)
		}
		s.Visit(t).Get("/account", apptest.HTMX).AsksToSignIn(http.StatusForbidden) // so is the page
		s.Visit(t).Post("/account/check?field=username", apptest.Anna.Form(), apptest.HTMX).Silent(http.StatusForbidden)
		if len(s.Users()) > 0 {
			t.Error("a stranger changes something")
		}
	})
}

func TestExpiredSessionUnderHTMX(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		v := s.Visit(t)
		v.SetCookie("session", strings.Repeat("A", 43))
		v.Post("/account", apptest.With(apptest.Anna.Form(), "first_name", "Eve"), apptest.HTMX).AsksToSignIn(http.StatusForbidden).
			Keeps("session") // it may come late, when the browser has a new one
		if s.Users()[0].FirstName != "Anna" {
			t.Error("a dead session changes the account")
		}
	})
}

func TestGuestPagesAreNotForPeopleSignedIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		token := s.Cookie("session")
		for query, lands := range map[string]string{
			"":                                 "/dashboard",
			"?next=":                           "/dashboard",
			"?next=%2Faccount%3Ftab%3D2":       "/account?tab=2",
			"?next=https%3A%2F%2Fevil.example": "/dashboard",
			"?next=%2F%2Fevil.example":         "/dashboard",
			"?next=%2F%5Cevil.example":         "/dashboard",
			"?next=%2F%09%2Fevil.example":      "/dashboard",
		} {
			for _, path := range []string{"/sign-in" + query, "/sign-up" + query} {
				s.Get(path).LeadsTo(lands)
				s.Get(path, apptest.HTMX).LeadsTo(lands)
				s.Post(path, apptest.With(apptest.Anna.Form(), "login", apptest.Anna.Email)).LeadsTo(lands) // sent twice
				a := s.Post(path, apptest.With(apptest.Ben.Form(), "login", apptest.Ben.Email)).Wants(http.StatusConflict).Page()
				a.Says("You're signed in as anna.smith now. Sign out in another tab, then try again here.")
				if a.Value("email")+a.Value("login") != apptest.Ben.Email {
					a.Failf("what was typed is gone")
				}
			}
		}
		s.Post("/sign-up/check?field=username", apptest.Ben.Form(), apptest.HTMX).Wants(http.StatusNoContent)
		if len(s.Users()) != 1 || len(s.Sessions()) != 1 || s.Cookie("session") != token {
			t.Error("a guest page acts for a person signed in")
		}
	})
}

func TestOtherSitesMayNotPost(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		headers map[string]string // ORIGIN stands for the site's own
		allowed bool
	}{
		"no headers":                        {nil, true},
		"own origin":                        {map[string]string{"Origin": "ORIGIN"}, true},
		"same-origin":                       {map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		"typed address":                     {map[string]string{"Sec-Fetch-Site": "none"}, true},
		"both own":                          {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "ORIGIN"}, true},
		"cross-site":                        {map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		"same-site":                         {map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		"unknown word":                      {map[string]string{"Sec-Fetch-Site": "friendly"}, false},
		"cross-site with htmx's header":     {map[string]string{"Sec-Fetch-Site": "cross-site", "HX-Request": "true"}, false},
		"cross-site with another origin":    {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, false},
		"same-site with a subdomain":        {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://www.example.com"}, false},
		"another origin":                    {map[string]string{"Origin": "https://evil.example"}, false},
		"null origin":                       {map[string]string{"Origin": "null"}, false},
		"own host as a subdomain elsewhere": {map[string]string{"Origin": "ORIGIN.evil.example"}, false},
		"another port":                      {map[string]string{"Origin": "http://127.0.0.1:1"}, false},
		"no URL":                            {map[string]string{"Origin": "evil"}, false},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				var options []apptest.Option
				for name, value := range tt.headers {
					options = append(options, apptest.Header(name, strings.ReplaceAll(value, "ORIGIN", s.URL)))
				}
				v := s.Visit(t)
				for _, path := range []string{"/sign-in", "/sign-up", "/sign-out", "/account", "/password-strength", "/no-such-page"} {
					a := v.Post(path, apptest.Anna.Credentials(), options...)
					if refused := a.StatusCode == http.StatusForbidden && a.Find("form#sign-in-again").Length() == 0; refused == tt.allowed {
						t.Errorf("%s answers %d", path, a.StatusCode)
					}
					a.WantsHeader("Access-Control-Allow-Origin", "")
					logged := slices.ContainsFunc(s.Log.Of(a), func(l apptest.LogLine) bool { return l["msg"] == "cross-origin request refused" })
					if logged == tt.allowed {
						t.Errorf("%s: the log says %v", path, s.Log.Of(a))
					}
					switch {
					case tt.allowed:
					case tt.headers["HX-Request"] != "":
						a.Fragment(".toast.problem").WantsHeader("HX-Retarget", "#alerts")
					default:
						a.Page().Says("This request came from another site, so nothing was changed.")
					}
				}
				if v.SignedIn() && !tt.allowed {
					t.Error("another site signs people in")
				}
				v.Get("/", options...).Wants(http.StatusOK).WantsHeader("Access-Control-Allow-Origin", "") // a link from elsewhere is fine
			})
		}
	})
}

func TestOriginOfTheSiteBehindAProxy(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OverHTTPS)
		s.Post("/sign-in", apptest.Anna.Credentials(), apptest.Header("Origin", "https://example.com")).Wants(http.StatusUnprocessableEntity)
		for _, origin := range []string{"http://example.com", "https://example.com:8443", "https://example.com.evil.example", "https://evil.example"} {
			s.Post("/sign-in", apptest.Anna.Credentials(), apptest.Header("Origin", origin)).Wants(http.StatusForbidden).Page()
		}
	})
}

func TestFailurePages(t *testing.T) {
	t.Parallel()
	const form, json = "application/x-www-form-urlencoded", "application/json"
	big := strings.Repeat("x", 64<<10)
	tests := []struct {
		method, path, kind, body string
		status                   int
		says                     string
	}{
		{"GET", "/no-such-page", "", "", 404, "Page not found"},
		{"POST", "/no-such-page", form, "", 404, "Page not found"},
		{"DELETE", "/no-such-page", "", "", 404, "Page not found"},
		{"GET", "/sign-in/more", "", "", 404, "Page not found"},
		{"GET", "/Sign-In", "", "", 404, "Page not found"},
		{"GET", "//sign-in", "", "", 404, "Page not found"},
		{"GET", "/..%2f..%2fetc/passwd", "", "", 404, "Page not found"},
		{"GET", "/%00", "", "", 404, "Page not found"},
		{"GET", "/%ff%fe", "", "", 404, "Page not found"},
		{"GET", "/<script>", "", "", 404, "Page not found"},
		{"GET", "/.env", "", "", 404, "Page not found"},
		{"GET", "/sign-out", "", "", 405, "Not allowed here"},
		{"HEAD", "/sign-out", "", "", 405, "Not allowed here"},
		{"POST", "/", form, "", 405, "Not allowed here"},
		{"POST", "/dashboard", form, "", 405, "Not allowed here"},
		{"PUT", "/sign-in", form, "", 405, "Not allowed here"},
		{"DELETE", "/account", "", "", 405, "Not allowed here"},
		{"OPTIONS", "/", "", "", 405, "Not allowed here"},
		{"PATCH", "/sign-up", form, "", 405, "Not allowed here"},
		{"TRACE", "/", "", "", 405, "Not allowed here"},
		{"POST", "/sign-in", form, big + "x", 413, "Too large"},
		{"POST", "/sign-up", form, "username=" + big, 413, "Too large"},
		{"POST", "/password-strength", form, "password=" + big, 413, "Too large"},
		{"POST", "/no-such-page", form, big + "x", 413, "Too large"},
		{"POST", "/sign-in", "", "login=a&password=b", 415, "Not a form"},
		{"POST", "/sign-in", json, `{"login":"a"}`, 415, "Not a form"},
		{"POST", "/sign-up", "multipart/form-data; boundary=x", "--x--", 415, "Not a form"},
		{"POST", "/sign-up", "text/plain", "username=a", 415, "Not a form"},
		{"POST", "/sign-up", "application/x-www-form-urlencoded; a", "username=%zz", 415, "Not a form"},
		{"POST", "/sign-up", form, "username=%zz", 415, "Not a form"},
		{"POST", "/sign-up", form, "username=a;b=c", 415, "Not a form"},
		{"POST", "/sign-up/check?field=username", json, "{}", 415, "Not a form"},
		{"POST", "/password-strength", json, "{}", 415, "Not a form"},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for _, tt := range tests {
			t.Run(tt.method+tt.path+tt.kind, func(t *testing.T) {
				v := s.Visit(t)
				send := func(options ...apptest.Option) *apptest.Answer {
					options = append(options, apptest.Header("Content-Type", tt.kind))
					return v.Send(tt.method, tt.path, strings.NewReader(tt.body), options...).Wants(tt.status).WantsHeader("Cache-Control", "no-store")
				}
				a := send()
				if tt.status == 405 && a.Header.Get("Allow") == "" {
					t.Error("405 without Allow")
				}
				if tt.method == "HEAD" {
					return
				}
				a.Page().Harmless()
				if got := a.Text("h1"); got != tt.says {
					t.Errorf("the page says %q, want %q", got, tt.says)
				}
				if a.Text("main code") != a.Header.Get("X-Request-Id") {
					t.Error("the page does not name the request")
				}
				if strings.Contains(tt.path, "?field=") {
					send(apptest.HTMX).Silent(tt.status)
					return
				}
				send(apptest.HTMX).Fragment(".toast.problem").WantsHeader("HX-Retarget", "#alerts").WantsHeader("HX-Reswap", "innerHTML")
			})
		}
	})
}

// TestGetChangesNothing opens each URL there is, also those that only take POST, with
// the links of mails, as the owner of an organization. The database stays as it is.
func TestGetChangesNothing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMemberWith("the.editor", "Editor", models.InviteMembers)
		s.Visit(t).Join(apptest.Ben)
		paths := []string{s.MailTo(apptest.Ben.Email, apptest.VerifySubject).Link, s.Invite("guest@example.com", "Member"), "/reset-password?token=" + s.ResetToken(apptest.Anna.Email)}
		s.Owner.AddAuthenticator()
		s.Post("/recover", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		for _, m := range s.Deliver() { // the notice about the app, and the link to recover
			paths = append(paths, m.Link)
			if strings.HasPrefix(m.Link, "/recover/start") {
				s.Post("/recover/start", apptest.Fill("token", tokenIn(m.Link))).LeadsTo(m.Link)
			}
		}
		for _, m := range s.Deliver() {
			paths = append(paths, m.Link)
		}
		ids := idsOf(s)
		s.SetTime("sessions", "last_seen_at", time.Now().Add(time.Hour)) // which is written once a minute
		for _, route := range s.App.Routes() {
			// Asked for its own data, the site records that; /readyz writes to see whether it can.
			if route.Path != "/account/data" && route.Path != "/readyz" {
				paths = append(paths, strings.NewReplacer(":slug", "acme", ":id", ids[strings.Split(route.Path+"///", "/")[3]]).Replace(route.Path))
			}
		}
		before := s.Everything()
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				s.Send(method, path, nil)
				s.Send(method, path, nil, apptest.HTMX)
				after := s.Everything()
				if after != before {
					t.Errorf("%s %s changes the database", method, path)
				}
				before = after
			}
		}
		if len(paths) < 60 {
			t.Errorf("there are only %d paths", len(paths))
		}
	})
}

func TestLargestBody(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		most := "login=anna&password=" + strings.Repeat("x", 64<<10-len("login=anna&password="))
		form := apptest.Header("Content-Type", "application/x-www-form-urlencoded")
		s.Send("POST", "/sign-in", strings.NewReader(most), form).Wants(http.StatusUnprocessableEntity)
		for name, body := range map[string]func() io.Reader{
			"10 MB":               func() io.Reader { return strings.NewReader(strings.Repeat("x", 10<<20)) },
			"10 MB, no length":    func() io.Reader { return io.LimitReader(endless{}, 10<<20) },
			"65,537, no length":   func() io.Reader { return io.LimitReader(endless{}, 64<<10+1) },
			"100 KB in one field": func() io.Reader { return strings.NewReader("login=" + strings.Repeat("x", 100<<10)) },
		} {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				v.Send("POST", "/sign-in", body(), form).Wants(http.StatusRequestEntityTooLarge).Page()
				v.Get("/").Wants(http.StatusOK)
			})
		}
	})
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for _, path := range []string{"/sign-in/", "/sign-up/", "/account/", "/dashboard/"} {
			a := s.Get(path) // the helper checks the headers
			if to := a.Header.Get("Location"); a.StatusCode != http.StatusNotFound && to != strings.TrimSuffix(path, "/") {
				t.Errorf("%s answers %d and leads to %q", path, a.StatusCode, to)
			}
		}
		for _, prefix := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "/elsewhere"} {
			a := s.Get("/sign-in/", apptest.Header("X-Forwarded-Prefix", prefix))
			if to := a.Header.Get("Location"); a.StatusCode != http.StatusNotFound && to != "/sign-in" {
				t.Errorf("X-Forwarded-Prefix %q of a stranger leads to %q", prefix, to)
			}
		}
	})
}

func TestHead(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for _, path := range []string{"/", "/sign-in", "/sign-up", "/no-such-page"} {
			get, head := s.Get(path), s.Send("HEAD", path, nil)
			head.Wants(get.StatusCode)
			if head.Body != "" {
				t.Errorf("HEAD %s has a body", path)
			}
			for _, name := range []string{"Content-Type", "Cache-Control", "Vary"} {
				head.WantsHeader(name, get.Header.Get(name))
			}
		}
	})
}

func TestBrokenDatabase(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Log.MayFail()
		s.Join(apptest.Anna)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, a := range []*apptest.Answer{s.Get("/dashboard"), s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()), s.Visit(t).Post("/sign-up", apptest.Ben.Form())} {
			a.Wants(http.StatusInternalServerError).Page().WantsHeader("Cache-Control", "no-store")
			if got := a.Text("h1"); got != "Something went wrong" {
				t.Errorf("the page says %q", got)
			}
			id := a.Text("main code")
			if id == "" || id != a.Header.Get("X-Request-Id") {
				t.Errorf("the page names request %q, the header %q", id, a.Header.Get("X-Request-Id"))
			}
			if strings.Contains(a.Body, "sql") || strings.Contains(a.Body, "database") {
				t.Errorf("the page tells what is inside: %s", a.Text("main"))
			}
			var failed, request bool
			for _, line := range s.Log.Of(a) {
				failed = failed || line["level"] == "ERROR" && line["err"] != nil
				request = request || line["msg"] == "request" && line["status"] == 500.0
			}
			if !failed || !request {
				t.Errorf("the log has an error: %v, the request: %v", failed, request)
			}
		}
		s.Get("/dashboard", apptest.HTMX).Wants(http.StatusInternalServerError).Fragment(".toast.problem").WantsHeader("HX-Retarget", "#alerts")
		s.Visit(t).Get("/").Wants(http.StatusOK) // what needs no database goes on
	})
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trust := func(proxies string) func(*app.Config) {
		return func(c *app.Config) { c.TrustedProxies = proxies }
	}
	tests := map[string]struct {
		change  func(*app.Config)
		headers map[string]string
		want    string
	}{
		"nobody is trusted":              {trust(""), map[string]string{"X-Forwarded-For": "192.0.2.1"}, "127.0.0.1"},
		"nor by another header":          {trust(""), map[string]string{"X-Real-Ip": "192.0.2.1", "Forwarded": "for=192.0.2.1", "CF-Connecting-IP": "192.0.2.1"}, "127.0.0.1"},
		"another proxy is trusted":       {trust("10.0.0.0/8"), map[string]string{"X-Forwarded-For": "192.0.2.1"}, "127.0.0.1"},
		"the proxy is trusted":           {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1"},
		"its network is trusted":         {trust("10.0.0.0/8, 127.0.0.0/8"), map[string]string{"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1"},
		"a client adds another":          {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		"two proxies are trusted":        {trust("127.0.0.1,10.0.0.0/8"), map[string]string{"X-Forwarded-For": "192.0.2.1, 10.1.1.1"}, "192.0.2.1"},
		"the proxy says nothing":         {trust("127.0.0.1"), nil, "127.0.0.1"},
		"the proxy says nonsense":        {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "<script>"}, "127.0.0.1"},
		"the proxy names a v6 address":   {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"},
		"with a port, as Azure":          {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "203.0.113.5:41234"}, "203.0.113.5"},
		"with ports, two proxies":        {trust("127.0.0.1,10.0.0.0/8"), map[string]string{"X-Forwarded-For": "198.51.100.7, 203.0.113.5:41234, 10.1.1.1:80"}, "203.0.113.5"},
		"a v6 address with a port":       {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "[2001:db8::1]:443"}, "2001:db8::1"},
		"a v6 address in brackets":       {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "[2001:db8::1]"}, "2001:db8::1"},
		"a v6 address with a zone":       {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "fe80::1%eth0"}, "fe80::1"},
		"a v4 address in v6":             {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "::ffff:203.0.113.5"}, "203.0.113.5"},
		"as in the header Forwarded":     {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": `For="[2001:db8::1]:443";proto=https`}, "2001:db8::1"},
		"empty entries":                  {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": ", 203.0.113.5,, "}, "203.0.113.5"},
		"nonsense before the client":     {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "unknown, 203.0.113.5"}, "203.0.113.5"},
		"nonsense after the client":      {trust("127.0.0.1"), map[string]string{"X-Forwarded-For": "203.0.113.5, _hidden"}, "127.0.0.1"},
		"nonsense, then a trusted proxy": {trust("127.0.0.1,10.0.0.0/8"), map[string]string{"X-Forwarded-For": "203.0.113.5, unknown, 10.1.1.1"}, "127.0.0.1"},
		"a stranger forges a port":       {trust("10.0.0.0/8"), map[string]string{"X-Forwarded-For": "203.0.113.5:41234"}, "127.0.0.1"},
		"a client writes a line of log":  {trust(""), map[string]string{"X-Forwarded-For": `1", "level":"ERROR`}, "127.0.0.1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, tt.change)
				var options []apptest.Option
				for name, value := range tt.headers {
					options = append(options, apptest.Header(name, value))
				}
				lines := s.Log.Of(s.Get("/", options...))
				if len(lines) != 1 || lines[0]["ip"] != tt.want {
					t.Errorf("the log says %v, want one line with ip %s", lines, tt.want)
				}
			})
		})
	}
}

// TestForwardedForInTwoLines is what a proxy sends that adds its line to the
// client's own in place of extending it, as HAProxy does.
func TestForwardedForInTwoLines(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.TrustedProxies = "127.0.0.1" })
		lines := s.Log.Of(s.Get("/", func(r *http.Request) { r.Header["X-Forwarded-For"] = []string{"198.51.100.7", "192.0.2.1"} }))
		if len(lines) != 1 || lines[0]["ip"] != "192.0.2.1" {
			t.Errorf("the log says %v, want one line with ip 192.0.2.1", lines)
		}
	})
}

// TestUnknownAddress is a trusted proxy that doesn't name its clients. Their wrong
// passwords must not keep each other out. A stranger's header changes nothing.
func TestUnknownAddress(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[string]int{"127.0.0.1": http.StatusUnprocessableEntity, "10.0.0.0/8": http.StatusTooManyRequests} {
		t.Run(trusted, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, func(c *app.Config) {
					c.TrustedProxies, c.LimitAddress = trusted, models.Limit{Free: 2, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
				})
				unknown := apptest.Header("X-Forwarded-For", "unknown")
				for i := range 2 {
					s.Post("/sign-in", apptest.Credentials(fmt.Sprint("somebody", i), "x"), unknown).Wants(http.StatusUnprocessableEntity)
				}
				s.Post("/sign-in", apptest.Credentials("another", "x"), unknown).Wants(want)
				if n := len(s.Logged("a trusted proxy names no client in X-Forwarded-For: nobody is limited by IP address")); (n == 1) != (want == http.StatusUnprocessableEntity) {
					t.Errorf("the log says so %d times", n)
				}
			})
		})
	}
}

// TestBaseURLAsPasted takes BASE_URL in a form that browsers don't write. Their posts
// must not be refused when a proxy changes Host.
func TestBaseURLAsPasted(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.BaseURL = "HTTPS://BÜCHER.Example:443/" })
		s.Post("/sign-in", apptest.Credentials("somebody", "x"), apptest.Header("Origin", "https://xn--bcher-kva.example")).Wants(http.StatusUnprocessableEntity)
		s.Post("/sign-in", apptest.Credentials("somebody", "x"), apptest.Header("Origin", "https://evil.example")).Wants(http.StatusForbidden)
	})
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for path, want := range map[string]string{
			"/":                          "text/html; charset=utf-8",
			"/account":                   "text/html; charset=utf-8",
			"/no-such-page":              "text/html; charset=utf-8",
			"/favicon.ico":               "text/html; charset=utf-8",
			"/account/data":              "application/json; charset=utf-8",
			"/healthz":                   "text/plain; charset=utf-8",
			"/readyz":                    "text/plain; charset=utf-8",
			"/assets/none.css":           "text/plain; charset=utf-8",
			assets.Path("vestibule.css"): "text/css; charset=utf-8",
			assets.Path("vestibule.js"):  "text/javascript; charset=utf-8",
			assets.Path("htmx.min.js"):   "text/javascript; charset=utf-8",
			assets.Path("favicon.svg"):   "image/svg+xml; charset=utf-8",
		} {
			s.Get(path).WantsHeader("Content-Type", want)
		}
	})
}

func TestRequestLine(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		a := s.Get("/account?token=swordfish-swordfish")
		lines := s.Log.Of(a)
		if len(lines) != 1 {
			t.Fatalf("%d lines for one request: %v", len(lines), lines)
		}
		line := lines[0]
		if line["msg"] != "request" || line["level"] != "INFO" || line["method"] != "GET" || line["path"] != "/account" ||
			line["status"] != 200.0 || line["ip"] != "127.0.0.1" || line["user_id"] != s.Users()[0].ID.String() {
			t.Errorf("the line is %v", line)
		}
		if at, ok := line["time"].(string); !ok {
			t.Errorf("the line has no time: %v", line)
		} else if _, err := time.Parse(time.RFC3339, at); err != nil {
			t.Error(err) // a time without its offset too
		}
		s.Log.Hide("swordfish-swordfish")
		for i, a := range []*apptest.Answer{s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()), s.Visit(t).Post("/sign-up", apptest.Ben.Form())} {
			lines := s.Log.Of(a.LeadsTo("/dashboard"))
			if got := lines[len(lines)-1]["user_id"]; got != s.Users()[i].ID.String() {
				t.Errorf("the line of a sign-in names the user %v", got)
			}
		}
		if again := s.Get("/account").Header.Get("X-Request-Id"); again == a.Header.Get("X-Request-Id") {
			t.Error("two requests have one id")
		}
		const trace = "0af7651916cd43dd8448eb211c80319c"
		forged := s.Get("/", apptest.Header("X-Request-Id", "forged"), apptest.Header("Traceparent", "00-"+trace+"-b7ad6b7169203331-01"))
		if forged.Header.Get("X-Request-Id") == "forged" {
			t.Error("a client chooses the request id")
		}
		if line := s.Log.Of(forged)[0]; line["trace_id"] != nil {
			t.Errorf("a client chooses the trace: %v", line)
		}
	})
}

// TestRequestLineOfAProxy has a trusted proxy name a request and its trace.
func TestRequestLineOfAProxy(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.TrustedProxies = "127.0.0.1" })
		const trace = "0af7651916cd43dd8448eb211c80319c"
		forwarded := apptest.Header("X-Forwarded-For", "203.0.113.9")
		a := s.Get("/", forwarded, apptest.Header("X-Request-Id", "req-1/of:proxy"), apptest.Header("Traceparent", "00-"+trace+"-b7ad6b7169203331-01"))
		if id := a.Header.Get("X-Request-Id"); id != "req-1/of:proxy" {
			t.Fatalf("the request's id is %q", id)
		}
		if line := s.Log.Of(a)[0]; line["trace_id"] != trace || line["request_id"] != "req-1/of:proxy" {
			t.Errorf("the line is %v", line)
		}
		for _, bad := range []string{"two words", strings.Repeat("x", 65), "quote\"", "\xff"} {
			a := s.Get("/", forwarded, apptest.Header("X-Request-Id", bad), apptest.Header("Traceparent", "00-nonsense"))
			line := s.Log.Of(a)[0]
			if line["request_id"] == bad || line["trace_id"] != nil {
				t.Errorf("the line of %q is %v", bad, line)
			}
		}
	})
}

// TestAccessLog wants a line of the requests that ACCESS_LOG names, and every other line.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	for setting, tt := range map[string]struct{ found, missing int }{
		"all": {100, 2}, "errors": {0, 2}, "off": {0, 0}, "0.5": {-1, 2},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, func(c *app.Config) {
					if err := c.AccessLog.UnmarshalText([]byte(setting)); err != nil {
						t.Fatal(err)
					}
				})
				send := func(path string) { // returns after the line was written
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					s.Serve(r)
				}
				for range 100 {
					send("/healthz")
				}
				for range 2 {
					send("/nowhere")
				}
				found, missing := 0, 0
				for _, line := range s.Logged("request") {
					if line["status"] == 200.0 {
						found++
					} else {
						missing++
					}
				}
				if tt.found < 0 && (found == 0 || found == 100) || tt.found >= 0 && found != tt.found || missing != tt.missing {
					t.Errorf("%d and %d requests are logged", found, missing)
				}
			})
		})
	}
	for _, wrong := range []string{"", "some", "0", "1", "1.5", "-0.1", "NaN"} {
		if err := new(web.AccessLog).UnmarshalText([]byte(wrong)); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

// leaver hangs up at a query.
type leaver struct {
	left  atomic.Int64 // queries until then
	leave context.CancelFunc
}

func (l *leaver) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	if l.left.Add(-1) == 0 {
		l.leave()
	}
	return ctx
}

func (l *leaver) AfterQuery(context.Context, *bun.QueryEvent) {}

// TestClientLeaves has one hang up at each query of a request: the log, which the
// site's end looks at, has no error then.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	requests := []struct {
		method, path string
		form         url.Values
	}{
		{"GET", "/o/acme", nil},
		{"GET", "/account", nil},
		{"POST", "/sign-in", apptest.Anna.Credentials()},
		{"POST", "/sign-up", apptest.Ben.Form()},
		{"POST", "/account/password", apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", apptest.Anna.Password)}, // last, as it ends the session
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		l := new(leaver)
		db.Bun().AddQueryHook(l) //lint:ignore SA1019 a copy, as WithQueryHook makes, would not see the application's queries
		s := apptest.NewCompany(t, db)
		for _, tt := range requests {
			for n := int64(1); ; n++ {
				s.SetTime("sessions", "last_seen_at", time.Now().Add(-time.Hour)) // so that it is written
				ctx, leave := context.WithCancel(t.Context())
				r := httptest.NewRequestWithContext(ctx, tt.method, tt.path, strings.NewReader(tt.form.Encode()))
				r.Host = strings.TrimPrefix(s.URL, "http://")
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if !strings.HasPrefix(tt.path, "/sign-") {
					r.AddCookie(&http.Cookie{Name: s.CookieName("session"), Value: s.Cookie("session")})
				}
				l.leave = leave
				l.left.Store(n)
				w := httptest.NewRecorder()
				s.App.ServeHTTP(w, r)
				leave()
				if l.left.Load() > 0 { // it took fewer
					ended := tt.path == "/account/password" && strings.Contains(w.Body.String(), "Sign in to continue")
					if w.Code >= http.StatusBadRequest && !ended {
						t.Errorf("%s, without leaving, is answered with %d", tt.path, w.Code)
					}
					if n == 1 {
						t.Errorf("%s asks nothing", tt.path)
					}
					break
				}
			}
		}
	})
}

func TestPasswordStrength(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		form url.Values
		want string
	}{
		"empty":        {url.Values{}, ""},
		"short":        {url.Values{"password": {"zuvoke"}}, "Strength: Very weak"},
		"common":       {url.Values{"password": {"password1"}}, "Strength: Very weak"},
		"own name":     {url.Values{"password": {"zuvokelimantra 38"}, "first_name": {"Zuvokelimantra"}}, "Strength: Very weak"},
		"random":       {url.Values{"password": {"x7$kQ9!mLp2z"}}, "Strength: Strong"},
		"four words":   {url.Values{"password": {"correct horse battery staple"}}, "Strength: Strong"},
		"HTML":         {url.Values{"password": {"<script>alert(1)</script>"}}, "Strength: Strong"},
		"not UTF-8":    {url.Values{"password": {"x7$kQ9!mLp2z\xff"}}, "Strength: Very weak"},
		"very long":    {url.Values{"password": {strings.Repeat("qwe7", 10_000)}}, "Strength: Very weak"},
		"of all kinds": {url.Values{"password": {"жщ7ъЪфю2ЯэШ"}}, "Strength: Strong"},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				a := s.Visit(t).Post("/password-strength", tt.form, apptest.HTMX).Wants(http.StatusOK)
				if got := a.Text("body"); got != tt.want {
					t.Errorf("it says %q, want %q", got, tt.want)
				}
				if n := a.Find("meter").Length(); (n == 1) != (tt.want != "") || strings.Contains(a.Body, "<html") {
					t.Errorf("it is no meter alone: %s", a.Body)
				}
			})
		}
		s.Get("/password-strength").Wants(http.StatusMethodNotAllowed)
		s.Join(apptest.Anna)
		mine := s.Post("/password-strength", url.Values{"password": {"anna.smith 7$kQ"}}, apptest.HTMX).Wants(http.StatusOK)
		if got := mine.Text("body"); got != "Strength: Very weak" {
			t.Errorf("a password with the own username is %q", got)
		}
	})
}

// TRACE would show a script the cookies that it may not read.
func TestNoTrace(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for _, path := range []string{"/", "/dashboard", "/sign-in", "/healthz"} {
			a := s.Send("TRACE", path, nil, apptest.Header("X-Echo", "zuvokelimantra")).Wants(http.StatusMethodNotAllowed)
			if strings.Contains(a.Body, "zuvokelimantra") {
				a.Failf("it echoes the request")
			}
		}
	})
}
