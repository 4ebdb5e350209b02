package account_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vestibule/app/apptest"
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
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Ben)
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		for agent, name := range browsers {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				v.Post("/sign-in", apptest.Anna.Credentials(), apptest.Header("User-Agent", agent)).LeadsTo("/dashboard")
				page := v.Get("/account/sessions").Wants(http.StatusOK).Page().Harmless()
				if got := page.Text(thisDevice + " strong"); got != name {
					t.Errorf("this device is %q, want %q", got, name)
				}
				if page.Find(thisDevice+" button").Length() > 0 || page.Find("#sessions li:not(:has(.badge)):not(:has(button))").Length() > 0 {
					t.Error("a button should end every session but this one")
				}
				if told := s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject); !strings.Contains(told.Text, "Browser: "+name+"\n") || !strings.Contains(told.Text, "IP address: 127.0.0.1\n") {
					t.Errorf("the mail says %s", told.Text)
				}
			})
		}
		if got, want := s.Get("/account/sessions").Find("#sessions li").Length(), len(browsers)+1; got != want {
			t.Errorf("%d sessions are listed, want %d", got, want)
		}
		s.Visit(t).Get("/account/sessions").LeadsTo("/sign-in?next=%2Faccount%2Fsessions")
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
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		for name, agent := range hostile {
			t.Run(name, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader(apptest.Anna.Credentials().Encode()))
				r.Header = http.Header{"Content-Type": {apptest.FormType}, "User-Agent": {agent}}
				if w := s.Serve(r); w.Code != http.StatusSeeOther {
					t.Fatalf("the answer is %d", w.Code)
				}
				sessions := s.Sessions()
				if got := sessions[len(sessions)-1].UserAgent; len(got) > 500 || !utf8.ValidString(got) || strings.Contains(got, "\x00") {
					t.Errorf("stored is %q", got)
				}
				s.Get("/account/sessions").Wants(http.StatusOK).Page().Harmless()
				s.Get("/account/data").Wants(http.StatusOK)
				told := s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
				if !utf8.ValidString(told.Text) || strings.Contains(told.Text, "\x00") || len(told.Text) > 2000 {
					t.Errorf("the mail has %d bytes: %.1000q", len(told.Text), told.Text)
				}
			})
		}
	})
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		phone := s.Visit(t)
		phone.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		page := s.Get("/account/sessions").Wants(http.StatusOK)

		const end = "#sessions form"
		a := s.Submit(page, end, nil, options...)
		if len(options) == 0 {
			a = s.Get(a.LeadsTo("/account/sessions").Header.Get("Location"))
		}
		a.Wants(http.StatusOK).Says("Device signed out")
		if phone.SignedIn() || !s.SignedIn() {
			t.Error("the wrong session is ended")
		}
		s.Submit(page, end, nil, options...) // twice does no harm
		if rest := s.Get("/account/sessions"); rest.Find("#sessions li").Length() != 1 || rest.Find("main form").Length() > 0 {
			t.Errorf("the page says %s", rest.Text("main"))
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
		s := apptest.NewSite(t, db)
		other := s.Visit(t)
		other.Join(apptest.Ben)
		bens := s.Session()
		s.Join(apptest.Anna)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				a := s.Post("/account/sessions/"+tt.id(bens)+"/end", nil, apptest.HTMX).Wants(tt.status).Harmless()
				if lines := s.Log.Of(a); (len(lines) == 2) != (tt.status == http.StatusOK) {
					t.Errorf("the log says %v", lines)
				}
			})
		}
		s.Post("/account/sessions/end-others", nil).LeadsTo("/account/sessions")
		if !other.SignedIn() || !s.SignedIn() {
			t.Error("a session is ended that is not one's own")
		}
		s.Visit(t).Post("/account/sessions/"+bens.ID.String()+"/end", nil).LeadsTo("/sign-in")
		if !other.SignedIn() {
			t.Error("a stranger ends a session")
		}
	})
}

func TestEndThisSessionSignsOut(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Post("/account/sessions/"+s.Session().ID.String()+"/end", nil, options...).LeadsTo("/").Clears("session")
		if s.SignedIn() || len(s.Sessions()) > 0 {
			t.Error("the session lives on")
		}
	})
}

func TestEndOtherSessions(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		others := []*apptest.Visitor{s.Visit(t), s.Visit(t), s.Visit(t)}
		for _, v := range others {
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		}
		page := s.Get("/account/sessions")
		s.Submit(page, "form[action$='/end-others']", nil, options...).LeadsTo("/account/sessions")
		s.Get("/account/sessions").Says("Other devices signed out")
		for _, v := range others {
			if v.SignedIn() {
				t.Error("another session lives on")
			}
		}
		if !s.SignedIn() || len(s.Sessions()) != 2 {
			t.Errorf("%d sessions are left, want anna's and ben's", len(s.Sessions()))
		}
	})
}

func TestExpiredSessionsAreNotListed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		s.SetTime("sessions", "expires_at", time.Now())
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		if got := s.Get("/account/sessions").Find("#sessions li").Length(); got != 1 {
			t.Errorf("%d sessions are listed, want 1", got)
		}
	})
}

func TestNewBrowserIsToldOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		again := func(v *apptest.Visitor) {
			t.Helper()
			v.Post("/sign-out", nil).LeadsTo("/")
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		}
		s.Join(apptest.Anna)
		s.MailTo(apptest.Anna.Email, apptest.VerifySubject) // alone
		s.Confirmed()
		again(s.Visitor)
		s.NoMail()

		phone := s.Visit(t)
		phone.Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).Wants(http.StatusUnprocessableEntity)
		s.NoMail()
		phone.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
		for range 2 {
			again(phone)
			again(s.Visitor)
		}
		s.NoMail()

		s.Visit(t).Join(apptest.Ben)
		s.MailTo("ben@example.com", apptest.VerifySubject)
		s.Confirmed()
		phone.Post("/sign-out", nil).LeadsTo("/")
		phone.Post("/sign-in", apptest.Credentials("benjamin", apptest.Ben.Form().Get("password"))).LeadsTo("/dashboard")
		s.MailTo("ben@example.com", apptest.NewBrowserSubject) // known of anna alone
	})
}

func TestForgedMarkOfABrowser(t *testing.T) {
	t.Parallel()
	marks := map[string]string{
		"empty": "", "text": "admin", "of nobody": strings.Repeat("A", 43), "cut": strings.Repeat("A", 42), "spare bits": strings.Repeat("A", 42) + "B",
		"SQL": "'%20OR%201=1--", "NUL": "%00", "very long": strings.Repeat("A", 8000),
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		for name, mark := range marks {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				v.SetCookie("browser", mark)
				c := v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard").Sets("browser")
				if c == nil || len(c.Value) != 43 || c.MaxAge != int((400*apptest.Day).Seconds()) || !c.HttpOnly {
					t.Errorf("the cookie is %v", c)
				}
				s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
			})
		}
	})
}

func TestMarkOfABrowserSignsNobodyIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		mark := s.Cookie("browser")
		if mark == "" || strings.Contains(s.Everything(), mark) {
			t.Error("the mark is stored as it is")
		}
		thief := s.Visit(t)
		thief.SetCookie("browser", mark)
		thief.SetCookie("session", mark)
		if thief.SignedIn() {
			t.Error("it signs in")
		}
	})
}

// TestNothingHappened repeats what ends or changes something. Only the first time is in
// the audit log.
func TestNothingHappened(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		ended := s.Sessions()[1].ID.String()
		for _, step := range []struct {
			kind, path string
			form       url.Values
			to         string
		}{
			{models.EventSessionEnded, "/account/sessions/" + ended + "/end", nil, "/account/sessions"},
			{"", "/account/sessions/end-others", nil, "/account/sessions"}, // there is no other any more
			{models.EventProfileChanged, "/account", apptest.With(apptest.Anna.Form(), "last_name", "Jones"), "/account"},
		} {
			for i := range 3 {
				got := recorded(s, func() { s.Post(step.path, step.form).LeadsTo(step.to) })
				if want := i == 0 && step.kind != ""; len(got) > 0 != want || want && got[0].Kind != step.kind {
					t.Errorf("time %d of %s: recorded are %+v", i+1, step.path, got)
				}
			}
		}
	})
}
