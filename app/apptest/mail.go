package apptest

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"vestibule/models"
)

// Mail is a mail as received.
type Mail struct {
	To, Subject, Text string
	Link              string // the path of its link
	Code              string // to type, if it has one
}

// Outbox returns the mail that development keeps, oldest first.
func (s *Site) Outbox() []Mail {
	s.T.Helper()
	var all []Mail
	s.Visit(s.T).Get("/dev/mail").Wants(http.StatusOK).Page().Harmless().Find("article.mail").Each(func(_ int, e Selection) {
		to, _, _ := strings.Cut(strings.TrimPrefix(e.Find("p.hint").Text(), "To "), ", ")
		link := strings.TrimPrefix(e.Find("pre a").AttrOr("href", ""), s.BaseURL)
		text := e.Find("pre").First().Text()
		all = append(all, Mail{to, e.Find("h2").Text(), text, link, strings.TrimSpace(mailedCode.FindString(text))})
	})
	slices.Reverse(all)
	return all
}

var mailedCode = regexp.MustCompile(`(?m)^[0-9A-Z]{4}-[0-9A-Z]{4}$`)

// Queue returns the mail waiting to be sent, without that for a later day.
func (s *Site) Queue() (mails []models.Mail) {
	s.T.Helper()
	if err := s.DB.Bun().NewSelect().Model(&mails).Where("created_at <= ?", time.Now().UTC()).Order("next_at", "id").Scan(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	return mails
}

// Deliver makes the site send its mail and returns it, oldest first. The log must never
// show a token from it.
func (s *Site) Deliver() []Mail {
	s.T.Helper()
	before := len(s.Outbox())
	s.Work(func() bool { return len(s.Queue()) == 0 })
	sent := s.Outbox()[before:]
	for _, m := range sent {
		token := s.TokenOf(m)
		s.T.Cleanup(func() { s.Log.Hide(token); s.Log.Hide(m.Code) }) // until then pages may show it
	}
	return sent
}

// MailTo makes the site send its mail, and wants a single one with that subject.
func (s *Site) MailTo(to, subject string) Mail {
	s.T.Helper()
	sent := s.Deliver()
	if len(sent) != 1 || sent[0].To != to || sent[0].Subject != subject {
		s.T.Fatalf("sent are %+v, want %q to %s alone", sent, subject, to)
	}
	return sent[0]
}

// NoMail makes the site send its mail, and wants none.
func (s *Site) NoMail() {
	s.T.Helper()
	if sent := s.Deliver(); len(sent) > 0 {
		s.T.Errorf("sent are %+v, want none", sent)
	}
}

// TokenOf returns the token in the link of a mail, or nothing.
func (s *Site) TokenOf(m Mail) string {
	s.T.Helper()
	u, err := url.Parse(m.Link)
	if err != nil {
		s.T.Fatal(err)
	}
	return u.Query().Get("token")
}

// Work runs the site's worker until done returns true, and then lets it finish.
func (s *Site) Work(done func() bool) {
	s.T.Helper()
	defer s.StartWork()()
	Eventually(s.T, done)
}

// StartWork runs the site's worker until stop is called.
func (s *Site) StartWork() (stop func()) {
	ctx, cancel := context.WithCancel(s.T.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.App.Work(ctx) }()
	return func() { cancel(); <-stopped }
}

// ResetToken creates a token as in a reset link.
func (s *Site) ResetToken(email string) string {
	s.T.Helper()
	token, err := s.DB.CreateToken(s.T.Context(), nil, s.User(email), models.ResetPassword, email)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { s.Log.Hide(token) })
	return token
}

// InviteToSite sends an invitation to the site, and returns the path of its link.
func (s *Site) InviteToSite(email string) string {
	s.T.Helper()
	if _, err := s.DB.InviteToSite(s.T.Context(), email); err != nil {
		s.T.Fatal(err)
	}
	return s.MailTo(email, SiteInvitationSubject).Link
}
