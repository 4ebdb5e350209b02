package auth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const (
	noCookies = "Your browser didn't keep our cookie, so you can't sign in. Allow cookies for this site, then try again."
	noHTTPS   = "This page was opened without https, so you can't sign in here. Open https://example.com instead."
)

// TestBrowserWithoutCookies sends every form that signs in from a browser that keeps no
// cookie, and then from one that has just been told to keep them.
func TestBrowserWithoutCookies(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		before, users := len(s.Sessions()), len(s.Users())
		for _, tt := range []struct {
			path, form string
			typed      url.Values
		}{
			{"/sign-in?next=%2Faccount", "form#sign-in", apptest.Anna.Credentials()},
			{"/sign-up?next=%2Faccount", "form#sign-up", apptest.Ben.Form()},
			{"/reset-password?token=" + s.ResetToken(apptest.Anna.Email), "form#reset-password", apptest.Twice(apptest.AnotherPassword)},
		} {
			v := s.VisitWithoutCookies(t)
			var page *apptest.Answer
			for range 2 { // also when the page is reloaded
				page = v.Get(tt.path).Wants(http.StatusOK).Page()
				if text := page.Text(".form-error"); text != "" {
					page.Failf("it says %q before it can know", text)
				}
			}
			for range 2 { // a session a time would be left
				a := v.Submit(page, tt.form, tt.typed, options...).Wants(http.StatusUnprocessableEntity).Keeps("session").Harmless()
				if text := a.Text(".form-error"); text != noCookies {
					a.Failf("it says %q", text)
				}
				for name, values := range tt.typed {
					if got := a.Value(name); !strings.Contains(name, "password") && got != values[0] {
						a.Failf("%s holds %q, want what was typed", name, got)
					}
				}
			}
			if len(s.Sessions()) != before || len(s.Users()) != users {
				t.Error("there is a new row")
			}
			allowed := s.Visit(t)
			a := allowed.Submit(page, tt.form, tt.typed, options...).Wants(http.StatusUnprocessableEntity)
			allowed.Submit(a, tt.form, tt.typed, options...)
			if !allowed.SignedIn() {
				t.Errorf("%s does not sign in with cookies", tt.path)
			}
			before, users = len(s.Sessions()), len(s.Users())
		}
	})
}

// TestSiteOnHTTPSOpenedByHTTP opens a site by http that is on https, so that the browser
// drops its cookies.
func TestSiteOnHTTPSOpenedByHTTP(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		headers map[string]string
		page    string // what the page says
		form    string // what the form says once it is sent
	}{
		"browser":                    {map[string]string{"Upgrade-Insecure-Requests": "1", "Origin": "http://192.0.2.7:8080"}, noHTTPS, noHTTPS},
		"browser behind a proxy":     {map[string]string{"Upgrade-Insecure-Requests": "1", "Origin": "http://192.0.2.7:8080", "X-Forwarded-For": "192.0.2.9"}, "", noHTTPS},
		"https behind a proxy":       {map[string]string{"Upgrade-Insecure-Requests": "1", "Origin": "https://192.0.2.7:8080", "X-Forwarded-Proto": "https"}, "", noCookies},
		"https behind a silent one":  {map[string]string{"Upgrade-Insecure-Requests": "1", "Origin": "https://192.0.2.7:8080", "Sec-Fetch-Mode": "navigate"}, "", noCookies},
		"http, but cookies are kept": {map[string]string{"Upgrade-Insecure-Requests": "1", "Origin": "http://192.0.2.7:8080", "Cookie": "__Host-probe=1"}, "", "Wrong email, username or password."},
		"another program":            {nil, "", noCookies},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OverHTTPS)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				ask := func(method, body string) *apptest.Answer {
					r := httptest.NewRequestWithContext(t.Context(), method, "http://192.0.2.7:8080/sign-in", strings.NewReader(body))
					r.Header.Set("Content-Type", apptest.FormType)
					for name, value := range tt.headers {
						if name != "Origin" || method == http.MethodPost {
							r.Header.Set(name, value)
						}
					}
					w := s.Serve(r)
					response := w.Result()
					response.Request = r
					return apptest.NewAnswer(t, response, w.Body.String())
				}
				a := ask(http.MethodGet, "").Wants(http.StatusOK)
				if got := a.Text(".form-error"); got != tt.page {
					t.Errorf("the page says %q, want %q", got, tt.page)
				}
				typed := apptest.With(apptest.Anna.Credentials(), "cookies_expected", a.Value("cookies_expected"))
				if got := ask(http.MethodPost, typed.Encode()).Wants(http.StatusUnprocessableEntity).Text(".form-error"); got != tt.form {
					t.Errorf("the form says %q, want %q", got, tt.form)
				}
			})
		}
	})
}
