package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// The route is one as those who build on the site add: signed in, and for people
// with a confirmed email alone.
func TestVerifiedOnly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		verified time.Time
		htmx     string
		status   int
		says     string
	}{
		"verified":              {verified: time.Now(), status: http.StatusOK, says: "come in"},
		"verified, htmx":        {verified: time.Now(), htmx: "true", status: http.StatusOK, says: "come in"},
		"not verified":          {status: http.StatusForbidden, says: "<h1>Confirm your email address first</h1>"},
		"not verified, by htmx": {htmx: "true", status: http.StatusForbidden, says: `class="toast problem"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				lifetime := models.Lifetime{Idle: time.Hour, Max: time.Hour}
				k, err := web.NewKit(web.Config{BaseURL: "http://localhost:8080", Lifetime: lifetime}, db, slog.New(slog.DiscardHandler), nil)
				if err != nil {
					t.Fatal(err)
				}
				e := gin.New()
				e.Use(k.Begin, k.Handle(k.Session), k.Handle(auth.Handlers{Kit: k}.SignedInOnly), k.Handle(web.VerifiedOnly))
				e.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "come in") })

				user := &models.User{Username: "anna.smith", Email: "anna@example.com", VerifiedAt: tt.verified}
				if err := db.CreateUser(t.Context(), user); err != nil {
					t.Fatal(err)
				}
				_, token, err := db.Prove(t.Context(), user, models.Step{Factor: models.FactorPassword, Lifetime: lifetime})
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
				r.AddCookie(&http.Cookie{Name: "session-8080", Value: token})
				r.Header.Set("HX-Request", tt.htmx)
				w := httptest.NewRecorder()
				e.ServeHTTP(w, r)
				body := w.Body.String()
				if w.Code != tt.status || !strings.Contains(body, tt.says) {
					t.Errorf("%d: %s\nwant %d with %q", w.Code, body, tt.status, tt.says)
				}
				if refused := tt.status == http.StatusForbidden; refused == strings.Contains(body, "come in") {
					t.Errorf("the route answers %s", body)
				}
			})
		})
	}
}
