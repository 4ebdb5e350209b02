package web

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/password"
	"vestibule/models"
)

// fails is a handler that gives up with that status.
func fails(status int) func(*Kit) Handler {
	return func(*Kit) Handler { return func(*gin.Context) error { return Fail(status) } }
}

// returns is a handler that returns err.
func returns(err error) func(*Kit) Handler {
	return func(*Kit) Handler { return func(*gin.Context) error { return err } }
}

func underHTMX(c *gin.Context) *gin.Context {
	c.Request.Header.Set("HX-Request", "true")
	return c
}

// What a visitor cannot cause at will: a panic, a full queue, a client that
// left. The handlers here fail so behind the real middleware.
func TestFailuresFromWithin(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler func(*Kit) Handler
		gone    bool
		status  int
		headers map[string]string
		page    string // what the page says
		log     string
	}{
		"conflict":          {handler: fails(http.StatusConflict), status: http.StatusConflict, page: "This changed while you were looking at it, so nothing was done."},
		"too many requests": {handler: fails(http.StatusTooManyRequests), status: http.StatusTooManyRequests, page: "Please wait a while, then try again."},
		"forbidden":         {handler: fails(http.StatusForbidden), status: http.StatusForbidden, page: "You can't do this here. Nothing was changed."},
		"unavailable":       {handler: fails(http.StatusServiceUnavailable), status: http.StatusServiceUnavailable, page: "The site can't answer right now."},
		"status without a page": {
			handler: fails(http.StatusTeapot),
			status:  http.StatusInternalServerError,
			page:    "Something went wrong",
			log:     "no error page of status 418",
		},
		"flash of no toast": {
			handler: func(k *Kit) Handler { return func(c *gin.Context) error { return k.RedirectWith(c, "hurrah", "/") } },
			status:  http.StatusInternalServerError,
			page:    "Something went wrong",
			log:     "no toast hurrah",
		},
		"saved without a toast": {
			handler: func(k *Kit) Handler {
				return func(c *gin.Context) error {
					return k.RenderSaved(underHTMX(c), templ.NopComponent, "hurrah")
				}
			},
			status: http.StatusInternalServerError,
			log:    "no toast hurrah",
		},
		"done without a toast": {
			handler: func(k *Kit) Handler {
				return func(c *gin.Context) error { return k.RespondToast(underHTMX(c), http.StatusOK, "hurrah", "/") }
			},
			status: http.StatusInternalServerError,
			log:    "no toast hurrah",
		},
		"panic": {
			handler: func(*Kit) Handler { return func(*gin.Context) error { panic("a screw is loose") } },
			status:  http.StatusInternalServerError,
			headers: map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY"},
			page:    "It's our fault, and we've logged it. Please try again in a moment.",
			log:     "a screw is loose",
		},
		"error": {
			handler: returns(errors.New("a screw is loose")),
			status:  http.StatusInternalServerError,
			headers: map[string]string{"Cache-Control": "no-store"},
			page:    "Something went wrong",
			log:     "a screw is loose",
		},
		"changed meanwhile": {
			handler: returns(fmt.Errorf("rename: %w", models.ErrChanged)),
			status:  http.StatusSeeOther,
			headers: map[string]string{"Location": "/", "Set-Cookie": "toast-8080=changed; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
			log:     "changed meanwhile",
		},
		"not found": {
			handler: returns(models.ErrNotFound),
			status:  http.StatusNotFound,
			page:    "Page not found",
		},
		"slow search": {
			handler: returns(fmt.Errorf("notes: %w", models.ErrSlowSearch)),
			status:  http.StatusUnprocessableEntity,
			page:    "This search took too long. Please try a different word.",
			log:     "search took too long",
		},
		"queue full": {
			handler: returns(fmt.Errorf("hash: %w", password.ErrBusy)),
			status:  http.StatusServiceUnavailable,
			headers: map[string]string{"Cache-Control": "no-store", "Retry-After": "5"},
			page:    "Very busy",
			log:     "password queue is full",
		},
		"time is up within a transaction": {
			handler: func(*Kit) Handler {
				return func(c *gin.Context) error {
					ctx, cancel := context.WithTimeout(c.Request.Context(), 0)
					defer cancel()
					c.Request = c.Request.WithContext(ctx)
					return sql.ErrTxDone
				}
			},
			status:  http.StatusServiceUnavailable,
			headers: map[string]string{"Cache-Control": "no-store", "Retry-After": "5"},
			page:    "The site can't answer right now. Please try again in a moment.",
			log:     "database unavailable",
		},
		"component fails": {
			handler: func(*Kit) Handler {
				return func(c *gin.Context) error {
					return RenderFragment(c, http.StatusOK, templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
						_, err := io.WriteString(w, "half a page, lost")
						return errors.Join(err, errors.New("a screw is loose"))
					}))
				}
			},
			status: http.StatusInternalServerError,
			page:   "Something went wrong",
			log:    "a screw is loose",
		},
		"client gone": {
			handler: func(*Kit) Handler {
				return func(c *gin.Context) error { return c.Request.Context().Err() }
			},
			gone:   true,
			status: 499,
			log:    `"status":499`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			k, err := NewKit(Config{BaseURL: "http://localhost:8080"}, nil, slog.New(slog.NewJSONHandler(&log, nil)), nil)
			if err != nil {
				t.Fatal(err)
			}
			e := gin.New()
			e.ContextWithFallback = true
			e.Use(k.Begin, k.Recover, k.Headers, k.Handle(k.Session))
			e.GET("/", k.Handle(tt.handler(k)))

			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			if tt.gone {
				leave()
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
			if w.Code != tt.status {
				t.Errorf("the answer is %d, want %d", w.Code, tt.status)
			}
			for name, want := range tt.headers {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			body := html.UnescapeString(w.Body.String())
			if !strings.Contains(body, tt.page) || strings.Contains(body, "screw") || strings.Contains(body, "lost") { // without JavaScript, what was typed may be
				t.Errorf("the page says\n%s", body)
			}
			id := w.Header().Get("X-Request-Id")
			if tt.page != "" && !strings.Contains(body, id) {
				t.Errorf("the page does not name request %s", id)
			}
			for line := range strings.Lines(log.String()) {
				if !strings.Contains(line, id) {
					t.Errorf("the log line %s does not name request %s", line, id)
				}
			}
			if !strings.Contains(log.String(), tt.log) {
				t.Errorf("the log is %s, want %q in it", log.String(), tt.log)
			}
			if tt.gone && strings.Contains(log.String(), `"level":"ERROR"`) {
				t.Errorf("a client that leaves is an error in the log: %s", log.String())
			}
		})
	}
}
