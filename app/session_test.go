package app_test

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
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSessionIsStoredAsAHash(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		token := s.cookie("session")
		secret, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(secret) != 32 {
			t.Fatalf("the cookie holds %d bytes (%v), want 32", len(secret), err)
		}
		hash := sha256.Sum256(secret)
		if !bytes.Equal(s.session().TokenHash, hash[:]) {
			t.Error("the row does not hold the SHA-256 of the token")
		}
		for _, table := range []string{"sessions", "users", "tokens", "mails", "browsers"} {
			if row := s.dump(table); strings.Contains(row, token) || strings.Contains(row, string(secret)) || strings.Contains(row, anna().Get("password")) {
				t.Errorf("the table %s holds the token or the password: %q", table, row)
			}
		}
	})
}

// dump returns every value of a table.
func (s *site) dump(table string) string {
	s.t.Helper()
	rows, err := s.db.Bun().QueryContext(s.t.Context(), "SELECT * FROM "+table)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		s.t.Fatal(err)
	}
	var all bytes.Buffer
	for rows.Next() {
		values, targets := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			s.t.Fatal(err)
		}
		all.Write(bytes.Join(values, []byte("|")))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return all.String()
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*app.Config)
		name   string
		secure bool
	}{
		"http on localhost": {func(*app.Config) {}, "session", false},
		"https":             {overHTTPS, "__Host-session", true},
		"https in capitals": {func(c *app.Config) { c.BaseURL = "https://EXAMPLE.com/" }, "__Host-session", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := newSite(t, db, tt.change)
				a := s.post("/sign-up", anna()).leadsTo("/dashboard")
				for _, c := range a.Cookies() {
					if c.Path != "/" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != tt.secure || c.Domain != "" ||
						strings.HasPrefix(c.Name, "__Host-") != tt.secure {
						t.Errorf("the cookie is %s", c.Raw)
					}
				}
				c := a.sets(tt.name)
				if c == nil {
					t.Fatalf("there is no cookie %s in %v", tt.name, a.Cookies())
				}
				if max := int(idle.Seconds()); c.MaxAge > max || c.MaxAge < max-600 {
					t.Errorf("Max-Age is %d, want %d", c.MaxAge, max)
				}
				if !s.signedIn() {
					t.Error("the cookie lets nobody in")
				}
				hsts := ""
				if tt.secure {
					hsts = "max-age=63072000; includeSubDomains"
				}
				for _, path := range []string{"/", "/dashboard", "/no-such-page", "/favicon.ico", "/healthz", "/assets/none.css"} {
					s.get(path).wantsHeader("Strict-Transport-Security", hsts)
				}
				s.post("/sign-out", nil).leadsTo("/").clears(tt.name)
			})
		})
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, options := range map[string][]option{"plain": nil, "htmx": {htmx}} {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, db)
				person := anna()
				if name == "htmx" {
					person = ben()
				}
				s.join(person)
				other := s.visit(t)
				other.post("/sign-in", credentials(person.Get("email"), person.Get("password"))).leadsTo("/dashboard")
				token := s.cookie("session")
				before := len(s.sessions())

				s.post("/sign-out", nil, options...).leadsTo("/").clears("session")
				if got := s.get("/").text("#toasts"); !strings.Contains(got, "You are signed out.") {
					t.Errorf("the toast says %q", got)
				}
				if s.signedIn() || len(s.sessions()) != before-1 {
					t.Error("the session is still there")
				}
				if !other.signedIn() {
					t.Error("another browser is signed out too")
				}
				thief := s.visit(t)
				thief.keep("session", token)
				thief.get("/dashboard").leadsTo("/sign-in").clears("session")

				s.post("/sign-out", nil, options...).leadsTo("/") // twice does no harm
			})
		}
	})
}

func TestDeadCookiesAreCleared(t *testing.T) {
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
		"hash in place of token":  {func(token string) string { return hashOf(token) }, 1},
		"very long":               {func(string) string { return strings.Repeat("A", 8000) }, 0},
		"unicode, percent-coded":  {func(string) string { return "%F0%9F%90%8E" }, 0},
		"NUL, percent-coded":      {func(token string) string { return token + "%00" }, 0},
		"line break, percent-co.": {func(token string) string { return token + "%0A" }, 0},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := watch(db)
		s := newSite(t, db)
		s.join(anna())
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				for _, path := range []string{"/", "/sign-in"} {
					v := s.visit(t)
					cookie := header("Cookie", "session="+tt.cookie(s.cookie("session")))
					var a *answer
					if got := q.during(func() { a = v.get(path, cookie) }); len(got) != tt.queries {
						t.Errorf("%d queries, want %d: %q", len(got), tt.queries, got)
					}
					a.wants(http.StatusOK).clears("session")
					if a.text("header nav") != "Sign in Sign up" {
						t.Error("a stranger is signed in")
					}
				}
				s.visit(t).get("/dashboard", header("Cookie", "session="+tt.cookie(s.cookie("session")))).leadsTo("/sign-in").clears("session")
			})
		}
		if !s.signedIn() {
			t.Error("the living session is gone")
		}
		if a := s.visit(t).get("/"); len(a.Cookies()) > 0 {
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

func hashOf(token string) string {
	secret, _ := base64.RawURLEncoding.DecodeString(token)
	hash := sha256.Sum256(secret)
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func TestExpiredSession(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := watch(db)
		s := newSite(t, db)
		s.join(anna())
		s.age("expires_at", time.Now())
		var a *answer
		if got := q.during(func() { a = s.get("/account") }); len(got) != 1 {
			t.Errorf("%d queries, want 1: %q", len(got), got)
		}
		a.leadsTo("/sign-in?next=%2Faccount").clears("session")
		s.post("/sign-in?next=%2Faccount", annas()).leadsTo("/account")
		if !s.signedIn() {
			t.Error("the person cannot sign in again")
		}
	})
}

func TestSessionCostsOneQuery(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := watch(db)
		s := newSite(t, db)
		s.join(anna())
		for _, path := range []string{"/", "/dashboard", "/account", "/no-such-page"} {
			got := q.during(func() { s.get(path) })
			if len(got) != 1 || !strings.HasPrefix(got[0], "SELECT") {
				t.Errorf("%s does %d queries, want one SELECT: %q", path, len(got), got)
			}
		}
		v := s.visit(t)
		for _, path := range []string{"/", "/sign-in", "/sign-up", "/dashboard", "/no-such-page"} {
			if got := q.during(func() { v.get(path) }); len(got) > 0 {
				t.Errorf("%s does %d queries for a stranger, want none: %q", path, len(got), got)
			}
		}
		page := s.get("/dashboard")
		page.find("link[href^='/assets/'], script[src^='/assets/']").Each(func(_ int, e selection) {
			path := e.AttrOr("href", e.AttrOr("src", ""))
			if got := q.during(func() { s.get(path).wants(http.StatusOK) }); len(got) > 0 {
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
		"new":                    {0, idle, idle},
		"just not at half":       {15*day - time.Hour, 15*day + time.Hour, 15*day + time.Hour},
		"just past half":         {15*day + time.Hour, 15*day - time.Hour, idle},
		"about to end":           {30 * day, time.Hour, idle},
		"near the maximum":       {most - 10*day, 5 * day, 10 * day},
		"at the maximum":         {most - 10*day, 10 * day, 10 * day},
		"maximum further than":   {most - idle - day, day, idle},
		"maximum lowered since":  {most + day, day, day},
		"half, and maximum near": {most - 20*day, 15*day - time.Hour, 20 * day},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				start := time.Now().Truncate(time.Microsecond)
				s.age("created_at", start.Add(-tt.age))
				s.age("last_seen_at", start)
				s.age("expires_at", start.Add(tt.left))
				a := s.get("/dashboard").wants(http.StatusOK)
				end := time.Now()

				expires := s.session().ExpiresAt
				if expires.Before(start.Add(tt.want)) || expires.After(end.Add(tt.want)) {
					t.Errorf("it ends in %v, want in %v", expires.Sub(start), tt.want)
				}
				if limit := start.Add(-tt.age).Add(most); tt.age <= most && expires.After(limit) {
					t.Errorf("it ends %v after the maximum", expires.Sub(limit))
				}
				c := a.sets("session")
				if renewed := tt.want != tt.left; renewed != (c != nil) {
					t.Fatalf("the cookie sent again is %v, want one: %v", c, renewed)
				}
				if c == nil {
					return
				}
				if c.Value != s.cookie("session") || c.MaxAge < int(expires.Sub(end).Seconds()) || c.MaxAge > int(expires.Sub(start).Seconds()) {
					t.Errorf("the cookie lasts %d seconds, the session %v", c.MaxAge, expires.Sub(start))
				}
			})
		}
	})
}

func TestLastSeenIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		q := watch(db)
		s := newSite(t, db)
		s.join(anna())
		s.age("last_seen_at", time.Now().Add(-time.Minute))
		before := time.Now().Truncate(time.Microsecond)
		if got := q.during(func() { s.get("/dashboard") }); len(got) != 2 || !strings.HasPrefix(got[1], "UPDATE") {
			t.Errorf("after a minute: %d queries, want a SELECT and an UPDATE: %q", len(got), got)
		}
		if seen := s.session().LastSeenAt; seen.Before(before) {
			t.Errorf("last seen is %v, want %v or later", seen, before)
		}
		s.age("last_seen_at", time.Now().Add(time.Hour)) // so that no minute passes
		for range 3 {
			if got := q.during(func() { s.get("/dashboard") }); len(got) != 1 {
				t.Errorf("within the minute: %d queries, want 1: %q", len(got), got)
			}
		}
	})
}

func TestDeletedUserIsSignedOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.visit(t).join(ben())
		_, err := db.Bun().NewDelete().Model((*models.User)(nil)).Where("username = 'anna.smith'").Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.signedIn() {
			t.Error("a deleted user is signed in")
		}
		if left := s.session(); left.UserID != s.users()[0].ID {
			t.Error("the session that is left is not the other's")
		}
	})
}

func TestCaching(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		stranger := s.visit(t)
		s.join(anna())
		for _, path := range []string{"/", "/dashboard", "/account", "/no-such-page", "/sign-in"} {
			s.get(path).wantsHeader("Cache-Control", "no-store")
			s.get(path, htmx).wantsHeader("Cache-Control", "no-store")
		}
		s.post("/account", with(anna(), "first_name", "")).wants(http.StatusUnprocessableEntity).wantsHeader("Cache-Control", "no-store")
		stranger.get("/").wantsHeader("Cache-Control", "no-cache")
		stranger.get("/dashboard").wantsHeader("Cache-Control", "no-store")
		for _, path := range []string{"/", "/sign-in", "/sign-up"} {
			if vary := stranger.get(path).Header.Get("Vary"); !strings.Contains(vary, "Cookie") {
				t.Errorf("%s varies by %q, want Cookie in it", path, vary)
			}
		}
	})
}
