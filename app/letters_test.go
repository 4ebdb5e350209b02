package app_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// The subjects of mail.
const (
	verifySubject      = "Confirm your e-mail address"
	changeSubject      = "Confirm your new e-mail address"
	changedSubject     = "Your e-mail address was changed"
	resetSubject       = "Choose a new password"
	wasResetSubject    = "Your password was reset"
	newPasswordSubject = "Your password was changed"
	newBrowserSubject  = "New sign-in to your account"
)

// What anna types, and what she is told.
const (
	annasEmail           = "anna@example.com"
	annasPassword        = "correct horse battery"
	anotherPassword      = "zuvokelimantra 38"
	wrongPassword        = "This is not your current password."
	wantsCurrentPassword = "Enter your current password."
)

// letter is a mail as it reached somebody.
type letter struct {
	to, subject, text string
	link              string // what it asks to open, without the site's own address
}

// mailedURL is an address as it stands in a text.
var mailedURL = regexp.MustCompile(`https?://[^\s"<>]*[^\s"<>,.]`)

// outbox returns the mail that development keeps, the oldest first.
func (s *site) outbox() []letter {
	s.t.Helper()
	var all []letter
	s.visit(s.t).get("/dev/mail").wants(http.StatusOK).page().harmless().find("article.mail").Each(func(_ int, e selection) {
		to, _, _ := strings.Cut(strings.TrimPrefix(e.Find("p.hint").Text(), "To "), ", ")
		link := strings.TrimPrefix(e.Find("pre a").AttrOr("href", ""), s.url)
		all = append(all, letter{to, e.Find("h2").Text(), e.Find("pre").Text(), link})
	})
	slices.Reverse(all)
	return all
}

// queue returns the mail that waits to be sent.
func (s *site) queue() (mails []models.Mail) {
	s.t.Helper()
	if err := s.db.Bun().NewSelect().Model(&mails).Order("next_at", "id").Scan(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return mails
}

// deliver has the site send its mail, and returns what that was, the oldest
// first. The log must never show a token that was in it.
func (s *site) deliver() []letter {
	s.t.Helper()
	before := len(s.outbox())
	s.work(func() bool { return len(s.queue()) == 0 })
	sent := s.outbox()[before:]
	for _, l := range sent {
		token := s.tokenOf(l)
		s.t.Cleanup(func() { s.log.hide(token) }) // until then pages may show it
	}
	return sent
}

// letterTo has the site send its mail, and wants it to be one of that subject.
func (s *site) letterTo(to, subject string) letter {
	s.t.Helper()
	sent := s.deliver()
	if len(sent) != 1 || sent[0].to != to || sent[0].subject != subject {
		s.t.Fatalf("sent are %+v, want %q to %s alone", sent, subject, to)
	}
	return sent[0]
}

// noLetter has the site send its mail, and wants that to be none.
func (s *site) noLetter() {
	s.t.Helper()
	if sent := s.deliver(); len(sent) > 0 {
		s.t.Errorf("sent are %+v, want none", sent)
	}
}

// tokenOf returns the token in a letter's link, or nothing.
func (s *site) tokenOf(l letter) string {
	s.t.Helper()
	u, err := url.Parse(l.link)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Query().Get("token")
}

// work runs the site's worker until done says so, and then lets it finish what
// it has begun.
func (s *site) work(done func() bool) {
	s.t.Helper()
	defer s.startWork()()
	eventually(s.t, done)
}

// startWork runs the site's worker until stop is called.
func (s *site) startWork() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.app.Work(ctx) }()
	return func() { cancel(); <-stopped }
}

// eventually waits for done.
func eventually(t testing.TB, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for tick := time.Tick(5 * time.Millisecond); !done(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatal("what is waited for does not come")
		}
	}
}

// confirmed has everybody's address be confirmed: notices go to no other.
func (s *site) confirmed() { s.setTime("users", "verified_at", time.Now()) }

// setTime sets a time of every row of a table: tests do not wait.
func (s *site) setTime(table, column string, to time.Time) {
	s.t.Helper()
	_, err := s.db.Bun().ExecContext(s.t.Context(), "UPDATE ? SET ? = ?", bun.Ident(table), bun.Ident(column), to.UTC().Truncate(time.Microsecond))
	if err != nil {
		s.t.Fatal(err)
	}
}

// everything returns every value of every table.
func (s *site) everything(but ...string) string {
	s.t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if s.db.Postgres() {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	var tables []string
	if err := s.db.Bun().NewRaw(query).Scan(s.t.Context(), &tables); err != nil {
		s.t.Fatal(err)
	}
	for _, table := range []string{"users", "sessions", "tokens", "mails", "browsers"} {
		if !slices.Contains(tables, table) {
			s.t.Fatalf("the tables are %v, without %s", tables, table)
		}
	}
	var all strings.Builder
	for _, table := range tables {
		if !slices.Contains(but, table) {
			all.WriteString(s.dump(table))
		}
	}
	return all.String()
}

// user returns the user of that username or e-mail.
func (s *site) user(login string) *models.User {
	s.t.Helper()
	u, err := s.db.UserByLogin(s.t.Context(), login)
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// fill returns a form of: name, value, name, value...
func fill(pairs ...string) url.Values { return with(url.Values{}, pairs...) }

// submit sends the form on a page as a browser does, with what the person
// types.
func (v *visitor) submit(page *answer, form string, typed url.Values, options ...option) *answer {
	v.t.Helper()
	if n := page.find(form).Length(); n != 1 {
		page.failf("there are %d forms %s, want 1: %s", n, form, page.text("body"))
	}
	values := url.Values{}
	page.find(form).Find("input[name], textarea[name], option[selected]").Each(func(_ int, input selection) {
		name, value := input.AttrOr("name", input.Parent().AttrOr("name", "")), input.AttrOr("value", "")
		if input.Is("textarea") {
			value = strings.TrimPrefix(input.Text(), "\n")
		}
		if _, checked := input.Attr("checked"); checked || input.AttrOr("type", "") != "checkbox" {
			values.Add(name, value)
		}
	})
	maps.Copy(values, typed)
	return v.post(page.find(form).AttrOr("action", ""), values, options...)
}

// says wants a sentence on the page, or in the fragment.
func (a *answer) says(sentence string) *answer {
	a.t.Helper()
	if !strings.Contains(a.text("body"), sentence) {
		a.failf("it says %q, want %q", a.text("body"), sentence)
	}
	return a
}

// gone wants the answer to a link that is no longer good.
func (a *answer) gone() *answer {
	a.t.Helper()
	return a.wants(http.StatusGone).wantsHeader("Cache-Control", "no-store").harmless().says("It was used already, is too old, or is not complete.")
}

// eachWay runs test with htmx and without, each time on a fresh site of each
// database.
func eachWay(t *testing.T, test func(t *testing.T, s *site, options ...option), change ...func(*app.Config)) {
	for name, options := range map[string][]option{"plain": nil, "htmx": {htmx}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) { test(t, newSite(t, db, change...), options...) })
		})
	}
}

// postOffice is a mail server on loopback that keeps what it takes.
type postOffice struct {
	address string
	shut    atomic.Bool  // it hangs up on everybody
	refusal atomic.Int32 // what it says to every recipient, if not 0
	taking  func()       // is called as it takes a mail, if not nil

	mu    sync.Mutex
	taken []delivery
}

// delivery is a mail that a server took.
type delivery struct {
	to     string
	header netmail.Header
	text   string
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{address: l.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &clerk{office: o}, nil }))
	server.Domain = "localhost"
	server.ErrorLog = log.New(io.Discard, "", 0)
	stopped := make(chan struct{})
	go func() { defer close(stopped); server.Serve(door{l, o}) }()
	t.Cleanup(func() {
		server.Close()
		l.Close() // in case Serve has not begun yet
		<-stopped
	})
	return o
}

// use is a change for newSite.
func (o *postOffice) use(c *app.Config) {
	c.SMTPURL, c.MailFrom = "smtp://"+o.address, "Vestibule <hello@example.com>"
}

func (o *postOffice) deliveries() []delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.taken)
}

// door lets nobody in while the office is shut.
type door struct {
	net.Listener
	office *postOffice
}

func (d door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil || !d.office.shut.Load() {
			return conn, err
		}
		conn.Close()
	}
}

// clerk serves one connection.
type clerk struct {
	office *postOffice
	to     string
}

func (c *clerk) Reset()                               {}
func (c *clerk) Logout() error                        { return nil }
func (c *clerk) Mail(string, *smtp.MailOptions) error { return nil }

func (c *clerk) Rcpt(to string, _ *smtp.RcptOptions) error {
	if code := int(c.office.refusal.Load()); code != 0 {
		return &smtp.SMTPError{Code: code, Message: "<" + to + ">: not here"} // as most do
	}
	if c.to != "" {
		return &smtp.SMTPError{Code: 452, Message: "one recipient a mail"}
	}
	c.to = to
	return nil
}

func (c *clerk) Data(r io.Reader) error {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart() // the text comes first
	if err != nil {
		return err
	}
	text, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	if c.office.taking != nil {
		c.office.taking()
	}
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.taken = append(c.office.taken, delivery{c.to, m.Header, string(text)})
	return nil
}

// logged returns the lines of the log with that message.
func (s *site) logged(message string) []logLine {
	s.t.Helper()
	return slices.DeleteFunc(s.log.lines(s.t), func(l logLine) bool { return l["msg"] != message })
}

func TestMailWaitsForTheServer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ fail, mend func(o *postOffice) }{
		"down": {func(o *postOffice) { o.shut.Store(true) }, func(o *postOffice) { o.shut.Store(false) }},
		"busy": {func(o *postOffice) { o.refusal.Store(450) }, func(o *postOffice) { o.refusal.Store(0) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := openPostOffice(t)
				s := newSite(t, db, office.use)
				s.get("/dev/mail").wants(http.StatusNotFound)
				tt.fail(office)
				stop := s.startWork()
				s.join(anna()) // answers, whatever becomes of the mail
				eventually(t, func() bool { return len(s.logged("mail not sent, to be tried again")) > 0 })
				stop()
				if text := fmt.Sprint(s.logged("mail not sent, to be tried again")); strings.Contains(text, annasEmail) {
					t.Errorf("the log has the recipient: %s", text)
				}
				waiting := s.queue()
				if len(waiting) != 1 || waiting[0].Attempts != 1 || !waiting[0].NextAt.After(waiting[0].CreatedAt) || len(office.deliveries()) > 0 {
					t.Fatalf("waiting is %+v, delivered %+v", waiting, office.deliveries())
				}

				tt.mend(office)
				s.setTime("mails", "next_at", time.Now())
				s.work(func() bool { return len(s.queue()) == 0 })
				got := office.deliveries()
				if len(got) != 1 || got[0].to != annasEmail || got[0].header.Get("Subject") != verifySubject {
					t.Fatalf("delivered are %+v, want one", got)
				}
				link := strings.TrimPrefix(mailedURL.FindString(got[0].text), s.url)
				s.submit(s.get(link).wants(http.StatusOK), "form#verify", nil).leadsTo("/dashboard")
				s.log.hide(s.tokenOf(letter{link: link}))
			})
		})
	}
}

func TestMailThatCannotBeSentIsDropped(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail func(s *site, o *postOffice)
		log  string
		err  string // in the log, if anything
	}{
		"refused for good": {func(_ *site, o *postOffice) { o.refusal.Store(550) }, "mail refused for good", "550"},
		"tried for days": {func(s *site, o *postOffice) {
			o.shut.Store(true)
			s.setTime("mails", "created_at", time.Now().Add(-73*time.Hour))
		}, "mail given up", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := openPostOffice(t)
				s := newSite(t, db, office.use)
				s.log.mayFail()
				s.join(anna())
				tt.fail(s, office)
				s.work(func() bool { return len(s.queue()) == 0 })
				lines := s.logged(tt.log)
				if len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["kind"] != models.MailVerifyEmail || lines[0]["mail_id"] == nil {
					t.Errorf("the log says %v, want one error", lines)
				}
				if text := fmt.Sprint(lines); !strings.Contains(text, tt.err) || strings.Contains(text, annasEmail) {
					t.Errorf("the log says %s, want %q in it and not the recipient", text, tt.err)
				}
				if got := office.deliveries(); len(got) > 0 || len(s.logged("mail sent")) > 0 {
					t.Errorf("delivered are %+v", got)
				}
			})
		})
	}
}

func TestTwoProcessesSendEachMailOnce(t *testing.T) {
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, url string) {
		office := openPostOffice(t)
		one, two := newSite(t, modelstest.Open(t, url), office.use), newSite(t, modelstest.Open(t, url), office.use)
		const n = 40
		for i := range n {
			m := models.Mail{Kind: models.MailPasswordChanged, Recipient: fmt.Sprintf("p%d@example.com", i)}
			if err := one.db.QueueMail(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		stop := two.startWork()
		one.work(func() bool { return len(one.queue()) == 0 })
		stop()
		recipients, ids := map[string]bool{}, map[string]bool{}
		for _, d := range office.deliveries() {
			recipients[d.to], ids[d.header.Get("Message-Id")] = true, true
		}
		if got := len(office.deliveries()); got != n || len(recipients) != n || len(ids) != n {
			t.Errorf("%d mails with %d ids reach %d people, want %d each", got, len(ids), len(recipients), n)
		}
	})
}

// TestMailSentIsNotSentAgain takes the queue away from the worker, or ends it, while
// a mail is on its way.
func TestMailSentIsNotSentAgain(t *testing.T) {
	t.Parallel()
	rename := func(s *site, from, to string) {
		if _, err := s.db.Bun().ExecContext(s.t.Context(), "ALTER TABLE ? RENAME TO ?", bun.Ident(from), bun.Ident(to)); err != nil {
			s.t.Error(err)
		}
	}
	tests := map[string]struct {
		meanwhile func(s *site, end func())
		then      func(s *site)
	}{
		"without the queue": {func(s *site, _ func()) { rename(s, "mails", "away") }, func(s *site) {
			eventually(s.t, func() bool { return len(s.logged("mail queue not read")) > 0 })
			if _, err := s.db.Bun().ExecContext(s.t.Context(), "UPDATE away SET next_at = created_at"); err != nil { // the mail is due again
				s.t.Error(err)
			}
			rename(s, "away", "mails")
			eventually(s.t, func() bool { return len(s.queue()) == 0 })
		}},
		"at the end": {func(_ *site, end func()) { end() }, func(*site) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := openPostOffice(t)
				s := newSite(t, db, office.use)
				s.log.mayFail()
				if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailPasswordChanged, Recipient: annasEmail}); err != nil {
					t.Fatal(err)
				}
				ending, end := context.WithCancel(t.Context())
				office.taking = func() { tt.meanwhile(s, end) }
				var worker sync.WaitGroup
				worker.Go(func() { s.app.Work(ending) })
				eventually(t, func() bool { return len(office.deliveries()) > 0 })
				tt.then(s)
				end()
				worker.Wait()
				if left, sent := s.queue(), office.deliveries(); len(left) > 0 || len(sent) != 1 {
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
		office := openPostOffice(t)
		s := newSite(t, db, office.use)
		s.log.mayFail()
		s.post("/forgot-password", fill("email", annasEmail+more)).wants(http.StatusUnprocessableEntity).wantsErrors(map[string]string{"email": oddCharacter})
		for _, m := range []models.Mail{
			{Recipient: annasEmail + more},
			{Recipient: annasEmail + ", eve@evil.example"},
			{Recipient: annasEmail, Name: "Anna" + more},
			{Recipient: annasEmail, Detail: models.MailDetail{Email: "x@example.com" + more, Browser: "curl" + more, IP: "::1" + more}},
		} {
			for _, m.Kind = range []string{models.MailNewBrowser, models.MailEmailChanged, models.MailPasswordChanged} {
				if err := db.QueueMail(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.work(func() bool { return len(s.queue()) == 0 })
		if refused, sent := len(s.logged("mail refused for good")), len(office.deliveries()); refused != 6 || sent != 6 {
			t.Errorf("%d are refused and %d sent, want 6 each", refused, sent)
		}
		for _, d := range office.deliveries() {
			if d.to != annasEmail || d.header.Get("To") != "<"+annasEmail+">" || d.header.Get("Bcc") != "" {
				t.Errorf("to %s goes %v", d.to, d.header)
			}
		}
	})
}

func TestLettersLinkToTheSiteAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, overHTTPS)
		evil := []option{
			func(r *http.Request) { r.Host = "evil.example" },
			header("X-Forwarded-Host", "evil.example"), header("X-Forwarded-Proto", "http"), header("Forwarded", "host=evil.example"),
		}
		s.post("/sign-up", anna(), evil...).leadsTo("/dashboard")
		sent := s.deliver()
		s.confirmed()
		s.visit(t).post("/sign-in", annas(), evil...).leadsTo("/dashboard")
		s.post("/forgot-password", fill("email", annasEmail), evil...).wants(http.StatusOK)
		sent = append(sent, s.deliver()...)
		s.post("/account/email", fill("email", "new@example.com", "current_password", annasPassword), evil...).wants(http.StatusOK)
		sent = append(sent, s.deliver()...)
		link := strings.TrimPrefix(sent[len(sent)-1].link, "https://example.com")
		s.submit(s.get(link, evil...), "form#verify", nil, evil...).leadsTo("/dashboard")
		s.post("/account/password", fill("current_password", annasPassword, "password", anotherPassword, "confirm_password", anotherPassword), evil...).leadsTo("/account")
		sent = append(sent, s.deliver()...)

		var subjects []string
		for _, l := range sent {
			subjects = append(subjects, l.subject)
			links := mailedURL.FindAllString(l.text, -1)
			if len(links) == 0 || strings.Contains(l.text, "evil") {
				t.Errorf("the letter links to %q: %s", links, l.text)
			}
			for _, link := range links {
				if link != "https://example.com" && !strings.HasPrefix(link, "https://example.com/") {
					t.Errorf("%q links to %s", l.subject, link)
				}
			}
		}
		if want := []string{verifySubject, newBrowserSubject, resetSubject, changeSubject, changedSubject, newPasswordSubject}; !slices.Equal(subjects, want) {
			t.Errorf("sent are %q, want %q", subjects, want)
		}
	})
}

// During an update an older process meets the mail of a newer one.
func TestMailOfUnknownKindWaits(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		if err := db.QueueMail(t.Context(), models.Mail{Kind: "of-tomorrow", Recipient: annasEmail}); err != nil {
			t.Fatal(err)
		}
		s.join(anna())
		s.work(func() bool { return len(s.outbox()) == 1 && len(s.queue()) == 1 })
		if m := s.queue()[0]; m.Kind != "of-tomorrow" || m.Attempts != 1 {
			t.Errorf("the queue holds %+v", m)
		}
	})
}

func TestDevMailIsForThisMachineAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		for name, tt := range map[string]struct {
			address, host string
			status        int
		}{
			"here":                {"127.0.0.1:5000", "localhost:8080", http.StatusOK},
			"here, IPv6":          {"[::1]:5000", "[::1]:8080", http.StatusOK},
			"another machine":     {"192.0.2.7:5000", "localhost:8080", http.StatusNotFound},
			"through a proxy":     {"127.0.0.1:5000", "example.com", http.StatusNotFound},
			"a name rebound here": {"127.0.0.1:5000", "localhost.evil.example:8080", http.StatusNotFound},
		} {
			r := httptest.NewRequest(http.MethodGet, "/dev/mail", nil)
			r.RemoteAddr, r.Host = tt.address, tt.host
			if w := s.serve(r); w.Code != tt.status {
				t.Errorf("%s: the answer is %d, want %d", name, w.Code, tt.status)
			}
		}
	})
}
