package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestDevMail reads a mail as text, by its headers and as HTML.
func TestDevMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Get("/dev/mail").Wants(http.StatusOK).Page().Says("No mail yet.")
		s.Join(apptest.Anna)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		page := s.Get("/dev/mail").Wants(http.StatusOK).Page()
		for _, field := range []string{"From: \"Vestibule\" <vestibule@localhost>\n", "To: <" + apptest.Anna.Email + ">\n", "Subject: " + apptest.VerifySubject + "\n", "Message-ID: <", "Auto-Submitted: auto-generated\n"} {
			if !strings.Contains(page.Find("article.mail pre").Last().Text(), field) {
				t.Errorf("the headers are %s, without %q", page.Find("article.mail pre").Last().Text(), field)
			}
		}

		path := page.Find("article.mail header a").AttrOr("href", "")
		for name, tt := range map[string]struct {
			path, address string
			status        int
		}{
			"here":            {path, "127.0.0.1:5000", http.StatusOK},
			"another machine": {path, "192.0.2.7:5000", http.StatusNotFound},
			"an unknown mail": {"/dev/mail/none", "127.0.0.1:5000", http.StatusNotFound},
		} {
			r := httptest.NewRequest(http.MethodGet, tt.path, nil)
			r.RemoteAddr, r.Host = tt.address, "localhost:8080"
			w := s.Serve(r)
			policy := w.Header().Get("Content-Security-Policy")
			if shown := strings.Contains(w.Body.String(), link); w.Code != tt.status || shown != (w.Code == http.StatusOK) || shown != strings.Contains(policy, "'unsafe-inline'") {
				t.Errorf("%s: the answer is %d with the policy %s, want %d:\n%s", name, w.Code, policy, tt.status, w.Body)
			}
			if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script-src 'unsafe") || w.Code == http.StatusOK && w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the headers are %v", name, w.Header())
			}
		}
	})
}
