// Package mail sends email by SMTP, or keeps it for a developer to look at.
package mail

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"

	"vestibule/app/text"
)

const (
	sendTimeout    = 30 * time.Second // for the whole of Send
	commandTimeout = 15 * time.Second // for the dial, for the handshakes and for the message
)

// Message is an email in two versions of the same content.
type Message struct {
	// ID goes into the Message-ID. It must be the same at each retry, so that
	// receivers can drop a second copy (RFC 5322, section 3.6.4).
	ID string

	To      string // one mailbox, with or without a name
	Subject string
	Text    string
	HTML    string
}

// Sender sends a message. [Permanent] and [CauseOf] classify its errors, whose text never
// contains an email address. It is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m Message) error
	// Reaches reports whether mail to address can be sent at all, or may be.
	Reaches(ctx context.Context, address string) bool
}

var errUnsendable = errors.New("mail: the message cannot be sent")

// SMTP sends messages through a mail server, over a new connection for each.
type SMTP struct {
	host, addr     string // addr is host:port
	user, password string // without a user, it doesn't sign in
	from           *netmail.Address
	implicit       bool // TLS from the first byte (RFC 8314), not by STARTTLS
	local          bool // the server is on this machine, so encryption is optional
	tls            *tls.Config

	utf8 utf8Support
}

// NewSMTP returns a sender through the server of smtpURL, with the mailbox from,
// such as "Vestibule <hello@example.com>", as the author.
//
//	smtp://user:password@host:587   STARTTLS; optional if host is localhost
//	smtps://user:password@host:465  TLS
//
// The ports shown are the defaults. Without a user it doesn't sign in. An error is a
// sentence for the operator. It repeats no part of smtpURL, because any part of a
// mistyped URL may be the password.
func NewSMTP(smtpURL, from string) (*SMTP, error) {
	u, err := url.Parse(smtpURL)
	if err != nil {
		return nil, errors.New("mail: the SMTP URL is malformed: it must be like smtp://user:password@host:587, with special characters of the user and password percent-encoded")
	}
	if u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, errors.New("mail: the SMTP URL must begin with smtp:// or smtps://")
	}
	if !isHost(u.Hostname()) {
		return nil, errors.New("mail: the host in the SMTP URL must be a name, such as mail.example.com, or an IP address")
	}
	if strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return nil, errors.New("mail: the SMTP URL must end after the host and port; a /, ? or # in the user or password must be percent-encoded")
	}
	password, _ := u.User.Password()
	if u.User != nil && (u.User.Username() == "" || password == "") {
		return nil, errors.New("mail: the SMTP URL must have both a user and a password, or neither")
	}
	implicit := u.Scheme == "smtps"
	port := u.Port()
	switch {
	case port == "" && implicit:
		port = "465"
	case port == "":
		port = "587"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, errors.New("mail: the port in the SMTP URL must be 1 to 65535")
	}
	if port == "465" && !implicit { // the server would wait for TLS, and the sender for a greeting
		return nil, errors.New("mail: the port 465 in the SMTP URL needs smtps://")
	}
	author, err := parseSender(from)
	if err != nil {
		return nil, err
	}
	local := !implicit && IsLoopback(u.Hostname())
	return &SMTP{
		host:     u.Hostname(),
		addr:     net.JoinHostPort(u.Hostname(), port),
		user:     u.User.Username(),
		password: password,
		from:     author,
		implicit: implicit,
		local:    local,
		tls: &tls.Config{
			ServerName: u.Hostname(),
			MinVersion: tls.VersionTLS12,
			// Where encryption is optional, an unverified certificate will do, such as
			// that of Debian's Postfix on localhost.
			InsecureSkipVerify: local, // #nosec G402 -- only for a server on this machine
		},
	}, nil
}

func parseSender(from string) (*netmail.Address, error) {
	author, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("mail: the sender is %q: it must be an address such as Vestibule <hello@example.com>", from)
	}
	author.Address = text.Email(author.Address)
	return author, nil
}

// isHost reports whether host is an IP address or looks like an ASCII name. The URL
// parser accepts a lone bracket.
func isHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || hostname.MatchString(host)
}

var hostname = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// IsLoopback reports whether host is localhost or a loopback address, which no other
// machine can reach.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// Send passes m to the server. It returns when ctx ends, or after 30 seconds.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := compose(s.from, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	client, err := gomail.NewClient(s.host, s.options(ctx, msg.GetTo()[0].Address)...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	err = client.DialAndSendWithContext(ctx, msg)
	switch {
	case msg.IsDelivered(): // only QUIT failed, so don't send it again
		return nil
	case ctx.Err() != nil:
		return discreet{fmt.Errorf("mail: %w: %w", ctx.Err(), err)}
	}
	return discreet{fmt.Errorf("mail: %w", err)}
}

// discreet is an error whose text is safe to log. It removes email addresses, which
// servers repeat in their replies and go-mail adds.
type discreet struct{ error }

func (e discreet) Error() string { return mailbox.ReplaceAllString(e.error.Error(), "[address]") }
func (e discreet) Unwrap() error { return e.error }

// mailbox matches an email address and any brackets around it.
var mailbox = regexp.MustCompile(`\S*@\S*`)

// compose returns the message as it is sent from a mailbox.
func compose(from *netmail.Address, m Message) (*gomail.Msg, error) {
	if strings.ContainsAny(m.ID+m.To+m.Subject, "\r\n") {
		return nil, fmt.Errorf("%w: there is a line break in its ID, recipient or subject", errUnsendable)
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent()) // UTF-8, quoted-printable
	msg.FromMailAddress(from)
	if err := msg.To(m.To); err != nil { // err repeats the recipient
		return nil, fmt.Errorf("%w: its recipient is no address", errUnsendable)
	}
	to := msg.GetTo()[0]
	to.Address = text.Email(to.Address)
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	msg.SetMessageIDWithValue(m.ID + "@" + domain)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // prevents out-of-office replies (RFC 3834)
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML) // the last is the one preferred (RFC 2046, section 5.1.4)
	return msg, nil
}

// options configures a client whose connection ends with ctx. go-mail alone uses ctx
// only to dial, and leaves the connection open if a handshake fails.
func (s *SMTP) options(ctx context.Context, recipient string) []gomail.Option {
	dial := new(net.Dialer).DialContext
	if s.implicit {
		dial = (&tls.Dialer{Config: s.tls}).DialContext
	}
	opts := []gomail.Option{
		gomail.WithTimeout(commandTimeout),
		gomail.WithTLSConfig(s.tls),
		gomail.WithoutNoop(),
		gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(dialCtx context.Context, network, _ string) (net.Conn, error) {
			conn, err := dial(dialCtx, network, s.addr)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() })
			return conn, nil
		}),
	}
	switch {
	case s.implicit:
		opts = append(opts, gomail.WithSSL())
	case s.local:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.user != "" {
		// The first that the server offers, or whatever go-mail finds. PLAIN and LOGIN
		// require TLS except on localhost.
		opts = append(opts, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(
				gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256,
				gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	// A message that requests SMTPUTF8 (RFC 6531) needlessly may bounce at a later
	// server without it.
	if !text.NeedsUTF8(s.from.Address) && !text.NeedsUTF8(recipient) {
		opts = append(opts, gomail.WithoutSMTPUTF8())
	}
	return opts
}

// utf8Support remembers whether the mail server offers SMTPUTF8.
type utf8Support struct {
	mu      sync.Mutex
	offered bool
	until   time.Time // then it is asked again
}

// Reaches reports false if the part of address before the @ isn't ASCII and the server
// doesn't offer SMTPUTF8 (RFC 6531). It asks the server at most every 10 minutes, for up
// to 5 seconds. A server that doesn't answer may offer it.
func (s *SMTP) Reaches(ctx context.Context, address string) bool {
	if !text.NeedsUTF8(address) {
		return true
	}
	s.utf8.mu.Lock()
	defer s.utf8.mu.Unlock()
	if time.Now().Before(s.utf8.until) {
		return s.utf8.offered
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	offered, err := s.offersUTF8(ctx, address)
	if err != nil {
		return true
	}
	s.utf8.offered, s.utf8.until = offered, time.Now().Add(10*time.Minute)
	return offered
}

// Check signs in to the server, and sends nothing.
func (s *SMTP) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	client, err := gomail.NewClient(s.host, s.options(ctx, s.from.Address)...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return discreet{fmt.Errorf("mail: %w", err)}
	}
	_ = client.CloseWithSMTPClient(conn) // the answer is known
	return nil
}

func (s *SMTP) offersUTF8(ctx context.Context, address string) (bool, error) {
	client, err := gomail.NewClient(s.host, s.options(ctx, address)...)
	if err != nil {
		return false, err
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return false, err
	}
	offered, _ := conn.Extension("SMTPUTF8")
	_ = client.CloseWithSMTPClient(conn) // the answer is known
	return offered, nil
}

// Outbox keeps messages for development instead of sending them.
type Outbox struct {
	from *netmail.Address

	mu   sync.Mutex
	sent []Sent // newest first
}

// Sent is a message in an [Outbox].
type Sent struct {
	Message
	Header string // as it would be sent, with each field on one line
	At     time.Time
}

const outboxSize = 200

// NewOutbox returns an empty outbox for mail from the mailbox from, which may be empty.
// It is safe for concurrent use.
func NewOutbox(from string) (*Outbox, error) {
	author, err := parseSender(cmp.Or(from, "Vestibule <vestibule@localhost>"))
	return &Outbox{from: author}, err
}

// Send keeps m, and drops the oldest of more than 200 messages. It refuses what SMTP
// cannot send.
func (o *Outbox) Send(_ context.Context, m Message) error {
	msg, err := compose(o.from, m)
	if err != nil {
		return err
	}
	var sent bytes.Buffer
	if _, err := msg.WriteTo(&sent); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	header, _, _ := strings.Cut(sent.String(), "\r\n\r\n")
	header = strings.NewReplacer("\r\n ", " ", "\r\n", "\n").Replace(header)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = slices.Insert(o.sent, 0, Sent{m, header, time.Now().UTC()})
	if len(o.sent) > outboxSize {
		o.sent = slices.Delete(o.sent, outboxSize, len(o.sent))
	}
	return nil
}

// Reaches reports true: nothing leaves this machine.
func (o *Outbox) Reaches(context.Context, string) bool { return true }

// Messages returns what was sent, newest first.
func (o *Outbox) Messages() []Sent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.sent)
}
