// Package apptest has what the tests of the site share: the site behind a real server,
// visitors who send requests and check the answers, a mail server, and a cast of users.
package apptest

import (
	"encoding/base64"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const (
	Day         = 24 * time.Hour
	SessionIdle = 30 * Day // SESSION_IDLE of a test's site
	SessionMax  = 90 * Day // SESSION_MAX of a test's site
)

// Site is the application behind a real server on a real database, and its first
// visitor. When the test ends, it checks that the log has no error, password, token or
// session id.
type Site struct {
	*Visitor
	App *app.App
	DB  *models.DB
	URL string
	Log *LogBook

	BaseURL string // the setting, which mail has

	Hashes *Hashes // what the site computes for passwords

	transport http.RoundTripper
}

// NewSite serves the application until the test ends, by https if change makes
// BASE_URL so.
func NewSite(t testing.TB, db *models.DB, change ...func(*app.Config)) *Site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	config := app.Config{
		Env:             "development",
		Addr:            server.Listener.Addr().String(),
		SessionIdle:     SessionIdle,
		SessionMax:      SessionMax,
		AuditRetention:  365 * Day,
		UnconfirmedMax:  14 * Day,
		ConfirmPassword: true,
		Argon2Memory:    7168,
		Argon2Time:      1,
		Argon2Threads:   1,
		LogLevel:        "debug",
		SignUp:          "open",
		SecondFactor:    "optional",

		AdminSecondFactor: true,
		Impersonation:     "read",

		ProviderLinking: "ask",
		TrustBrowser:    30 * Day,
		RecoveryWait:    3 * Day,
		SecretKeys:      "test:" + base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}
	for _, c := range change {
		c(&config)
	}
	passes := config.Argon2Time
	config.Argon2Time = 5 // a pair that is strong enough; the tests hash faster
	if err := config.ValidateSite(); err != nil {
		t.Fatal(err)
	}
	config.Argon2Time = passes
	s := &Site{DB: db, Hashes: new(Hashes), Log: &LogBook{secrets: map[string]bool{"$argon2id$": true}}}
	log := slog.New(slog.NewJSONHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if s.App, err = app.New(config, db, log, s.Hashes); err != nil {
		t.Fatal(err)
	}
	if err := s.App.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.App
	server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelError)
	if config.Secure() {
		server.StartTLS()
	} else {
		server.Start()
	}
	s.BaseURL = config.BaseURL
	s.URL, s.transport = server.URL, server.Client().Transport
	s.Visitor = s.Visit(t)
	t.Cleanup(func() {
		server.Close() // waits for running requests, so the log is complete
		s.Log.check(t, db)
	})
	return s
}

// OverHTTPS is a change for NewSite.
func OverHTTPS(c *app.Config) { c.BaseURL = "https://example.com" }

// OnLocalhost is a change for NewSite. There are passkeys, because the site has a name.
func OnLocalhost(c *app.Config) {
	_, port, _ := net.SplitHostPort(c.Addr)
	c.BaseURL = "http://localhost:" + port
}

// EachWay runs test with and without htmx, each on a fresh site on each database.
func EachWay(t *testing.T, test func(t *testing.T, s *Site, options ...Option), change ...func(*app.Config)) {
	for name, options := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) { test(t, NewSite(t, db, change...), options...) })
		})
	}
}

var ways = map[string][]Option{"plain": nil, "htmx": {HTMX}}

// Serve answers a request with bytes that a client of net/http would refuse.
func (s *Site) Serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.App.ServeHTTP(w, r)
	return w
}

// Eventually waits for done.
func Eventually(t testing.TB, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.Tick(5 * time.Millisecond); !done(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatal("the expected condition never became true")
		}
	}
}

// SignUpMode makes a site one with these settings.
func SignUpMode(mode, domains string) func(*app.Config) {
	return func(c *app.Config) { c.SignUp, c.SignUpDomains = mode, domains }
}
