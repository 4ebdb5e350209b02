package app_test

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestLogOfAnyRequest sends links that a mail program or a person mangled, and requests
// with long parts. No line of the log may hold the token, or be long.
func TestLogOfAnyRequest(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		token := s.ResetToken(apptest.Anna.Email) // the site's log must not hold it when the test ends
		long := strings.Repeat("a", 20<<10)
		for path, want := range map[string]string{
			"/reset-password?token=" + token:               "/reset-password",
			"/reset-password%3Ftoken=" + token:             "/…",
			"/reset-password%3ftoken%3d" + token:           "/…",
			"/reset-password/" + token:                     "/reset-password/…",
			"/reset-password/?token=" + token:              "/reset-password/",
			"/reset-password&token=" + token:               "/…",
			"/reset-password;token=" + token:               "/…",
			"/" + token:                                    "/…",
			"/x/http:/localhost/reset-password=" + token:   "/x/…",
			"/robots.txt":                                  "/robots.txt",
			"/wp-admin/admin-ajax.php":                     "/wp-admin/admin-ajax.php",
			"/ada@example.com":                             "/…",
			"/" + long:                                     "/…",
			"/" + strings.Repeat("a/", 10<<10):             strings.Repeat("/a", 51) + "/…",
			"/o/" + long:                                   "/o/:slug",
			"/a%0Ab%1B%5B31m":                              "/…",
			"/assets/" + long:                              "/assets/*name",
			"/assets/reset-password?token=" + token + "/x": "/assets/*name",
		} {
			a := s.Get(path)
			for _, line := range s.Log.Of(a) {
				if line["msg"] == "request" && line["path"] != want {
					t.Errorf("the path of %.100s is logged as %.200q, want %q", path, line["path"], want)
				}
			}
		}
		for name, request := range map[string]string{
			"a long method":     long + " / HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"a long host":       "GET / HTTP/1.1\r\nHost: " + long + "\r\n\r\n",
			"long headers":      "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + long + "\r\nReferer: http://x/?token=" + token + "\r\nX-Request-Id: " + long + "\r\nX-Forwarded-For: " + long + "\r\nCookie: session=" + token + "\r\n\r\n",
			"from another site": "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: http://" + long + "?token=" + token + "\r\nContent-Length: 0\r\n\r\n",
			"a broken header":   "GET / HTTP/1.1\r\nHost: localhost\r\n" + token + "\r\n\r\n",
			"a broken path":     "GET /%zz" + token + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, strings.Replace(request, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			conn.Close()
		}
		for _, line := range s.Log.Lines(t) {
			text, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 1000 {
				t.Errorf("a line of %d bytes: %.300s", len(text), text)
			}
			if strings.Contains(string(text), token) {
				t.Errorf("a line holds the token: %.300s", text)
			}
		}
	})
}
