package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// browsers are what browsers say of themselves, and what that means.
var browsers = map[string]string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                            "Chrome on Windows",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":              "Edge on Windows",
	"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0":                                                                     "Firefox on Linux",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15":                      "Safari on macOS",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1":    "Safari on iOS",
	"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.7339.39 Mobile/15E148 Safari/604.1":      "Chrome on iOS",
	"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                            "Chrome on Android",
	"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Browser on Android",
	"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                             "Chrome on ChromeOS",
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/121.0.0.0":                        "Opera on Linux",
	"curl/8.5.0": "curl",
	"":           "Unknown browser",
}

const thisDevice = "#sessions li:has(.badge)"

func TestDevices(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(ben())
		s.join(anna())
		s.confirmed()
		s.deliver()
		for agent, name := range browsers {
			t.Run(name, func(t *testing.T) {
				v := s.visit(t)
				v.post("/sign-in", annas(), header("User-Agent", agent)).leadsTo("/dashboard")
				page := v.get("/account/sessions").wants(http.StatusOK).page().harmless()
				if got := page.text(thisDevice + " strong"); got != name {
					t.Errorf("this device is %q, want %q", got, name)
				}
				if page.find(thisDevice+" button").Length() > 0 || page.find("#sessions li:not(:has(.badge)):not(:has(button))").Length() > 0 {
					t.Error("every session but this is to be ended by a button")
				}
				if told := s.letterTo(annasEmail, newBrowserSubject); !strings.Contains(told.text, "Browser: "+name+"\n") || !strings.Contains(told.text, "IP address: 127.0.0.1\n") {
					t.Errorf("the mail says %s", told.text)
				}
			})
		}
		if got, want := s.get("/account/sessions").find("#sessions li").Length(), len(browsers)+1; got != want {
			t.Errorf("%d sessions are listed, want %d", got, want)
		}
		s.visit(t).get("/account/sessions").leadsTo("/sign-in?next=%2Faccount%2Fsessions")
	})
}

func TestHostileUserAgents(t *testing.T) {
	t.Parallel()
	hostile := map[string]string{
		"a script":       `<script>alert(1)</script>`,
		"an image":       `"><img src=x onerror=alert(1)>`,
		"an attribute":   `' onclick='alert(1)' x='`,
		"a template":     `{{.User.PasswordHash}}`,
		"NUL":            "Mozil\x00la/5.0",
		"not UTF-8":      "\xff\xfe\x80/1.0",
		"turned around":  "Mozilla/5.0 \u202egnp.exe",
		"10 kB":          strings.Repeat("x", 10_000),
		"10 kB of emoji": strings.Repeat("🐎", 2500),
		"two lines":      "curl/8.5.0\r\nBcc: eve@evil.example",
		"brackets":       strings.Repeat("(", 5000),
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.confirmed()
		s.deliver()
		for name, agent := range hostile {
			t.Run(name, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader(annas().Encode()))
				r.Header = http.Header{"Content-Type": {formType}, "User-Agent": {agent}}
				if w := s.serve(r); w.Code != http.StatusSeeOther {
					t.Fatalf("the answer is %d", w.Code)
				}
				sessions := s.sessions()
				if got := sessions[len(sessions)-1].UserAgent; len(got) > 500 || !utf8.ValidString(got) || strings.Contains(got, "\x00") {
					t.Errorf("stored is %q", got)
				}
				s.get("/account/sessions").wants(http.StatusOK).page().harmless()
				s.get("/account/data").wants(http.StatusOK)
				told := s.letterTo(annasEmail, newBrowserSubject)
				if !utf8.ValidString(told.text) || strings.Contains(told.text, "\x00") || len(told.text) > 2000 {
					t.Errorf("the mail has %d bytes: %.1000q", len(told.text), told.text)
				}
			})
		}
	})
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		phone := s.visit(t)
		phone.post("/sign-in", annas()).leadsTo("/dashboard")
		page := s.get("/account/sessions").wants(http.StatusOK)

		const end = "#sessions form"
		a := s.submit(page, end, nil, options...)
		if len(options) == 0 {
			a = s.get(a.leadsTo("/account/sessions").Header.Get("Location"))
		}
		a.wants(http.StatusOK).says("That device is signed out.")
		if phone.signedIn() || !s.signedIn() {
			t.Error("the wrong session is ended")
		}
		s.submit(page, end, nil, options...) // twice does no harm
		if rest := s.get("/account/sessions"); rest.find("#sessions li").Length() != 1 || rest.find("main form").Length() > 0 {
			t.Errorf("the page says %s", rest.text("main"))
		}
	})
}

func TestEndSessionsThatAreNotOnesOwn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		id     func(other models.Session) string
		status int
	}{
		"somebody else's":            {func(other models.Session) string { return other.ID.String() }, http.StatusOK},
		"unknown":                    {func(models.Session) string { return "0190b3c4-0000-7000-8000-000000000000" }, http.StatusOK},
		"zero":                       {func(models.Session) string { return "00000000-0000-0000-0000-000000000000" }, http.StatusOK},
		"no id":                      {func(models.Session) string { return "1" }, http.StatusNotFound},
		"cut":                        {func(other models.Session) string { return other.ID.String()[:35] }, http.StatusNotFound},
		"SQL":                        {func(models.Session) string { return url.PathEscape("' OR 1=1 --") }, http.StatusNotFound},
		"HTML":                       {func(models.Session) string { return url.PathEscape("<script>") }, http.StatusNotFound},
		"NUL":                        {func(models.Session) string { return "%00" }, http.StatusNotFound},
		"somebody else's, malformed": {func(other models.Session) string { return other.ID.String() + "%0A" }, http.StatusNotFound},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		other := s.visit(t)
		other.join(ben())
		bens := s.session()
		s.join(anna())
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				a := s.post("/account/sessions/"+tt.id(bens)+"/end", nil, htmx).wants(tt.status).harmless()
				if lines := s.log.of(a); (len(lines) == 2) != (tt.status == http.StatusOK) {
					t.Errorf("the log says %v", lines)
				}
			})
		}
		s.post("/account/sessions/end-others", nil).leadsTo("/account/sessions")
		if !other.signedIn() || !s.signedIn() {
			t.Error("a session is ended that is not one's own")
		}
		s.visit(t).post("/account/sessions/"+bens.ID.String()+"/end", nil).leadsTo("/sign-in")
		if !other.signedIn() {
			t.Error("a stranger ends a session")
		}
	})
}

func TestEndThisSessionSignsOut(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		s.post("/account/sessions/"+s.session().ID.String()+"/end", nil, options...).leadsTo("/").clears("session")
		if s.signedIn() || len(s.sessions()) > 0 {
			t.Error("the session lives on")
		}
	})
}

func TestEndOtherSessions(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		s.visit(t).join(ben())
		others := []*visitor{s.visit(t), s.visit(t), s.visit(t)}
		for _, v := range others {
			v.post("/sign-in", annas()).leadsTo("/dashboard")
		}
		page := s.get("/account/sessions")
		s.submit(page, "form[action$='/end-others']", nil, options...).leadsTo("/account/sessions")
		s.get("/account/sessions").says("All other devices are signed out.")
		for _, v := range others {
			if v.signedIn() {
				t.Error("another session lives on")
			}
		}
		if !s.signedIn() || len(s.sessions()) != 2 {
			t.Errorf("%d sessions are left, want anna's and ben's", len(s.sessions()))
		}
	})
}

func TestExpiredSessionsAreNotListed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		s.setTime("sessions", "expires_at", time.Now())
		s.post("/sign-in", annas()).leadsTo("/dashboard")
		if got := s.get("/account/sessions").find("#sessions li").Length(); got != 1 {
			t.Errorf("%d sessions are listed, want 1", got)
		}
	})
}

func TestNewBrowserIsToldOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		again := func(v *visitor) {
			t.Helper()
			v.post("/sign-out", nil).leadsTo("/")
			v.post("/sign-in", annas()).leadsTo("/dashboard")
		}
		s.join(anna())
		s.letterTo(annasEmail, verifySubject) // alone
		s.confirmed()
		again(s.visitor)
		s.noLetter()

		phone := s.visit(t)
		phone.post("/sign-in", credentials("anna.smith", anotherPassword)).wants(http.StatusUnprocessableEntity)
		s.noLetter()
		phone.post("/sign-in", annas()).leadsTo("/dashboard")
		s.letterTo(annasEmail, newBrowserSubject)
		for range 2 {
			again(phone)
			again(s.visitor)
		}
		s.noLetter()

		s.visit(t).join(ben())
		s.letterTo("ben@example.com", verifySubject)
		s.confirmed()
		phone.post("/sign-out", nil).leadsTo("/")
		phone.post("/sign-in", credentials("benjamin", ben().Get("password"))).leadsTo("/dashboard")
		s.letterTo("ben@example.com", newBrowserSubject) // known of anna alone
	})
}

func TestForgedMarkOfABrowser(t *testing.T) {
	t.Parallel()
	marks := map[string]string{
		"empty": "", "text": "admin", "of nobody": strings.Repeat("A", 43), "cut": strings.Repeat("A", 42), "spare bits": strings.Repeat("A", 42) + "B",
		"SQL": "'%20OR%201=1--", "NUL": "%00", "very long": strings.Repeat("A", 8000),
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		s.confirmed()
		s.deliver()
		for name, mark := range marks {
			t.Run(name, func(t *testing.T) {
				v := s.visit(t)
				v.keep("browser", mark)
				c := v.post("/sign-in", annas()).leadsTo("/dashboard").sets("browser")
				if c == nil || len(c.Value) != 43 || c.MaxAge != int((400*day).Seconds()) || !c.HttpOnly {
					t.Errorf("the cookie is %v", c)
				}
				s.letterTo(annasEmail, newBrowserSubject)
			})
		}
	})
}

func TestMarkOfABrowserSignsNobodyIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		mark := s.cookie("browser")
		if mark == "" || strings.Contains(s.everything(), mark) {
			t.Error("the mark is stored as it is")
		}
		thief := s.visit(t)
		thief.keep("browser", mark)
		thief.keep("session", mark)
		if thief.signedIn() {
			t.Error("it signs in")
		}
	})
}
