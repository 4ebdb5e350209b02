//go:build linux || darwin || freebsd

package main_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"vestibule/app/apptest"
)

// caller is somebody who talks to the site past any browser, keeps its cookies
// and follows no redirect.
type caller struct {
	t      *testing.T
	site   *site
	client *http.Client
}

func (s *site) caller(t *testing.T) *caller {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t, s, &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1},
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is what the site answered. The zero reply is none, as from a site that
// is down.
type reply struct {
	status int
	header http.Header
	body   string
	last   bool // before the site hangs up
}

func (c *caller) get(path string) reply { return c.read(c.client.Get(c.site.url + path)) }

func (c *caller) post(path string, form url.Values) reply {
	return c.read(c.client.PostForm(c.site.url+path, form))
}

func (c *caller) signIn(p apptest.Person) reply {
	return c.post("/sign-in", url.Values{"login": {p.Username}, "password": {p.Password}})
}

func (c *caller) read(answer *http.Response, err error) reply {
	if err != nil {
		return reply{}
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return reply{}
	}
	return reply{answer.StatusCode, answer.Header, string(body), answer.Close}
}

// wantsStatus wants the answer to have that status.
func (c *caller) wantsStatus(got reply, what string, want int) {
	c.t.Helper()
	if got.status != want {
		c.t.Errorf("%s: %d, want %d\n%s", what, got.status, want, got.body)
	}
}

// wants wants one of these answers: a status, or 503 with the page that says
// that the database is away.
func (c *caller) wants(got reply, what string, statuses ...int) {
	c.t.Helper()
	for _, want := range statuses {
		if got.status == want {
			if want == http.StatusServiceUnavailable {
				c.wantsBackInAMoment(got, what)
			}
			return
		}
	}
	c.t.Errorf("%s: %d (to %s), want %d\n%s", what, got.status, got.header.Get("Location"), statuses, got.body)
}

// wantsBackInAMoment wants a page in the site's layout that asks to come again
// and shows nothing of what is inside.
func (c *caller) wantsBackInAMoment(got reply, what string) {
	c.t.Helper()
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.header.Get("Cache-Control") != "no-store" {
		c.t.Errorf("%s: %d with %v", what, got.status, got.header)
	}
	for _, part := range []string{"<!doctype html>", "<header", "Back in a moment", got.header.Get("X-Request-Id")} {
		if !strings.Contains(got.body, part) {
			c.t.Errorf("%s: the page has no %q:\n%s", what, part, got.body)
		}
	}
	page := strings.ReplaceAll(got.body, got.header.Get("X-Request-Id"), "") // whose letters are random
	for _, secret := range []string{"goroutine", "SQL", "pgdriver", "sqlite", "tcp", "timeout"} {
		if strings.Contains(page, secret) {
			c.t.Errorf("%s: the page tells of %q:\n%s", what, secret, got.body)
		}
	}
}
