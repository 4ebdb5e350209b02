package web_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSessionIsStoredAsAHash(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		token := s.Cookie("session")
		secret, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(secret) != 32 {
			t.Fatalf("the cookie holds %d bytes (%v), want 32", len(secret), err)
		}
		hash := sha256.Sum256(secret)
		if !bytes.Equal(s.Session().TokenHash, hash[:]) {
			t.Error("the row does not hold the SHA-256 of the token")
		}
		for _, table := range []string{"sessions", "users", "tokens", "mails", "browsers"} {
			if row := s.Dump(table); strings.Contains(row, token) || strings.Contains(row, string(secret)) || strings.Contains(row, apptest.Anna.Password) {
				t.Errorf("the table %s holds the token or the password: %q", table, row)
			}
		}
	})
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	const localhost = "" // gets no Strict-Transport-Security
	tests := map[string]struct{ base, name, hsts string }{
		"https":                        {"https://example.com", "__Host-session", "max-age=63072000; includeSubDomains"},
		"https in capitals":            {"https://EXAMPLE.com/", "__Host-session", "max-age=63072000; includeSubDomains"},
		"https on another port":        {"https://example.com:8443", "__Host-session", "max-age=63072000; includeSubDomains"},
		"https, localhost in its name": {"https://localhost.example.com", "__Host-session", "max-age=63072000; includeSubDomains"},
		"https on localhost":           {"https://localhost:8443", "__Host-session-8443", localhost},
		"https on Localhost.":          {"https://Localhost.", "__Host-session-443", localhost},
		"https below localhost":        {"https://app.localhost", "__Host-session-443", localhost},
		"https on 127.0.0.1":           {"https://127.0.0.1:8443", "__Host-session-8443", localhost},
		"https on ::1":                 {"https://[::1]:8443", "__Host-session-8443", localhost},
		"http on localhost":            {"http://localhost", "session-80", localhost},
		"http on localhost, with port": {"http://localhost:8080", "session-8080", localhost},
		"http on ::1":                  {"http://[::1]:8080", "session-8080", localhost},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, func(c *app.Config) { c.BaseURL = tt.base })
				a := s.Post("/sign-up", apptest.Anna.Form()).LeadsTo("/dashboard")
				secure := strings.HasPrefix(tt.base, "https")
				for _, c := range a.Cookies() {
					if c.Path != "/" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Domain != "" ||
						strings.HasPrefix(c.Name, "__Host-") != secure {
						t.Errorf("the cookie is %s", c.Raw)
					}
				}
				c := sets(a, tt.name)
				if c == nil {
					t.Fatalf("there is no cookie %s in %v", tt.name, a.Cookies())
				}
				if max := int(apptest.SessionIdle.Seconds()); c.MaxAge > max || c.MaxAge < max-600 {
					t.Errorf("Max-Age is %d, want %d", c.MaxAge, max)
				}
				if !s.SignedIn() {
					t.Error("the cookie lets nobody in")
				}
				for _, path := range []string{"/", "/dashboard", "/no-such-page", "/favicon.ico", "/healthz", "/assets/none.css"} {
					s.Get(path).WantsHeader("Strict-Transport-Security", tt.hsts)
				}
				if c := sets(s.Post("/sign-out", nil).LeadsTo("/"), tt.name); c == nil || c.MaxAge >= 0 {
					t.Errorf("the cookie is not cleared: %v", c)
				}
			})
		})
	}
}

// sets returns the cookie with exactly that name that the answer sets, or nil.
func sets(a *apptest.Answer, name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// TestProgramsOnLocalhost opens two sites in one browser, which sends the cookies of each
// to both, because cookies ignore ports.
func TestProgramsOnLocalhost(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		first, second := apptest.NewSite(t, db), apptest.NewSite(t, db)
		here := first.Visit(t)
		there := *here // the same browser
		there.Site = second
		here.Join(apptest.Anna)
		there.Join(apptest.Ben)
		there.Get("/dashboard").Says("Welcome! Your account is ready")
		here.Get("/dashboard").Says("Hello, Anna").Says("Welcome! Your account is ready")
		there.Post("/sign-out", nil).LeadsTo("/")
		if !here.SignedIn() || there.SignedIn() {
			t.Error("one site signs out of the other, or nobody does")
		}

		foreign := "session=" + strings.Repeat("A", 43) + "; toast=welcome; browser=" + strings.Repeat("x", 4000) + "; probe=0; __Host-session=y"
		for _, path := range []string{"/", "/sign-in", "/dashboard"} {
			a := first.Visit(t).Get(path, apptest.Header("Cookie", foreign))
			for _, c := range a.Cookies() {
				if !strings.HasSuffix(c.Name, here.Site.CookieName("")) {
					a.Failf("the cookie %s of another program is touched", c.Name)
				}
			}
			if got := a.Text("#toasts"); got != "" {
				a.Failf("a foreign toast says %q", got)
			}
		}
	})
}

// TestDeadCookiesSignNobodyIn also wants the browser to keep the cookie: when the answer
// arrives, it may have the one of a newer session.
func TestDeadCookiesSignNobodyIn(t *testing.T) {
	t.Parallel()
	unknown := func() string {
		secret := make([]byte, 32)
		rand.Read(secret)
		return base64.RawURLEncoding.EncodeToString(secret)
	}
	tests := map[string]struct {
		cookie  func(token string) string
		queries int
	}{
		"unknown":                 {func(string) string { return unknown() }, 1},
		"another case":            {func(token string) string { return swapCase(token) }, 1},
		"too short":               {func(token string) string { return token[1:] }, 0},
		"too long":                {func(token string) string { return token + "A" }, 0},
		"padded":                  {func(token string) string { return token + "=" }, 0},
		"standard base64":         {func(token string) string { return strings.Repeat("+", 43) }, 0},
		"spare bits set":          {func(string) string { return strings.Repeat("A", 42) + "B" }, 0},
		"empty":                   {func(string) string { return "" }, 0},
		"text":                    {func(string) string { return "admin" }, 0},
		"percent":                 {func(string) string { return "%" }, 0},
		"SQL":                     {func(string) string { return "'%20OR%201=1--" }, 0},
		"hash in place of token":  {func(token string) string { return apptest.HashOf(token) }, 1},
		"very long":               {func(string) string { return strings.Repeat("A", 8000) }, 0},
		"unicode, percent-coded":  {func(string) string { return "%F0%9F%90%8E" }, 0},
		"NUL, percent-coded":      {func(token string) string { return token + "%00" }, 0},
		"line break, percent-co.": {func(token string) string { return token + "%0A" }, 0},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				for _, path := range []string{"/", "/sign-in"} {
					v := s.Visit(t)
					cookie := apptest.Header("Cookie", s.CookieName("session")+"="+tt.cookie(s.Cookie("session")))
					var a *apptest.Answer
					if got := q.During(func() { a = v.Get(path, cookie) }); len(got) != tt.queries {
						t.Errorf("%d queries, want %d: %q", len(got), tt.queries, got)
					}
					a.Wants(http.StatusOK).Keeps("session")
					if a.Text("header nav") != "Sign in Sign up" {
						t.Error("a stranger is signed in")
					}
				}
				s.Visit(t).Get("/dashboard", apptest.Header("Cookie", s.CookieName("session")+"="+tt.cookie(s.Cookie("session")))).LeadsTo("/sign-in").Keeps("session")
			})
		}
		if !s.SignedIn() {
			t.Error("the living session is gone")
		}
		if a := s.Visit(t).Get("/"); len(a.Cookies()) > 0 {
			t.Errorf("a browser without a cookie is told to forget: %v", a.Cookies())
		}
	})
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Y': // the last letter stays one without spare bits
			return r - 'A' + 'a'
		}
		return r
	}, s[:42]) + s[42:]
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Age("expires_at", time.Now())
		var a *apptest.Answer
		if got := q.During(func() { a = s.Get("/account") }); len(got) != 1 {
			t.Errorf("%d queries, want 1: %q", len(got), got)
		}
		a.LeadsTo("/sign-in?next=%2Faccount").Keeps("session")
		s.Post("/sign-in?next=%2Faccount", apptest.Anna.Credentials()).LeadsTo("/account")
		if !s.SignedIn() {
			t.Error("the person cannot sign in again")
		}
	})
}

func TestSessionCostsOneQuery(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for _, path := range []string{"/", "/account", "/no-such-page"} {
			got := q.During(func() { s.Get(path) })
			if len(got) != 1 || !strings.HasPrefix(got[0], "SELECT") {
				t.Errorf("%s does %d queries, want one SELECT: %q", path, len(got), got)
			}
		}
		v := s.Visit(t)
		for _, path := range []string{"/", "/sign-in", "/sign-up", "/dashboard", "/no-such-page"} {
			if got := q.During(func() { v.Get(path) }); len(got) > 0 {
				t.Errorf("%s does %d queries for a stranger, want none: %q", path, len(got), got)
			}
		}
		page := s.Get("/dashboard")
		page.Find("link[href^='/assets/'], script[src^='/assets/']").Each(func(_ int, e apptest.Selection) {
			path := e.AttrOr("href", e.AttrOr("src", ""))
			if got := q.During(func() { s.Get(path).Wants(http.StatusOK) }); len(got) > 0 {
				t.Errorf("%s does %d queries, want none: %q", path, len(got), got)
			}
		})
	})
}

func TestSessionRenewal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		age, left time.Duration // since sign-in, until it ends
		want      time.Duration // until it ends after a request
	}{
		"new":                    {0, apptest.SessionIdle, apptest.SessionIdle},
		"just not at half":       {15*apptest.Day - time.Hour, 15*apptest.Day + time.Hour, 15*apptest.Day + time.Hour},
		"just past half":         {15*apptest.Day + time.Hour, 15*apptest.Day - time.Hour, apptest.SessionIdle},
		"about to end":           {30 * apptest.Day, time.Hour, apptest.SessionIdle},
		"near the maximum":       {apptest.SessionMax - 10*apptest.Day, 5 * apptest.Day, 10 * apptest.Day},
		"at the maximum":         {apptest.SessionMax - 10*apptest.Day, 10 * apptest.Day, 10 * apptest.Day},
		"maximum further than":   {apptest.SessionMax - apptest.SessionIdle - apptest.Day, apptest.Day, apptest.SessionIdle},
		"maximum lowered since":  {apptest.SessionMax + apptest.Day, apptest.Day, apptest.Day},
		"half, and maximum near": {apptest.SessionMax - 20*apptest.Day, 15*apptest.Day - time.Hour, 20 * apptest.Day},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				start := time.Now().Truncate(time.Microsecond)
				s.Age("created_at", start.Add(-tt.age))
				s.Age("last_seen_at", start)
				s.Age("expires_at", start.Add(tt.left))
				a := s.Get("/dashboard").Wants(http.StatusOK)
				end := time.Now()

				expires := s.Session().ExpiresAt
				if expires.Before(start.Add(tt.want)) || expires.After(end.Add(tt.want)) {
					t.Errorf("it ends in %v, want in %v", expires.Sub(start), tt.want)
				}
				if limit := start.Add(-tt.age).Add(apptest.SessionMax); tt.age <= apptest.SessionMax && expires.After(limit) {
					t.Errorf("it ends %v after the maximum", expires.Sub(limit))
				}
				c := a.Sets("session")
				if renewed := tt.want != tt.left; renewed != (c != nil) {
					t.Fatalf("the cookie sent again is %v, want one: %v", c, renewed)
				}
				if c == nil {
					return
				}
				if c.Value != s.Cookie("session") || c.MaxAge < int(expires.Sub(end).Seconds()) || c.MaxAge > int(expires.Sub(start).Seconds()) {
					t.Errorf("the cookie lasts %d seconds, the session %v", c.MaxAge, expires.Sub(start))
				}
			})
		}
	})
}

func TestLastSeenIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := apptest.Watch(db)
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Age("last_seen_at", time.Now().Add(-time.Minute))
		before := time.Now().Truncate(time.Microsecond)
		if got := q.During(func() { s.Get("/account") }); len(got) != 2 || !strings.HasPrefix(got[1], "UPDATE") {
			t.Errorf("after a minute: %d queries, want a SELECT and an UPDATE: %q", len(got), got)
		}
		if seen := s.Session().LastSeenAt; seen.Before(before) {
			t.Errorf("last seen is %v, want %v or later", seen, before)
		}
		s.Age("last_seen_at", time.Now().Add(time.Hour)) // so that no minute passes
		for range 3 {
			if got := q.During(func() { s.Get("/account") }); len(got) != 1 {
				t.Errorf("within the minute: %d queries, want 1: %q", len(got), got)
			}
		}
	})
}

func TestDeletedUserIsSignedOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		_, err := db.Bun().NewDelete().Model((*models.User)(nil)).Where("username = 'anna.smith'").Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.SignedIn() {
			t.Error("a deleted user is signed in")
		}
		if left := s.Session(); left.UserID != s.Users()[0].ID {
			t.Error("the session that is left is not the other's")
		}
	})
}

func TestCaching(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		stranger := s.Visit(t)
		s.Join(apptest.Anna)
		for _, path := range []string{"/", "/dashboard", "/account", "/no-such-page", "/sign-in"} {
			s.Get(path).WantsHeader("Cache-Control", "no-store")
			s.Get(path, apptest.HTMX).WantsHeader("Cache-Control", "no-store")
		}
		s.Post("/account", apptest.With(apptest.Anna.Form(), "first_name", "")).Wants(http.StatusUnprocessableEntity).WantsHeader("Cache-Control", "no-store")
		stranger.Get("/").WantsHeader("Cache-Control", "no-cache")
		stranger.Get("/dashboard").WantsHeader("Cache-Control", "no-store")
		for _, path := range []string{"/", "/sign-in", "/sign-up"} {
			if vary := stranger.Get(path).Header.Get("Vary"); !strings.Contains(vary, "Cookie") {
				t.Errorf("%s varies by %q, want Cookie in it", path, vary)
			}
		}
	})
}
