//go:build linux || darwin || freebsd

package main_test

import (
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	netmail "net/mail"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"vestibule/models"
	"vestibule/models/modelstest"
)

const verifySubject = "Confirm your e-mail address"

// postOffice is a mail server on loopback that keeps what it takes.
type postOffice struct {
	setting string // SMTP_URL
	shut    atomic.Bool

	mu    sync.Mutex
	taken map[string][]delivery // by recipient
}

// delivery is a mail that the server took.
type delivery struct {
	subject string
	link    string // the first address in its text
}

var mailedURL = regexp.MustCompile(`https?://[^\s"<>]*[^\s"<>,.]`)

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{setting: "SMTP_URL=smtp://" + l.Addr().String(), taken: map[string][]delivery{}}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &clerk{office: o}, nil }))
	server.Domain = "localhost"
	server.ErrorLog = log.New(io.Discard, "", 0)
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = server.Serve(door{l, o}) }() // ends with the test
	t.Cleanup(func() {
		server.Close()
		l.Close() // in case Serve has not begun yet
		<-stopped
	})
	return o
}

// count returns how often a mail of that subject reached recipient.
func (o *postOffice) count(recipient, subject string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.taken[recipient] {
		if d.subject == subject {
			n++
		}
	}
	return n
}

// last returns the last mail of that subject that reached recipient.
func (o *postOffice) last(recipient, subject string) (last delivery, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.taken[recipient] {
		if d.subject == subject {
			last, ok = d, true
		}
	}
	return last, ok
}

// door hangs up on everybody while the office is shut. The port stays its own.
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

func (c *clerk) Reset()                                    {}
func (c *clerk) Logout() error                             { return nil }
func (c *clerk) Mail(string, *smtp.MailOptions) error      { return nil }
func (c *clerk) Rcpt(to string, _ *smtp.RcptOptions) error { c.to = to; return nil }

func (c *clerk) Data(r io.Reader) error {
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
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.taken[c.to] = append(c.office.taken[c.to], delivery{subject, mailedURL.FindString(string(text))})
	return nil
}

// queue returns the mail that waits in the database.
func queue(t *testing.T, db *models.DB) (mails []models.Mail) {
	t.Helper()
	if err := db.Bun().NewSelect().Model(&mails).Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return mails
}

// TestMailOutlivesTheProgram lets the mail server be down, and then the program
// die: both come back, and each mail arrives once.
func TestMailOutlivesTheProgram(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		office := openPostOffice(t)
		office.shut.Store(true)
		settings := append(unlimited, "DATABASE_URL="+database, office.setting, "MAIL_FROM=hall@example.com")
		s := serve(t, settings...)
		const people = 3
		for i := range people {
			s.signUp(nth(i))
		}
		db := modelstest.Open(t, database)
		// Killed while a mail is claimed, its lease of a minute had to pass. So
		// the time is when each was tried in vain and waits for another try.
		if !waitFor(func() bool {
			waiting := 0
			for _, m := range queue(t, db) {
				if left := time.Until(m.NextAt); m.Attempts > 0 && left > time.Second && left < 30*time.Second {
					waiting++
				}
			}
			return waiting == people
		}) {
			t.Fatalf("the queue is %+v", queue(t, db))
		}
		s.kill()
		office.shut.Store(false)

		serve(t, settings...)
		if !waitFor(func() bool { return len(queue(t, db)) == 0 }) {
			t.Fatalf("the queue is %+v", queue(t, db))
		}
		for i := range people {
			if n := office.count(nth(i).email, verifySubject); n != 1 {
				t.Errorf("the mail to %s arrives %d times, want once", nth(i).email, n)
			}
		}
	})
}

// TestTwoProcessesMailOnce shares the queue of fifty sign-ups between two.
func TestTwoProcessesMailOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		office := openPostOffice(t)
		settings := append(unlimited, "DATABASE_URL="+database, office.setting, "MAIL_FROM=hall@example.com")
		one, two := serve(t, settings...), serve(t, settings...)
		const people = 50
		var group sync.WaitGroup
		for first, s := range []*site{one, two} {
			group.Go(func() {
				for i := first; i < people; i += 2 {
					c := s.caller(t)
					c.wants(c.post("/sign-up", nth(i).form()), "sign-up", http.StatusSeeOther)
				}
			})
		}
		group.Wait()
		db := modelstest.Open(t, database)
		if !waitFor(func() bool { return len(queue(t, db)) == 0 }) {
			t.Fatalf("%d mails still wait", len(queue(t, db)))
		}
		for i := range people {
			if n := office.count(nth(i).email, verifySubject); n != 1 {
				t.Errorf("the mail to %s arrives %d times, want once", nth(i).email, n)
			}
		}
	})
}
