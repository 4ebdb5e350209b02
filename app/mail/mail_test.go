package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const from = "Vestibüle <hello@example.com>"

var message = Message{
	ID:      "0190b3c4",
	To:      "zoe@example.org",
	Subject: "Grüße, Zoë",
	Text:    "Grüße!\n.\nA line that is a dot stands above; this one is " + strings.Repeat("long ", 40) + "\n",
	HTML:    "<p>Grüße &amp; más = 1</p>\n",
}

// server is an SMTP server on loopback that keeps what it receives.
type server struct {
	refuseRcpt, refuseData error
	mechanisms             []string
	onRcpt                 func()
	hangUp                 bool // once it has a message
	ascii                  bool // it has no SMTPUTF8

	mu       sync.Mutex
	received []envelope
}

type envelope struct {
	user, from, to string
	encrypted      bool
	utf8           bool
	data           []byte
}

// start serves on a free port and returns its host:port.
func (s *server) start(t *testing.T, cert *tls.Certificate, implicit bool) string {
	t.Helper()
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	srv.Domain = "localhost"
	srv.AllowInsecureAuth = true
	srv.EnableSMTPUTF8 = !s.ascii
	srv.ErrorLog = quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if cert != nil {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
	}
	if implicit {
		l = tls.NewListener(l, srv.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		l.Close() // in case Serve has not begun yet, so that srv does not know l
		<-done
	})
	return addr
}

// only returns the one message received.
func (s *server) only(t *testing.T) envelope {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.received) != 1 {
		t.Fatalf("the server received %d messages, want 1", len(s.received))
	}
	return s.received[0]
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type session struct {
	*server
	conn *smtp.Conn
	envelope
}

func (s *session) AuthMechanisms() []string { return s.mechanisms }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != "s3cret/" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	_, s.encrypted = s.conn.TLSConnectionState()
	s.from, s.utf8 = from, o.UTF8
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if s.onRcpt != nil {
		s.onRcpt()
	}
	return s.refuseRcpt
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.refuseData != nil {
		return s.refuseData
	}
	s.data = data
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, s.envelope)
	return nil
}

func (s *session) Reset() {
	if s.hangUp && s.data != nil {
		s.conn.Conn().Close()
	}
}

func (s *session) Logout() error { return nil }

// certificate returns a self-signed certificate for 127.0.0.1 and a pool that
// trusts it.
func certificate(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return &srv.TLS.Certificates[0], pool
}

func newSMTP(t *testing.T, url string) *SMTP {
	t.Helper()
	s, err := NewSMTP(url, from)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	plain := []string{sasl.Plain}
	tests := []struct {
		name       string
		url        string // with %s for host:port
		cert       *tls.Certificate
		mechanisms []string
		strict     bool // as for a host elsewhere
		want       envelope
	}{
		{name: "plain", url: "smtp://%s"},
		{name: "auth", url: "smtp://joe:s3cret%%2F@%s", mechanisms: plain, want: envelope{user: "joe"}},
		{name: "loopback STARTTLS, any certificate", url: "smtp://%s", cert: cert, want: envelope{encrypted: true}},
		{name: "STARTTLS", url: "smtp://joe:s3cret%%2F@%s", cert: cert, mechanisms: plain, strict: true, want: envelope{user: "joe", encrypted: true}},
		{name: "implicit TLS", url: "smtps://joe:s3cret%%2F@%s", cert: cert, mechanisms: plain, want: envelope{user: "joe", encrypted: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := &server{mechanisms: tt.mechanisms}
			s := newSMTP(t, fmt.Sprintf(tt.url, srv.start(t, tt.cert, strings.HasPrefix(tt.url, "smtps"))))
			if tt.strict {
				s.local, s.tls.InsecureSkipVerify = false, false
			}
			s.tls.RootCAs = pool
			if err := s.Send(t.Context(), message); err != nil {
				t.Fatal(err)
			}
			got := srv.only(t)
			if got.user != tt.want.user || got.encrypted != tt.want.encrypted {
				t.Errorf("signed in as %q, encrypted %t, want %q, %t", got.user, got.encrypted, tt.want.user, tt.want.encrypted)
			}
			if got.from != "hello@example.com" || got.to != message.To || got.utf8 {
				t.Errorf("envelope from %q to %q, SMTPUTF8 %t", got.from, got.to, got.utf8)
			}
			checkMessage(t, got.data)
		})
	}
}

// TestSendToAnyScript writes to domains in ASCII, and asks for SMTPUTF8 only if what
// stands before the @ needs it.
func TestSendToAnyScript(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]envelope{
		"zoe@bücher.example":            {to: "zoe@xn--bcher-kva.example"},
		"Zoë <zoe@bücher.example>":      {to: "zoe@xn--bcher-kva.example"},
		"zoe@xn--bcher-kva.example":     {to: "zoe@xn--bcher-kva.example"},
		"zoë@bücher.example":            {to: "zoë@xn--bcher-kva.example", utf8: true},
		"用户@例子.广告":                      {to: "用户@xn--fsqu00a.xn--4rr70v", utf8: true},
		"Zoe.Smith+news@Example.Com":    {to: "Zoe.Smith+news@Example.Com"},
		`"zoe smith"@bücher.example`:    {to: `zoe smith@xn--bcher-kva.example`},
		"zoe@r3---sn-x.bücher.example":  {to: "zoe@r3---sn-x.xn--bcher-kva.example"},
		"zoe@xn--zzzzzzz-.test.example": {to: "zoe@xn--zzzzzzz-.test.example"},
	} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			srv := &server{ascii: !want.utf8}
			s := newSMTP(t, "smtp://"+srv.start(t, nil, false))
			m := message
			m.To = to
			if err := s.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if got := srv.only(t); got.to != want.to || got.utf8 != want.utf8 {
				t.Errorf("envelope to %q, SMTPUTF8 %t; want %q, %t", got.to, got.utf8, want.to, want.utf8)
			}
		})
	}
}

func TestReaches(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		srv     *server // nil is down
		address string
		want    bool
	}{
		"ASCII":                         {&server{ascii: true}, "zoe@bücher.example", true},
		"other letters":                 {&server{}, "zoë@example.org", true},
		"other letters by ASCII":        {&server{ascii: true}, "zoë@example.org", false},
		"other letters, server is down": {nil, "zoë@example.org", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := "127.0.0.1:1"
			if tt.srv != nil {
				addr = tt.srv.start(t, nil, false)
			}
			s := newSMTP(t, "smtp://"+addr)
			for range 2 {
				if got := s.Reaches(t.Context(), tt.address); got != tt.want {
					t.Errorf("it reaches %s: %v, want %v", tt.address, got, tt.want)
				}
			}
		})
	}
	if !new(Outbox).Reaches(t.Context(), "zoë@example.org") {
		t.Error("the outbox reaches nobody")
	}
}

// What the server has taken is sent, though the goodbye fails; an error would
// make the queue send it again.
func TestSendServerHangsUp(t *testing.T) {
	t.Parallel()
	srv := &server{hangUp: true}
	if err := newSMTP(t, "smtp://"+srv.start(t, nil, false)).Send(t.Context(), message); err != nil {
		t.Error(err)
	}
	srv.only(t)
}

func checkMessage(t *testing.T, data []byte) {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From":           "Vestibüle <hello@example.com>",
		"To":             "<zoe@example.org>",
		"Subject":        message.Subject,
		"Message-Id":     "<0190b3c4@example.com>",
		"Auto-Submitted": "auto-generated",
	} {
		got, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get(name))
		if got = strings.ReplaceAll(got, `"`, ""); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if date, err := msg.Header.Date(); err != nil || time.Since(date) > time.Minute {
		t.Errorf("Date: %v, %v", date, err)
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type: %s, %v", kind, err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []struct{ kind, body string }{{"text/plain", message.Text}, {"text/html", message.HTML}} {
		part, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		kind, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if encoding := part.Header.Get("Content-Transfer-Encoding"); kind != want.kind || params["charset"] != "UTF-8" || encoding != "quoted-printable" {
			t.Errorf("part: %s %v %s, want %s", kind, params, encoding, want.kind)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || got != want.body {
			t.Errorf("%s: %q, %v, want %q", want.kind, got, err, want.body)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("a third part, or %v", err)
	}
}

// Elsewhere than on this machine, nothing is sent without TLS that proves who
// the server is.
func TestSendNeedsTLS(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t)
	for name, cert := range map[string]*tls.Certificate{"no STARTTLS": nil, "untrusted certificate": cert} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := &server{mechanisms: []string{sasl.Plain}}
			s := newSMTP(t, "smtp://joe:s3cret%2F@"+srv.start(t, cert, false))
			s.local, s.tls.InsecureSkipVerify = false, false
			err := s.Send(t.Context(), message)
			if err == nil || Permanent(err) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("err = %v, want one to retry", err)
			}
			if len(srv.received) > 0 {
				t.Error("sent all the same")
			}
		})
	}
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	reply := func(code int, enhanced smtp.EnhancedCode, words string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: "<Zoe@Example.org>: " + words + ", zoe@elsewhere.example is full"}
	}
	bare := smtp.NoEnhancedCode
	tests := []struct {
		name string
		srv  server
		user string
		want bool
	}{
		{name: "recipient unknown", srv: server{refuseRcpt: reply(550, smtp.EnhancedCode{5, 1, 1}, "no")}, want: true},
		{name: "recipient's domain unknown", srv: server{refuseRcpt: reply(550, smtp.EnhancedCode{5, 1, 2}, "no")}, want: true},
		{name: "recipient malformed", srv: server{refuseRcpt: reply(553, smtp.EnhancedCode{5, 1, 3}, "no")}, want: true},
		{name: "recipient disabled", srv: server{refuseRcpt: reply(550, smtp.EnhancedCode{5, 2, 1}, "no")}, want: true},
		{name: "recipient unknown, in words alone", srv: server{refuseRcpt: reply(550, bare, "No such user here")}, want: true},
		{name: "recipient unknown, in other words", srv: server{refuseRcpt: reply(550, smtp.EnhancedCode{5, 0, 0}, "User unknown in table")}, want: true},
		{name: "recipient greylisted", srv: server{refuseRcpt: reply(451, smtp.EnhancedCode{4, 7, 1}, "no")}},
		{name: "recipient full", srv: server{refuseRcpt: reply(552, smtp.EnhancedCode{5, 2, 2}, "no")}},
		{name: "relay denied", srv: server{refuseRcpt: reply(554, smtp.EnhancedCode{5, 7, 1}, "Relay access denied")}},
		{name: "relay denied, without a code", srv: server{refuseRcpt: reply(554, bare, "Relay access denied")}},
		{name: "quota of the site", srv: server{refuseRcpt: reply(550, bare, "quota exceeded")}},
		{name: "sender's mailbox unknown", srv: server{refuseRcpt: reply(550, smtp.EnhancedCode{5, 1, 8}, "no")}},
		{name: "content refused", srv: server{refuseData: reply(554, smtp.EnhancedCode{5, 7, 1}, "spam")}},
		{name: "content refused with the code of a recipient", srv: server{refuseData: reply(550, smtp.EnhancedCode{5, 1, 1}, "no")}},
		{name: "content not now", srv: server{refuseData: reply(452, smtp.EnhancedCode{4, 3, 1}, "no")}},
		{name: "not signed in", srv: server{refuseRcpt: reply(530, smtp.EnhancedCode{5, 7, 0}, "no")}},
		{name: "wrong password", srv: server{mechanisms: []string{sasl.Plain}}, user: "joe:wrong-pw@"},
		{name: "no way to sign in", user: "joe:wrong-pw@"},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSMTP(t, "smtp://"+tt.user+tt.srv.start(t, nil, false))
			err := s.Send(t.Context(), message)
			if err == nil || Permanent(err) != tt.want || strings.Contains(err.Error(), "wrong-pw") {
				t.Errorf("err = %v, Permanent %t, want %t", err, Permanent(err), tt.want)
			}
			// It is for the log: with the server's words, and without addresses.
			if refusal := cmp.Or(tt.srv.refuseRcpt, tt.srv.refuseData); refusal != nil {
				code := fmt.Sprint(refusal.(*smtp.SMTPError).Code)
				if text := err.Error(); !strings.Contains(text, code) || !strings.Contains(text, "is full") || strings.Contains(strings.ToLower(text), "zoe") {
					t.Errorf("err = %v, want %s and the server's words without the addresses", err, code)
				}
			}
		})
	}
	if Permanent(nil) || Permanent(io.EOF) {
		t.Error("Permanent(nil) or Permanent(io.EOF)")
	}
}

// TestCauseOf tells a fault of the site from one that the recipient's server may have.
func TestCauseOf(t *testing.T) {
	t.Parallel()
	causes := map[string]bool{}
	for name, tt := range map[string]struct {
		refusal     smtp.SMTPError
		byRecipient bool
	}{
		"relay denied": {smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}}, false},
		"quota":        {smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 4, 5}}, false},
		"greylisted":   {smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}}, true},
	} {
		srv := server{refuseRcpt: &tt.refusal}
		s := newSMTP(t, "smtp://"+srv.start(t, nil, false))
		cause := CauseOf(s.Send(t.Context(), message))
		if again := CauseOf(s.Send(t.Context(), message)); cause.ByRecipient != tt.byRecipient || again != cause || causes[cause.Name] {
			t.Errorf("%s: the cause is %+v, then %+v", name, cause, again)
		}
		causes[cause.Name] = true
	}
	if cause := CauseOf(io.EOF); cause.ByRecipient || causes[cause.Name] {
		t.Errorf("without a connection the cause is %+v", cause)
	}
}

func TestSendServerDown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := newSMTP(t, "smtp://"+l.Addr().String()).Send(t.Context(), message); err == nil || Permanent(err) {
		t.Errorf("err = %v, want one to retry", err)
	}
}

// A server that falls silent holds Send no longer than its context.
func TestSendServerSilent(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"smtp", "smtps"} {
		t.Run(scheme+" from the start", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				cancel()
				io.Copy(io.Discard, conn) // until Send closes the connection
				conn.Close()
			}()
			start := time.Now()
			err = newSMTP(t, scheme+"://"+l.Addr().String()).Send(ctx, message)
			checkCanceled(t, err, start)
		})
	}
	t.Run("later", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		silence := make(chan struct{})
		srv := &server{onRcpt: func() { cancel(); <-silence }}
		s := newSMTP(t, "smtp://"+srv.start(t, nil, false))
		start := time.Now()
		err := s.Send(ctx, message)
		close(silence)
		checkCanceled(t, err, start)
	})
}

func checkCanceled(t *testing.T, err error, start time.Time) {
	t.Helper()
	if !errors.Is(err, context.Canceled) || Permanent(err) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
	if d := time.Since(start); d > commandTimeout/2 {
		t.Errorf("Send took %v: it waited for its own time limit", d)
	}
}

func TestSendRefusesBadMessages(t *testing.T) {
	t.Parallel()
	srv := new(server)
	s := newSMTP(t, "smtp://"+srv.start(t, nil, false))
	for name, spoil := range map[string]func(*Message){
		"CRLF in To":           func(m *Message) { m.To = "zoe@example.org\r\nBcc: all@example.org" },
		"folded To":            func(m *Message) { m.To = "Zoe\r\n <zoe@example.org>" },
		"LF in Subject":        func(m *Message) { m.Subject = "Hi\nBcc: all@example.org" },
		"CR in Subject":        func(m *Message) { m.Subject = "Hi\rBcc: all@example.org" },
		"CRLF in ID":           func(m *Message) { m.ID = "1>\r\nBcc: all@example.org" },
		"no address":           func(m *Message) { m.To = "" },
		"not an address":       func(m *Message) { m.To = "zoe" },
		"two addresses":        func(m *Message) { m.To = "zoe@example.org, all@example.org" },
		"a command in address": func(m *Message) { m.To = "zoe@example.org> NOTIFY=NEVER" },
	} {
		t.Run(name, func(t *testing.T) {
			m := message
			spoil(&m)
			if err := s.Send(t.Context(), m); !Permanent(err) || strings.Contains(err.Error(), "zoe") {
				t.Errorf("err = %v, want a permanent one without the recipient", err)
			}
		})
	}
	if len(srv.received) > 0 {
		t.Errorf("the server received %d messages", len(srv.received))
	}
}

func TestNewSMTP(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]*SMTP{
		"smtp://mail.example.com":             {addr: "mail.example.com:587"},
		"smtp://mail.example.com/":            {addr: "mail.example.com:587"},
		"smtps://joe:p%40ss@mail.example.com": {addr: "mail.example.com:465", implicit: true, user: "joe", password: "p@ss"},
		"smtp://192.0.2.1:2525":               {addr: "192.0.2.1:2525"},
		"smtp://localhost.example.com":        {addr: "localhost.example.com:587"},
		"smtp://localhost:1025":               {addr: "localhost:1025", local: true},
		"smtp://127.0.0.1:25":                 {addr: "127.0.0.1:25", local: true},
		"smtp://[::1]:25":                     {addr: "[::1]:25", local: true},
		"smtp://mail_relay-1:25":              {addr: "mail_relay-1:25"},
		"smtps://localhost":                   {addr: "localhost:465", implicit: true},
	} {
		got := newSMTP(t, url)
		if got.addr != want.addr || got.implicit != want.implicit || got.local != want.local ||
			got.user != want.user || got.password != want.password || got.tls.InsecureSkipVerify != want.local {
			t.Errorf("NewSMTP(%q) = %+v", url, got)
		}
	}
}

func TestNewSMTPErrors(t *testing.T) {
	t.Parallel()
	const good = "smtp://localhost"
	for _, tt := range []struct{ url, from string }{
		{"", from},
		{"localhost:25", from},
		{"http://joe:s3cret@example.com", from},
		{"smtp:joe:s3cret@example.com", from},
		{"joe:s3cret@example.com", from},
		{"smtp://", from},
		{"smtp://joe:s3cret@", from},
		{"smtp://joe:s3cret@:587", from},
		{"smtp://joe:s3cret@]", from},
		{"smtp://joe:s3cret@[]", from},
		{"smtp://joe:s3cret@[mail.example.com]", from},
		{"smtp://joe:s3cret@mail,example.com", from},
		{"smtp://joe:s3cret/@example.com", from},
		{"smtp://joe:123/s3cret@example.com", from},
		{"smtp://joe:123?s3cret@example.com", from},
		{"smtp://joe:123#s3cret@example.com", from},
		{"smtp://joe:s3cret%zz@example.com", from},
		{"smtp://joe:s3cret @example.com", from},
		{"smtp://joe:s3cret\n@example.com", from},
		{"smtp://joe:s3cret@example.com:s3cret", from},
		{"smtp://joe:s3cret@example.com:0", from},
		{"smtp://joe:s3cret@example.com:65536", from},
		{"smtp://joe:s3cret@example.com:465", from},
		{"smtp://joe@example.com", from},
		{"smtp://joe:@example.com", from},
		{"smtp://:s3cret@example.com", from},
		{good, ""},
		{good, "Vestibule"},
		{good, "a@example.com, b@example.com"},
		{good, "a@example.com\r\nBcc: b@example.com"},
	} {
		_, err := NewSMTP(tt.url, tt.from)
		if err == nil {
			t.Errorf("NewSMTP(%q, %q) does not fail", tt.url, tt.from)
			continue
		}
		if s := err.Error(); !strings.HasPrefix(s, "mail: the ") || strings.ContainsAny(s, "\r\n") || strings.Contains(s, "s3cret") || strings.Contains(s, "123") {
			t.Errorf("NewSMTP(%q, %q): %q", tt.url, tt.from, s)
		}
	}
}

// FuzzNewSMTP reads URLs of mail servers. Whatever is wrong with one, the error
// does not repeat its password.
func FuzzNewSMTP(f *testing.F) {
	const secret = "hunter2secret"
	for _, parts := range [][3]string{
		{"smtp://me:", "@mail.example.com:587", from}, {"smtps://me:", "@mail.example.com", from}, {"http://me:", "@localhost", from}, {"smtp://me:", "%zz@localhost", from},
		{"smtp://", "@localhost:99999", from}, {"smtp://me:", "/x@localhost", from}, {"smtp://me:", "#@localhost", from}, {"smtp://me:", "@[::1", from},
		{"", "", ""}, {"smtp:", ":@", "x"}, {"smtp://localhost/", "?", "a@b"}, {"smtp://me:", "\x00@localhost", "\r\nBcc: eve@evil.example"},
	} {
		f.Add(parts[0], parts[1], parts[2])
	}
	f.Fuzz(func(t *testing.T, before, after, from string) {
		if strings.Contains(from, secret) || strings.Contains(before, "%") { // which may spell the secret in another way
			t.Skip()
		}
		s, err := NewSMTP(before+secret+after, from)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("the error is no sentence: %q", err)
			}
			return
		}
		if host, port, err := net.SplitHostPort(s.addr); err != nil || host == "" || port == "" || (s.user == "") != (s.password == "") ||
			strings.ContainsAny(s.from.Address, "\r\n\x00") {
			t.Errorf("%q and %q make %+v (%v)", before+secret+after, from, s, err)
		}
		if s.local && !IsLoopback(s.host) {
			t.Errorf("%q may go without encryption", s.host)
		}
	})
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	box, err := NewOutbox(from)
	if err != nil {
		t.Fatal(err)
	}
	var o Sender = box
	var wg sync.WaitGroup
	for range outboxSize {
		wg.Go(func() { o.Send(t.Context(), message) })
	}
	wg.Wait()
	last := message
	last.ID = "last"
	o.Send(t.Context(), last)
	sent := o.(*Outbox).Messages()
	if len(sent) != outboxSize || sent[0].ID != "last" || sent[1].Message != message {
		t.Errorf("%d messages, the first %+v", len(sent), sent[0])
	}
	if time.Since(sent[0].At) > time.Minute {
		t.Errorf("sent at %v", sent[0].At)
	}
}
