package app_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestMailWaitsForTheServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ fail, mend func(o *apptest.MailServer) }{
		"down": {func(o *apptest.MailServer) { o.Down.Store(true) }, func(o *apptest.MailServer) { o.Down.Store(false) }},
		"busy": {func(o *apptest.MailServer) { o.Refusal.Store(450) }, func(o *apptest.MailServer) { o.Refusal.Store(0) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := apptest.StartMailServer(t)
				s := apptest.NewSite(t, db, office.Use)
				s.Get("/dev/mail").Wants(http.StatusNotFound)
				tt.fail(office)
				stop := s.StartWork()
				s.Join(apptest.Anna) // answers, whatever becomes of the mail
				apptest.Eventually(t, func() bool { return len(s.Logged("mail not sent, will retry")) > 0 })
				stop()
				if text := fmt.Sprint(s.Logged("mail not sent, will retry")); strings.Contains(text, apptest.Anna.Email) {
					t.Errorf("the log has the recipient: %s", text)
				}
				waiting := s.Queue()
				if len(waiting) != 1 || waiting[0].Attempts != 1 || !waiting[0].NextAt.After(waiting[0].CreatedAt) || len(office.Deliveries()) > 0 {
					t.Fatalf("waiting is %+v, delivered %+v", waiting, office.Deliveries())
				}

				tt.mend(office)
				s.SetTime("mails", "next_at", time.Now())
				s.Work(func() bool { return len(s.Queue()) == 0 })
				got := office.Deliveries()
				if len(got) != 1 || got[0].To != apptest.Anna.Email || got[0].Header.Get("Subject") != apptest.VerifySubject {
					t.Fatalf("delivered are %+v, want one", got)
				}
				link := strings.TrimPrefix(apptest.LinksIn(got[0].Text)[0], s.URL)
				s.Submit(s.Get(link).Wants(http.StatusOK), "form#verify", nil).LeadsTo("/dashboard")
				s.Log.Hide(s.TokenOf(apptest.Mail{Link: link}))
			})
		})
	}
}

func TestMailThatCannotBeSentIsDropped(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail func(s *apptest.Site, o *apptest.MailServer)
		log  string
		err  string // in the log, if anything
	}{
		"refused for good": {func(_ *apptest.Site, o *apptest.MailServer) { o.Refusal.Store(550) }, "mail rejected permanently", "550"},
		"tried for days": {func(s *apptest.Site, o *apptest.MailServer) {
			o.Down.Store(true)
			s.SetTime("mails", "created_at", time.Now().Add(-73*time.Hour))
		}, "mail abandoned", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := apptest.StartMailServer(t)
				s := apptest.NewSite(t, db, office.Use)
				s.Log.MayFail()
				s.Join(apptest.Anna)
				tt.fail(s, office)
				s.Work(func() bool { return len(s.Queue()) == 0 })
				lines := s.Logged(tt.log)
				if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["kind"] != models.MailVerifyEmail || lines[0]["mail_id"] == nil {
					t.Errorf("the log says %v, want one error", lines)
				}
				if text := fmt.Sprint(lines); !strings.Contains(text, tt.err) || strings.Contains(text, apptest.Anna.Email) {
					t.Errorf("the log says %s, want %q in it and not the recipient", text, tt.err)
				}
				if got := office.Deliveries(); len(got) > 0 || len(s.Logged("mail sent")) > 0 {
					t.Errorf("delivered are %+v", got)
				}
			})
		})
	}
}

func TestTwoProcessesSendEachMailOnce(t *testing.T) {
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, url string) {
		office := apptest.StartMailServer(t)
		one, two := apptest.NewSite(t, modelstest.Open(t, url), office.Use), apptest.NewSite(t, modelstest.Open(t, url), office.Use)
		const n = 40
		for i := range n {
			m := models.Mail{Kind: models.MailPasswordChanged, Recipient: fmt.Sprintf("p%d@example.com", i)}
			if err := one.DB.QueueMail(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		stop := two.StartWork()
		one.Work(func() bool { return len(one.Queue()) == 0 })
		stop()
		recipients, ids := map[string]bool{}, map[string]bool{}
		for _, d := range office.Deliveries() {
			recipients[d.To], ids[d.Header.Get("Message-Id")] = true, true
		}
		if got := len(office.Deliveries()); got != n || len(recipients) != n || len(ids) != n {
			t.Errorf("%d mails with %d ids reach %d people, want %d each", got, len(ids), len(recipients), n)
		}
	})
}

// TestSlowDomainStarvesNoOther lets every server of one domain stall.
func TestSlowDomainStarvesNoOther(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		office := apptest.StartMailServer(t)
		stalled, release := make(chan struct{}, 100), make(chan struct{})
		office.OnRecipient = func(to string) error {
			if strings.HasSuffix(to, "@slow.example") {
				stalled <- struct{}{}
				<-release
			}
			return nil
		}
		s := apptest.NewSite(t, db, office.Use)
		const n = 15
		for i := range n {
			if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: fmt.Sprintf("p%d@slow.example", i)}); err != nil {
				t.Fatal(err)
			}
		}
		s.Join(apptest.Anna) // with a link
		stop := s.StartWork()
		defer stop()
		for range 4 { // as many as one domain may have
			<-stalled
		}
		for i := range n {
			if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: fmt.Sprintf("p%d@example.com", i)}); err != nil {
				t.Fatal(err)
			}
		}
		apptest.Eventually(t, func() bool { return len(office.Deliveries()) == n+1 })
		if len(stalled) > 0 {
			t.Errorf("%d more to the slow domain are sent at once", len(stalled))
		}
		close(release)
		apptest.Eventually(t, func() bool { return len(s.Queue()) == 0 })
		if got := len(office.Deliveries()); got != 2*n+1 {
			t.Errorf("%d are delivered, want %d", got, 2*n+1)
		}
	})
}

// TestOnlyARefusalOfTheMailboxIsFinal keeps what was refused with the reason and the user.
func TestOnlyARefusalOfTheMailboxIsFinal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refusal smtp.SMTPError
		final   bool
	}{
		"no such user":   {smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}, true},
		"relay denied":   {smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relay access denied"}, false},
		"quota exceeded": {smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "quota exceeded"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := apptest.StartMailServer(t)
				office.OnRecipient = func(string) error { return &tt.refusal }
				s := apptest.NewSite(t, db, office.Use)
				s.Log.MayFail()
				s.Join(apptest.Anna)
				message := "mail not sent, will retry"
				if tt.final {
					message = "mail rejected permanently"
				}
				s.Work(func() bool { return len(s.Logged(message)) > 0 })
				anna := s.User(apptest.Anna.Email).ID
				if line := s.Logged(message)[0]; line["user_id"] != anna.String() {
					t.Errorf("the log says %v, want the user's id", line)
				}
				if waits := len(s.Queue()) == 1; waits == tt.final {
					t.Errorf("the queue holds %+v", s.Queue())
				}
				var refused []models.RefusedMail
				for m, err := range db.AllRefusedMail(t.Context(), anna) {
					if err != nil {
						t.Fatal(err)
					}
					refused = append(refused, *m)
				}
				if kept := len(refused) == 1; kept != tt.final || kept && !strings.Contains(refused[0].Reason, tt.refusal.Message) {
					t.Errorf("refused are %+v", refused)
				}
			})
		})
	}
}

// TestMailPausesWhileAllFail lets the mail server refuse the site itself.
func TestMailPausesWhileAllFail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		office := apptest.StartMailServer(t)
		var tried atomic.Int32
		var mended atomic.Bool
		office.OnRecipient = func(string) error {
			if tried.Add(1); mended.Load() {
				return nil
			}
			return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Relay access denied"}
		}
		s := apptest.NewSite(t, db, office.Use)
		s.Log.MayFail()
		const n = 40
		for i := range n {
			if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: fmt.Sprintf("p%d@example.com", i)}); err != nil {
				t.Fatal(err)
			}
		}
		const probes = 1
		stop := s.StartWork()
		defer stop()
		apptest.Eventually(t, func() bool {
			return len(s.Logged("mail is paused: several in a row failed alike, so only one at a time is tried")) > 0
		})
		before := tried.Load()
		apptest.Eventually(t, func() bool { return tried.Load() >= before+probes })
		if got := tried.Load(); got > 20 {
			t.Errorf("%d were tried", got)
		}
		mended.Store(true)
		s.SetTime("mails", "next_at", time.Now())
		apptest.Eventually(t, func() bool { return len(s.Queue()) == 0 })
		if got := len(office.Deliveries()); got != n {
			t.Errorf("%d are delivered, want %d", got, n)
		}
		for message, level := range map[string]string{"mail is paused: several in a row failed alike, so only one at a time is tried": "ERROR", "mail is sent again": "INFO"} {
			if lines := s.Logged(message); len(lines) != 1 || lines[0]["level"] != level {
				t.Errorf("the log says %v, want one %s of %q", lines, level, message)
			}
		}
	})
}

// TestMailSentIsNotSentAgain takes the queue away from the worker, or ends it, while
// a mail is on its way.
func TestMailSentIsNotSentAgain(t *testing.T) {
	t.Parallel()
	rename := func(s *apptest.Site, from, to string) {
		if _, err := s.DB.Bun().ExecContext(s.T.Context(), "ALTER TABLE ? RENAME TO ?", bun.Ident(from), bun.Ident(to)); err != nil {
			s.T.Error(err)
		}
	}
	tests := map[string]struct {
		meanwhile func(s *apptest.Site, end func())
		then      func(s *apptest.Site)
	}{
		"without the queue": {func(s *apptest.Site, _ func()) { rename(s, "mails", "away") }, func(s *apptest.Site) {
			apptest.Eventually(s.T, func() bool { return len(s.Logged("mail queue not read")) > 0 })
			if _, err := s.DB.Bun().ExecContext(s.T.Context(), "UPDATE away SET next_at = created_at"); err != nil { // the mail is due again
				s.T.Error(err)
			}
			rename(s, "away", "mails")
			apptest.Eventually(s.T, func() bool { return len(s.Queue()) == 0 })
		}},
		"at the end": {func(_ *apptest.Site, end func()) { end() }, func(*apptest.Site) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := apptest.StartMailServer(t)
				s := apptest.NewSite(t, db, office.Use)
				s.Log.MayFail()
				if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: apptest.Anna.Email}); err != nil {
					t.Fatal(err)
				}
				ending, end := context.WithCancel(t.Context())
				office.OnMail = func() { tt.meanwhile(s, end) }
				var worker sync.WaitGroup
				worker.Go(func() { s.App.Work(ending) })
				apptest.Eventually(t, func() bool { return len(office.Deliveries()) > 0 })
				tt.then(s)
				end()
				worker.Wait()
				if left, sent := s.Queue(), office.Deliveries(); len(left) > 0 || len(sent) != 1 {
					t.Errorf("left are %+v, sent %+v, want one sent", left, sent)
				}
			})
		})
	}
}

func TestMailHasNoHeadersOfStrangers(t *testing.T) {
	t.Parallel()
	const more = "\r\nBcc: eve@evil.example\r\n\r\nHello"
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		office := apptest.StartMailServer(t)
		s := apptest.NewSite(t, db, office.Use)
		s.Log.MayFail()
		s.Post("/forgot-password", apptest.Fill("email", apptest.Anna.Email+more)).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": apptest.OddCharacter})
		for _, m := range []models.Mail{
			{Recipient: apptest.Anna.Email + more},
			{Recipient: apptest.Anna.Email + ", eve@evil.example"},
			{Recipient: apptest.Anna.Email, Name: "Anna" + more},
			{Recipient: apptest.Anna.Email, Detail: models.MailDetail{Email: "x@example.com" + more, Browser: "curl" + more, IP: "::1" + more}},
		} {
			for _, m.Kind = range []string{models.MailNewBrowser, models.MailEmailChanged, models.MailPasswordChanged} {
				if err := db.QueueMail(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.Work(func() bool { return len(s.Queue()) == 0 })
		if refused, sent := len(s.Logged("mail rejected permanently")), len(office.Deliveries()); refused != 6 || sent != 6 {
			t.Errorf("%d are refused and %d sent, want 6 each", refused, sent)
		}
		for _, d := range office.Deliveries() {
			if d.To != apptest.Anna.Email || d.Header.Get("To") != "<"+apptest.Anna.Email+">" || d.Header.Get("Bcc") != "" {
				t.Errorf("to %s goes %v", d.To, d.Header)
			}
		}
	})
}

// TestMailToStrangersCarriesNoMessage asks for a new address whose first part, which its
// owner's mailbox ignores, speaks to them.
func TestMailToStrangersCarriesNoMessage(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Deliver()
		for email, says := range map[string]string{
			"new+tag@example.com":               "Confirm new+tag@example.com as",
			"ben+you-won.prize.com@example.com": "Confirm this address as",
			"ben+call-555-0100@example.com":     "Confirm this address as",
		} {
			s.Post("/account/email", apptest.NewEmail(email)).Wants(http.StatusOK)
			if m := s.MailTo(email, apptest.ChangeSubject); !strings.Contains(m.Text, says) || strings.Contains(m.Text, "Anna") {
				t.Errorf("the mail to %s says %s", email, m.Text)
			}
		}
	})
}

func TestMailLinksOnlyToTheSite(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const site = "https://localhost:8443"
		s := apptest.NewSite(t, db, func(c *app.Config) { c.BaseURL = site })
		evil := []apptest.Option{
			func(r *http.Request) { r.Host = "evil.example" },
			apptest.Header("X-Forwarded-Host", "evil.example"), apptest.Header("X-Forwarded-Proto", "http"), apptest.Header("Forwarded", "host=evil.example"),
		}
		s.Post("/sign-up", apptest.Anna.Form(), evil...).LeadsTo("/dashboard")
		sent := s.Deliver()
		s.Confirmed()
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials(), evil...).LeadsTo("/dashboard")
		s.Post("/forgot-password", apptest.Fill("email", apptest.Anna.Email), evil...).Wants(http.StatusOK)
		sent = append(sent, s.Deliver()...)
		s.Post("/account/email", apptest.Fill("email", "new@example.com", "current_password", apptest.Anna.Password), evil...).Wants(http.StatusOK)
		sent = append(sent, s.Deliver()...)
		link := strings.TrimPrefix(sent[len(sent)-1].Link, site)
		s.Submit(s.Get(link, evil...), "form#verify", nil, evil...).LeadsTo("/dashboard")
		s.Post("/account/password", apptest.Fill("current_password", apptest.Anna.Password, "password", apptest.AnotherPassword, "confirm_password", apptest.AnotherPassword), evil...).LeadsTo("/account")
		sent = append(sent, s.Deliver()...)

		var subjects []string
		for _, l := range sent {
			subjects = append(subjects, l.Subject)
			links := apptest.LinksIn(l.Text)
			if len(links) == 0 || strings.Contains(l.Text, "evil") {
				t.Errorf("the mail links to %q: %s", links, l.Text)
			}
			for _, link := range links {
				if link != site && !strings.HasPrefix(link, site+"/") {
					t.Errorf("%q links to %s", l.Subject, link)
				}
			}
		}
		if want := []string{apptest.VerifySubject, apptest.ResetSubject, apptest.NewBrowserSubject, apptest.ChangeSubject, apptest.ChangedSubject, apptest.NewPasswordSubject}; !slices.Equal(subjects, want) {
			t.Errorf("sent are %q, want %q", subjects, want)
		}
	})
}

// During an update an older process meets the mail of a newer one.
func TestMailOfUnknownKindWaits(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		if err := db.QueueMail(t.Context(), models.Mail{Kind: "of-tomorrow", Recipient: apptest.Anna.Email}); err != nil {
			t.Fatal(err)
		}
		s.Join(apptest.Anna)
		s.Work(func() bool { q := s.Queue(); return len(s.Outbox()) == 1 && len(q) == 1 && q[0].Attempts == 1 })
		if m := s.Queue()[0]; m.Kind != "of-tomorrow" {
			t.Errorf("the queue holds %+v", m)
		}
	})
}

func TestDevMailIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		plain := apptest.NewSite(t, db)
		trusting := apptest.NewSite(t, db, func(c *app.Config) { c.TrustedProxies = "127.0.0.1, 192.0.2.7" })
		public := apptest.NewSite(t, db, apptest.OverHTTPS)
		secure := apptest.NewSite(t, db, func(c *app.Config) { c.BaseURL = "https://localhost:8443" })
		here, local := "127.0.0.1:5000", "localhost:8080"
		header := func(name, value string) http.Header { return http.Header{name: {value}} }
		for name, tt := range map[string]struct {
			site          *apptest.Site
			address, host string
			header        http.Header
			proto         int // the minor number of HTTP/1
			status        int
		}{
			"here":                               {plain, here, local, nil, 1, http.StatusOK},
			"here, IPv6":                         {plain, "[::1]:5000", "[::1]:8080", nil, 1, http.StatusOK},
			"here, with trusted proxies":         {trusting, here, local, nil, 1, http.StatusOK},
			"here, by https":                     {secure, here, "localhost:8443", nil, 1, http.StatusOK},
			"another machine":                    {plain, "192.0.2.7:5000", local, nil, 1, http.StatusNotFound},
			"through a proxy":                    {plain, here, "example.com", nil, 1, http.StatusNotFound},
			"a name rebound here":                {plain, here, "localhost.evil.example:8080", nil, 1, http.StatusNotFound},
			"a proxy that rewrites Host":         {plain, here, local, header("X-Forwarded-For", "203.0.113.5"), 1, http.StatusNotFound},
			"a trusted proxy, a client":          {trusting, here, local, header("X-Forwarded-For", "203.0.113.5"), 1, http.StatusNotFound},
			"a trusted proxy, a client with us":  {trusting, here, local, header("X-Forwarded-For", "127.0.0.1"), 1, http.StatusNotFound},
			"a trusted proxy, nonsense":          {trusting, here, local, header("X-Forwarded-For", "unknown"), 1, http.StatusNotFound},
			"a trusted machine claims to be us":  {trusting, "192.0.2.7:5000", local, header("X-Forwarded-For", "127.0.0.1"), 1, http.StatusNotFound},
			"a proxy with another header":        {plain, here, local, header("X-Real-Ip", "203.0.113.5"), 1, http.StatusNotFound},
			"a proxy with the standard's header": {plain, here, local, header("Forwarded", "for=203.0.113.5"), 1, http.StatusNotFound},
			"a proxy that says only its name":    {plain, here, local, header("Via", "1.1 proxy"), 1, http.StatusNotFound},
			"nginx as it is installed":           {plain, here, local, nil, 0, http.StatusNotFound},
			"a site for everybody":               {public, here, local, nil, 1, http.StatusNotFound},
		} {
			r := httptest.NewRequest(http.MethodGet, "/dev/mail", nil)
			r.RemoteAddr, r.Host, r.Proto, r.ProtoMinor = tt.address, tt.host, fmt.Sprintf("HTTP/1.%d", tt.proto), tt.proto
			maps.Copy(r.Header, tt.header)
			if w := tt.site.Serve(r); w.Code != tt.status {
				t.Errorf("%s: the answer is %d, want %d", name, w.Code, tt.status)
			}
		}
	})
}
