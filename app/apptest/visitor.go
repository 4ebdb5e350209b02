package apptest

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// Leaves leaves a field of the form, and wants the field back with these errors and
// without a password.
func (v *Visitor) Leaves(path, field string, form url.Values, wrong map[string]string) *Answer {
	v.T.Helper()
	a := v.Post(path+"?field="+field, form, HTMX).Wants(http.StatusOK).Fragment("#" + field + "-field").WantsErrors(wrong).Harmless()
	if a.Find(`input[type="password"][value!=""]`).Length() > 0 || a.Find("[autofocus]").Length() > 0 {
		a.Failf("a password came back, or the focus is pulled back\n%s", a.Body)
	}
	return a
}

// FormType is the content type of a form.
const FormType = "application/x-www-form-urlencoded"

// Submit sends the form on a page as a browser does, with what the user types. Without
// htmx it agrees when a page asks first.
func (v *Visitor) Submit(page *Answer, form string, typed url.Values, options ...Option) *Answer {
	v.T.Helper()
	if n := page.Find(form).Length(); n != 1 {
		page.Failf("there are %d forms %s, want 1: %s", n, form, page.Text("body"))
	}
	values := url.Values{}
	page.Find(form).Find("input[name], textarea[name], option[selected]").Each(func(_ int, input Selection) {
		name, value := input.AttrOr("name", input.Parent().AttrOr("name", "")), input.AttrOr("value", "")
		if input.Is("textarea") {
			value = strings.TrimPrefix(input.Text(), "\n")
		}
		if _, checked := input.Attr("checked"); checked || input.AttrOr("type", "") != "checkbox" {
			values.Add(name, value)
		}
	})
	maps.Copy(values, typed)
	a := v.Post(page.Find(form).AttrOr("action", ""), values, options...)
	if values.Has("confirm") && a.Request.Header.Get("HX-Request") == "" && a.StatusCode == http.StatusOK {
		return v.Submit(a.Page().Says(values.Get("confirm")), "main form", nil, options...)
	}
	return a
}

// ChangePassword changes anna's password.
func (v *Visitor) ChangePassword(options ...Option) *Answer {
	v.T.Helper()
	form := With(Twice(AnotherPassword), "current_password", Anna.Password)
	return v.Submit(v.Get("/account/password").Wants(http.StatusOK).Page(), "form#change-password", form, options...)
}

// Visit opens a new browser, without cookies, that reports to t.
func (s *Site) Visit(t testing.TB) *Visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{T: t, Site: s, client: &http.Client{
		Transport:     s.transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// VisitWithoutCookies opens a new browser that keeps no cookie.
func (s *Site) VisitWithoutCookies(t testing.TB) *Visitor {
	v := s.Visit(t)
	v.client.Jar = nil
	return v
}

// Visitor is one browser: it keeps its cookies and does not follow redirects.
type Visitor struct {
	T      testing.TB
	Site   *Site
	client *http.Client
}

// Option changes a request before it is sent.
type Option func(*http.Request)

// HTMX makes a request look like htmx's.
func HTMX(r *http.Request) { r.Header.Set("HX-Request", "true") }

// Header sets a header of a request.
func Header(name, value string) Option {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Get opens a page.
func (v *Visitor) Get(path string, options ...Option) *Answer {
	v.T.Helper()
	return v.Send(http.MethodGet, path, nil, options...)
}

// Post sends a form. The site must never show or log a password in it.
func (v *Visitor) Post(path string, form url.Values, options ...Option) *Answer {
	v.T.Helper()
	for field := range form {
		if strings.Contains(field, "password") {
			v.Site.Log.Hide(v.secret(form, field))
		}
	}
	options = append([]Option{Header("Content-Type", FormType)}, options...)
	return v.Send(http.MethodPost, path, strings.NewReader(form.Encode()), options...)
}

// secret returns a password that must never appear in an answer: not a short one, nor
// one that another field repeats.
func (v *Visitor) secret(form url.Values, field string) string {
	secret := form.Get(field)
	for name := range form {
		if !strings.Contains(name, "password") && strings.Contains(form.Get(name), secret) {
			return ""
		}
	}
	return secret
}

// Send sends a request and checks what must hold for every answer.
func (v *Visitor) Send(method, path string, body io.Reader, options ...Option) *Answer {
	v.T.Helper()
	r, err := http.NewRequestWithContext(v.T.Context(), method, v.Site.URL+path, body)
	if err != nil {
		v.T.Fatal(err)
	}
	for _, o := range options {
		o(r)
	}
	response, err := v.client.Do(r)
	if err != nil {
		v.T.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		v.T.Fatalf("%s %s: %v", method, path, err)
	}
	a := NewAnswer(v.T, response, string(content))
	for _, c := range response.Cookies() {
		if strings.Contains(c.Name, "session") || strings.Contains(c.Name, "sign_in") {
			v.Site.Log.Hide(c.Value)
		}
		if n := len(c.Name + c.Value); n > 4096 { // browsers drop it
			v.T.Errorf("%s %s: the cookie %s has %d bytes", method, path, c.Name, n)
		}
	}
	for name, want := range securityHeaders {
		if got := a.Header.Get(name); got != want {
			v.T.Errorf("%s %s: %d with %s %q, want %q", method, path, a.StatusCode, name, got, want)
		}
	}
	if a.Header.Get("X-Request-Id") == "" {
		v.T.Errorf("%s %s: %d without X-Request-Id", method, path, a.StatusCode)
	}
	for secret := range v.Site.Log.hidden() {
		if strings.Contains(a.Body, secret) || strings.Contains(a.Body, html.EscapeString(secret)) {
			v.T.Errorf("%s %s: the body repeats the secret %q", method, path, secret)
		}
	}
	return a
}

// securityHeaders are the headers of every answer.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Server":                       "",
	"X-Powered-By":                 "",
}

// CookieName returns the full name of the site's cookie: by plain http it ends with the
// port.
func (s *Site) CookieName(name string) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		s.T.Fatal(err)
	}
	return fullCookieName(name, u)
}

func fullCookieName(name string, site *url.URL) string {
	if site.Scheme == "https" {
		return name
	}
	return name + "-" + site.Port()
}

// Cookie returns the cookie of that name that the browser holds, or nothing.
func (v *Visitor) Cookie(name string) string {
	u, err := url.Parse(v.Site.URL)
	if err != nil {
		v.T.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == v.Site.CookieName(name) {
			return c.Value
		}
	}
	return ""
}

// SetCookie puts a cookie into the browser.
func (v *Visitor) SetCookie(name, value string) {
	u, err := url.Parse(v.Site.URL)
	if err != nil {
		v.T.Fatal(err)
	}
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: v.Site.CookieName(name), Value: value, Path: "/"}})
}

// SignedIn reports whether the browser can open the dashboard.
func (v *Visitor) SignedIn() bool {
	v.T.Helper()
	return v.Get("/dashboard").StatusCode == http.StatusOK
}

// Join signs p up and in.
func (v *Visitor) Join(p Person) { v.T.Helper(); v.JoinAs(p.Form()) }

// JoinAs signs up and in with form.
func (v *Visitor) JoinAs(form url.Values) {
	v.T.Helper()
	v.Post("/sign-up", form).LeadsTo("/dashboard")
}

// LeadsBack wants a redirect to path, and a toast there.
func (v *Visitor) LeadsBack(a *Answer, path, toast string) {
	v.T.Helper()
	a.LeadsTo(path)
	if text := v.Get(path).Wants(http.StatusOK).Text("#toasts .toast p"); text != toast {
		v.T.Errorf("the toast is %q, want %q", text, toast)
	}
}

// Parameter returns a parameter of the query in path.
func Parameter(t testing.TB, path, name string) string {
	t.Helper()
	u, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}
