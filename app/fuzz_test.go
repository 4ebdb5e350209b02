package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"vestibule/app/apptest"
	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// hostileForms are bodies that no browser sends.
var hostileForms = []struct{ kind, body string }{
	{apptest.FormType, ""},
	{apptest.FormType, apptest.Anna.Form().Encode()},
	{apptest.FormType, "&&&&===="},
	{apptest.FormType, "username"},
	{apptest.FormType, "username=a&username=anna.smith&username=%00"},
	{apptest.FormType, strings.Repeat("username=a&", 5000)},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "username", "anna\x00smith", "first_name", "\x00").Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "first_name", "\xff\xfe", "last_name", "\xed\xa0\x80", "email", "a\x80@example.com").Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "first_name", "<script>alert(1)</script>", "last_name", `" onload="alert(1)`).Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "username", "'; DROP TABLE users; --", "login", "' OR 1=1 --", "email", "a'b@example.com").Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "password", strings.Repeat("a\u0301", 5000)).Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "first_name", strings.Repeat("Z\u0335\u0321\u0322", 30)).Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "email", `"a b"@example.com`).Encode()},
	{apptest.FormType, apptest.With(apptest.Anna.Form(), "email", "a@"+strings.Repeat("x.", 100)+"com").Encode()},
	{apptest.FormType, "login=anna&password=" + strings.Repeat("%F0%9F%90%8E", 4000)},
	{apptest.FormType, "username=%"},
	{apptest.FormType, "username=%u0041;password=b"},
	{apptest.FormType, strings.Repeat("a", 64<<10+1)},
	{apptest.FormType + "; charset=utf-16", "\xff\xfeu\x00"},
	{"application/json", `{"username":"anna"}`},
	{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nanna\r\n--x--"},
	{"multipart/form-data", ""},
	{"text/html;;;", "<form>"},
	{"", "username=anna.smith"},
	{"\x00", "\x00"},
}

func TestHostileForms(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for i, hostile := range hostileForms {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				for _, path := range []string{"/sign-up", "/sign-in", "/sign-up/check?field=username", "/password-strength"} {
					wantsCalm(t, s, path, hostile.kind, hostile.body)
				}
			})
		}
	})
}

// wantsCalm wants an answer to a form that is no server error, and no script.
func wantsCalm(t *testing.T, s *apptest.Site, path, kind, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header["Content-Type"] = []string{kind}
	w := s.Serve(r)
	switch w.Code {
	case http.StatusOK, http.StatusSeeOther, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
	default:
		t.Errorf("%s answers %d", path, w.Code)
	}
	response := w.Result()
	response.Request = r
	apptest.NewAnswer(t, response, w.Body.String()).Harmless()
	return w
}

// fuzzSite is a site on SQLite with one user, anna, who is signed in somewhere.
func fuzzSite(f *testing.F) *apptest.Site {
	f.Helper()
	ctx := context.Background()
	db, err := models.Open(ctx, "sqlite:"+filepath.Join(f.TempDir(), "fuzz.db"), 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	if _, err := migrations.Up(ctx, db); err != nil {
		f.Fatal(err)
	}
	s := apptest.NewSite(f, db)
	s.Join(apptest.Anna)
	return s
}

func FuzzSessionCookie(f *testing.F) {
	s := fuzzSite(f)
	for _, cookie := range []string{
		"", "session", "session=", "session=A", "session=" + strings.Repeat("A", 43), "session=" + strings.Repeat("A", 42) + "B",
		`session="` + strings.Repeat("A", 43) + `"`, "session=%00", "session=%zz", "session=\xff\x00", "session=a; session=b", "session==",
		"session=" + strings.Repeat("_", 43) + "%0A", "__Host-session=" + strings.Repeat("A", 43), "session=' OR 1=1 --", "toast=welcome; session=;",
		"session=" + strings.Repeat("A", 10_000), ";;;=;=;", "toast=<script>alert(1)</script>", "browser=" + strings.Repeat("A", 43),
	} {
		f.Add(cookie)
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		for _, name := range []string{"session", "toast", "browser"} {
			cookie = strings.ReplaceAll(cookie, name+"=", s.CookieName(name)+"=")
		}
		for _, path := range []string{"/", "/dashboard"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header["Cookie"] = []string{cookie}
			w := s.Serve(r)
			switch {
			case path == "/" && (w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="/sign-in"`)):
				t.Errorf("%s answers %d to the cookie %q", path, w.Code, cookie)
			case path == "/dashboard" && (w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sign-in"):
				t.Errorf("%s answers %d to the cookie %q", path, w.Code, cookie)
			}
		}
	})
}

func FuzzSignUp(f *testing.F) {
	s := fuzzSite(f)
	for _, hostile := range hostileForms {
		f.Add(hostile.kind, []byte(hostile.body))
	}
	f.Add(apptest.FormType, []byte(apptest.Ben.Form().Encode()))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if w := wantsCalm(t, s, "/sign-up", kind, string(body)); w.Code != http.StatusSeeOther {
			return
		}
		u := new(models.User)
		if err := s.DB.Bun().NewSelect().Model(u).Order("id DESC").Limit(1).Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, field := range map[string]struct {
			value    string
			min, max int
		}{
			"username": {u.Username, 5, 32}, "first name": {u.FirstName, 1, 100}, "last name": {u.LastName, 1, 100}, "email": {u.Email, 3, 254},
		} {
			if n := utf8.RuneCountInString(field.value); n < field.min || n > field.max || !utf8.ValidString(field.value) ||
				strings.TrimSpace(field.value) != field.value || strings.ContainsAny(field.value, "\x00\r\n\u202e") {
				t.Errorf("a user joined with the %s %q", name, field.value)
			}
		}
		wantsCalm(t, s, "/sign-up/check?field=email", kind, string(body))
	})
}

func FuzzSignIn(f *testing.F) {
	s := fuzzSite(f)
	for _, hostile := range hostileForms {
		f.Add(hostile.kind, []byte(hostile.body))
	}
	f.Add(apptest.FormType, []byte(apptest.Credentials("anna.smith", "wrong").Encode()))
	f.Add(apptest.FormType, []byte(apptest.Credentials("anna@example.com", "' OR ''='").Encode()))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if strings.Contains(string(body), "correct") {
			t.Skip("it may know the password")
		}
		w := wantsCalm(t, s, "/sign-in", kind, string(body))
		if w.Code == http.StatusOK || w.Code == http.StatusSeeOther || strings.Contains(w.Header().Get("Set-Cookie"), "session") {
			t.Errorf("%q is let in with %d", body, w.Code)
		}
	})
}

// FuzzToken opens mailed links that nobody has sent.
func FuzzToken(f *testing.F) {
	s := fuzzSite(f)
	for _, token := range []string{
		"", "A", strings.Repeat("A", 43), strings.Repeat("A", 42) + "B", strings.Repeat("A", 44), strings.Repeat("A", 43) + "=", strings.Repeat("-_", 21) + "A",
		"' OR 1=1 --", "\x00", "\xff", "<script>alert(1)</script>", strings.Repeat("A", 20) + "\n" + strings.Repeat("A", 22), "%00", strings.Repeat("A", 10_000),
	} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		for _, path := range []string{"/verify-email", "/verify-email/password", "/reset-password"} {
			query := url.Values{"token": {token}}
			if len(query.Encode()) > 16<<10 {
				t.Skip("no server takes a line so long")
			}
			w := s.Serve(httptest.NewRequest(http.MethodGet, path+"?"+query.Encode(), nil))
			if w.Code != http.StatusGone || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s answers %d to the token %q", path, w.Code, token)
			}
			query.Set("password", "zuvokelimantra 38")
			query.Set("confirm_password", "zuvokelimantra 38")
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(query.Encode()))
			r.Header.Set("Content-Type", apptest.FormType)
			if w := s.Serve(r); w.Code != http.StatusGone || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s answers %d to a form with the token %q", path, w.Code, token)
			}
		}
	})
}
