package apptest

import (
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	netmail "net/mail"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"vestibule/app"
)

// MailServer is a mail server on loopback that keeps the mail it accepts.
type MailServer struct {
	URL     string       // SMTP_URL
	Down    atomic.Bool  // it hangs up on every client but keeps its port
	Refusal atomic.Int32 // the reply code for every recipient, if not 0
	OnMail  func()       // called when it accepts a mail, if not nil

	// OnRecipient is called for every recipient, if not nil. It may stall, and refuse with
	// an error, which is best a *smtp.SMTPError.
	OnRecipient func(to string) error

	mu    sync.Mutex
	taken []Delivery
}

// Delivery is a mail that a server accepted.
type Delivery struct {
	To      string
	Header  netmail.Header
	Subject string
	Text    string
}

var mailedURL = regexp.MustCompile(`https?://[^\s"<>]*[^\s"<>,.]`)

// LinksIn returns the addresses in the text of a mail.
func LinksIn(text string) []string { return mailedURL.FindAllString(text, -1) }

// StartMailServer accepts mail until the test ends.
func StartMailServer(t *testing.T, change ...func(*smtp.Server)) *MailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &MailServer{URL: "smtp://" + l.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil }))
	server.Domain = "localhost"
	for _, c := range change {
		c(server)
	}
	server.ErrorLog = log.New(io.Discard, "", 0)
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = server.Serve(mailListener{l, m}) }() // ends with the test
	t.Cleanup(func() {
		server.Close()
		l.Close() // in case Serve hasn't started yet
		<-stopped
	})
	return m
}

// Use is a change for NewSite.
func (m *MailServer) Use(c *app.Config) {
	c.SMTPURL, c.MailFrom = m.URL, "Vestibule <hello@example.com>"
}

// Deliveries returns the mail accepted so far, oldest first.
func (m *MailServer) Deliveries() []Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.taken)
}

// To returns the mail to recipient with that subject, oldest first.
func (m *MailServer) To(recipient, subject string) []Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Delivery
	for _, d := range m.taken {
		if d.To == recipient && d.Subject == subject {
			all = append(all, d)
		}
	}
	return all
}

// mailListener closes every connection while the server is down.
type mailListener struct {
	net.Listener
	server *MailServer
}

func (l mailListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.server.Down.Load() {
			return conn, err
		}
		conn.Close()
	}
}

// mailSession serves one connection.
type mailSession struct {
	server *MailServer
	to     string
}

func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }
func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if code := int(s.server.Refusal.Load()); code != 0 {
		refusal := &smtp.SMTPError{Code: code, Message: "<" + to + ">: not here"} // with the address, as most do
		if code == 550 {
			refusal.EnhancedCode = smtp.EnhancedCode{5, 1, 1} // this very mailbox
		}
		return refusal
	}
	if s.server.OnRecipient != nil {
		if err := s.server.OnRecipient(to); err != nil {
			return err
		}
	}
	if s.to != "" {
		return &smtp.SMTPError{Code: 452, Message: "one recipient a mail"}
	}
	s.to = to
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
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
	if s.server.OnMail != nil {
		s.server.OnMail()
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.taken = append(s.server.taken, Delivery{s.to, m.Header, subject, string(text)})
	return nil
}
