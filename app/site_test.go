package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/app/password"
	"vestibule/models"
)

const (
	day  = 24 * time.Hour
	idle = 30 * day // SESSION_IDLE of a test's site
	most = 90 * day // SESSION_MAX
)

// site is the application behind a real server on a real database, and its
// first visitor. As the test ends it reads the whole log: there is no error in
// it, and no password, token or session id.
type site struct {
	*visitor
	app *app.App
	db  *models.DB
	url string
	log *logBook

	transport http.RoundTripper
}

// newSite serves the application until the test ends, by https if change makes
// BASE_URL so.
func newSite(t testing.TB, db *models.DB, change ...func(*app.Config)) *site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	config := app.Config{
		Env:            "development",
		Addr:           server.Listener.Addr().String(),
		SessionIdle:    idle,
		SessionMax:     most,
		AuditRetention: 365 * day,
		Argon2Memory:   7168,
		Argon2Time:     1,
		Argon2Threads:  1,
		LogLevel:       "debug",
	}
	for _, c := range change {
		c(&config)
	}
	if err := config.ValidateSite(); err != nil {
		t.Fatal(err)
	}
	s := &site{db: db, log: &logBook{secrets: map[string]bool{"$argon2id$": true}}}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if s.app, err = app.New(config, db, log, password.Here); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.app
	server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelError)
	if config.Secure() {
		server.StartTLS()
	} else {
		server.Start()
	}
	s.url, s.transport = server.URL, server.Client().Transport
	s.visitor = s.visit(t)
	t.Cleanup(func() {
		server.Close() // waits for running requests, so the log is complete
		s.log.check(t, db)
	})
	return s
}

// overHTTPS is a change for newSite.
func overHTTPS(c *app.Config) { c.BaseURL = "https://example.com" }

// visit opens a new browser, without cookies, that reports to t.
func (s *site) visit(t testing.TB) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, site: s, client: &http.Client{
		Transport:     s.transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// visitor is one browser: it keeps its cookies and does not follow redirects.
type visitor struct {
	t      testing.TB
	site   *site
	client *http.Client
}

// option changes a request before it is sent.
type option func(*http.Request)

// htmx makes a request one of htmx.
func htmx(r *http.Request) { r.Header.Set("HX-Request", "true") }

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func (v *visitor) get(path string, options ...option) *answer {
	v.t.Helper()
	return v.send(http.MethodGet, path, nil, options...)
}

func (v *visitor) post(path string, form url.Values, options ...option) *answer {
	v.t.Helper()
	for field := range form {
		if strings.Contains(field, "password") {
			v.site.log.hide(v.secret(form, field))
		}
	}
	options = append([]option{header("Content-Type", "application/x-www-form-urlencoded")}, options...)
	return v.send(http.MethodPost, path, strings.NewReader(form.Encode()), options...)
}

// secret returns a password that must not be seen again: not a short one, and
// none that another field repeats.
func (v *visitor) secret(form url.Values, field string) string {
	secret := form.Get(field)
	for name := range form {
		if !strings.Contains(name, "password") && strings.Contains(form.Get(name), secret) {
			return ""
		}
	}
	return secret
}

// send makes a request and checks what holds for each answer there is.
func (v *visitor) send(method, path string, body io.Reader, options ...option) *answer {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.site.url+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, o := range options {
		o(r)
	}
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := &answer{Response: response, t: v.t, body: string(content)}
	for _, c := range response.Cookies() {
		if strings.HasSuffix(c.Name, "session") {
			v.site.log.hide(c.Value)
		}
	}
	for name, want := range securityHeaders {
		if got := a.Header.Get(name); got != want {
			v.t.Errorf("%s %s: %d with %s %q, want %q", method, path, a.StatusCode, name, got, want)
		}
	}
	if a.Header.Get("X-Request-Id") == "" {
		v.t.Errorf("%s %s: %d without X-Request-Id", method, path, a.StatusCode)
	}
	for secret := range v.site.log.hidden() {
		if strings.Contains(a.body, secret) || strings.Contains(a.body, html.EscapeString(secret)) {
			v.t.Errorf("%s %s: the body repeats the secret %q", method, path, secret)
		}
	}
	return a
}

// securityHeaders come with every answer.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// cookie returns the cookie of that name that the browser holds, or nothing.
func (v *visitor) cookie(name string) string {
	u, err := url.Parse(v.site.url)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// keep puts a cookie into the browser.
func (v *visitor) keep(name, value string) {
	u, err := url.Parse(v.site.url)
	if err != nil {
		v.t.Fatal(err)
	}
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// signedIn tells whether the browser is let in to the dashboard.
func (v *visitor) signedIn() bool {
	v.t.Helper()
	return v.get("/dashboard").StatusCode == http.StatusOK
}

// join signs person up and in.
func (v *visitor) join(person url.Values) {
	v.t.Helper()
	v.post("/sign-up", person).leadsTo("/dashboard")
}

// anna is a person who may join.
func anna() url.Values {
	return url.Values{
		"username":         {"anna.smith"},
		"first_name":       {"Anna"},
		"last_name":        {"Smith"},
		"email":            {"anna@example.com"},
		"password":         {"correct horse battery"},
		"confirm_password": {"correct horse battery"},
	}
}

// ben is another.
func ben() url.Values {
	return with(anna(), "username", "benjamin", "first_name", "Ben", "last_name", "Jones", "email", "ben@example.com")
}

// with returns form with other values: name, value, name, value...
func with(form url.Values, pairs ...string) url.Values {
	form = maps.Clone(form)
	for pair := range slices.Chunk(pairs, 2) {
		form.Set(pair[0], pair[1])
	}
	return form
}

// credentials are what a person signs in with.
func credentials(login, password string) url.Values {
	return url.Values{"login": {login}, "password": {password}}
}

// annas is how anna signs in.
func annas() url.Values { return credentials("anna.smith", anna().Get("password")) }

// answer is what the site answered.
type answer struct {
	*http.Response
	t    testing.TB
	body string
	doc  *goquery.Document
}

func (a *answer) failf(format string, args ...any) {
	a.t.Helper()
	a.t.Errorf("%s %s: %s", a.Request.Method, a.Request.URL.RequestURI(), fmt.Sprintf(format, args...))
}

func (a *answer) wants(status int) *answer {
	a.t.Helper()
	if a.StatusCode != status {
		a.failf("%d, want %d: %s", a.StatusCode, status, a.text("body"))
	}
	return a
}

func (a *answer) wantsHeader(name, want string) *answer {
	a.t.Helper()
	if got := a.Header.Get(name); got != want {
		a.failf("%s is %q, want %q", name, got, want)
	}
	return a
}

// leadsTo wants a redirect to path, as 303, or as HX-Redirect under htmx.
func (a *answer) leadsTo(path string) *answer {
	a.t.Helper()
	if a.Request.Header.Get("HX-Request") == "true" {
		return a.wants(http.StatusOK).wantsHeader("HX-Redirect", path).wantsHeader("Location", "")
	}
	return a.wants(http.StatusSeeOther).wantsHeader("Location", path).wantsHeader("HX-Redirect", "")
}

// page wants a whole page in the site's layout.
func (a *answer) page() *answer {
	a.t.Helper()
	if !strings.HasPrefix(a.body, "<!doctype html>") || a.find("header nav").Length() != 1 || a.find("main").Length() != 1 {
		a.failf("want a whole page, got %.500s", a.body)
	}
	return a.isHTML()
}

// fragment wants HTML that begins with the one element selected, no page.
func (a *answer) fragment(selector string) *answer {
	a.t.Helper()
	if strings.Contains(a.body, "<html") || !a.find("body").Children().First().Is(selector) {
		a.failf("want the fragment %s alone, got %.500s", selector, a.body)
	}
	return a.isHTML()
}

func (a *answer) isHTML() *answer {
	a.t.Helper()
	if vary := a.Header.Get("Vary"); !strings.Contains(vary, "HX-Request") {
		a.failf("Vary is %q, want HX-Request in it", vary)
	}
	return a.wantsHeader("Content-Type", "text/html; charset=utf-8")
}

func (a *answer) find(selector string) selection {
	a.t.Helper()
	if a.doc == nil {
		var err error
		if a.doc, err = goquery.NewDocumentFromReader(strings.NewReader(a.body)); err != nil {
			a.t.Fatal(err)
		}
	}
	return a.doc.Find(selector)
}

func (a *answer) text(selector string) string {
	a.t.Helper()
	return strings.Join(strings.Fields(a.find(selector).Text()), " ")
}

// value is what an input holds.
func (a *answer) value(name string) string {
	a.t.Helper()
	return a.find(`input[name="`+name+`"]`).AttrOr("value", "")
}

// errors are the sentences at the fields, by field.
func (a *answer) errors() map[string]string {
	a.t.Helper()
	sentences := map[string]string{}
	a.find("input, textarea, select").Each(func(_ int, input selection) {
		name := input.AttrOr("name", "")
		sentence := a.text("#" + name + "-error")
		if invalid := input.AttrOr("aria-invalid", "false") == "true"; invalid != (sentence != "") {
			a.failf("aria-invalid of %s is %v beside %q", name, invalid, sentence)
		}
		if sentence != "" {
			sentences[name] = sentence
		}
	})
	return sentences
}

// wantsErrors wants these sentences at these fields, and none elsewhere.
func (a *answer) wantsErrors(want map[string]string) *answer {
	a.t.Helper()
	if got := a.errors(); !maps.Equal(got, want) {
		a.failf("the fields say\n%v, want\n%v", got, want)
	}
	return a
}

// sets returns the cookie of that name that the answer sets, or nil.
func (a *answer) sets(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// clears wants the answer to delete the cookie.
func (a *answer) clears(name string) *answer {
	a.t.Helper()
	if c := a.sets(name); c == nil || c.MaxAge >= 0 || c.Value != "" || c.Path != "/" {
		a.failf("the cookie %s is not cleared: %v", name, c)
	}
	return a
}

// logBook is the site's log, and what must never be written into it.
type logBook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets map[string]bool
	fails   bool
}

// selection is what goquery finds.
type selection = *goquery.Selection

type logLine map[string]any

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// hide notes a secret. Short ones would be found anywhere.
func (b *logBook) hide(secret string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(secret) >= 8 {
		b.secrets[secret] = true
	}
}

func (b *logBook) hidden() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.secrets)
}

// mayFail says that the test causes errors on purpose.
func (b *logBook) mayFail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = true
}

// lines returns the log so far.
func (b *logBook) lines(t testing.TB) []logLine {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []logLine
	for text := range bytes.Lines(b.text.Bytes()) {
		line := logLine{}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("the log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// of returns the lines of one request.
func (b *logBook) of(a *answer) []logLine {
	a.t.Helper()
	return slices.DeleteFunc(b.lines(a.t), func(l logLine) bool { return l["request_id"] != a.Header.Get("X-Request-Id") })
}

func (b *logBook) check(t testing.TB, db *models.DB) {
	var sessions []models.Session
	if err := db.Bun().NewSelect().Model(&sessions).Scan(context.Background()); err != nil && !b.fails {
		t.Error(err)
	}
	for _, s := range sessions {
		b.hide(s.ID.String())
		b.hide(hex.EncodeToString(s.TokenHash))
		b.hide(base64.StdEncoding.EncodeToString(s.TokenHash))
	}
	for _, line := range b.lines(t) {
		if !b.fails && (line["level"] == "ERROR" || line["msg"] == "panic") {
			t.Errorf("the log has an error: %v", line)
		}
	}
	log := b.text.String()
	for secret := range b.secrets {
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log, secret) || strings.Contains(log, string(quoted[1:len(quoted)-1])) {
			t.Errorf("the log holds the secret %q", secret)
		}
	}
}

// users and sessions read the tables.
func (s *site) users() (users []models.User) {
	s.t.Helper()
	if err := s.db.Bun().NewSelect().Model(&users).Order("id").Scan(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return users
}

func (s *site) sessions() (sessions []models.Session) {
	s.t.Helper()
	if err := s.db.Bun().NewSelect().Model(&sessions).Order("id").Scan(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return sessions
}

// session returns the one session there is.
func (s *site) session() models.Session {
	s.t.Helper()
	all := s.sessions()
	if len(all) != 1 {
		s.t.Fatalf("there are %d sessions, want 1", len(all))
	}
	return all[0]
}

// age sets a time of every session: tests do not wait.
func (s *site) age(column string, to time.Time) {
	s.t.Helper()
	_, err := s.db.Bun().NewUpdate().Model((*models.Session)(nil)).
		Set("? = ?", bun.Ident(column), to.UTC().Truncate(time.Microsecond)).Where("1 = 1").Exec(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
}

// queries notes what the database is asked.
type queries struct {
	mu  sync.Mutex
	all []string
}

// watch begins to note. It is to be called before anybody uses db.
func watch(db *models.DB) *queries {
	q := new(queries)
	db.Bun().AddQueryHook(q) //lint:ignore SA1019 a copy, as WithQueryHook makes, would not see the application's queries
	return q
}

func (q *queries) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (q *queries) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, e.Query)
}

// during returns the queries that f causes.
func (q *queries) during(f func()) []string {
	q.mu.Lock()
	q.all = nil
	q.mu.Unlock()
	f()
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.all)
}
