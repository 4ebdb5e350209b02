package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"

	"vestibule/app/mail"
	"vestibule/app/metrics"
	"vestibule/app/password"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
	view "vestibule/templates/mail"
)

// letter is a mail while it is composed.
type letter struct {
	*models.Mail
	kind string // which may be another than that of the mail in the queue
	to   string
	id   string // of the message
	data view.Data
}

// lead makes the letter lead to a page with a new secret, so it is no copy of an earlier
// attempt.
func (l *letter) lead(address string) {
	l.data.URL = address
	l.id = fmt.Sprintf("%s.%d", l.ID, l.Attempts)
}

// compose returns the message for m. If m's kind has a token, compose creates a new
// one. It returns ErrNotFound if the recipient or the reason for the mail is gone.
func (a *App) compose(ctx context.Context, m *models.Mail) (mail.Message, error) {
	l := &letter{Mail: m, kind: m.Kind, to: m.Recipient, id: m.ID.String(), data: view.Data{
		Name:    m.Name,
		Site:    a.config.BaseURL,
		Email:   text.ShowEmail(m.Detail.Email),
		Browser: m.Detail.Browser,
		IP:      m.Detail.IP,
		When:    m.Detail.When,
		Event:   m.Detail.Change,
		Writes:  m.Detail.Writes,

		Connection: m.Detail.Connection,
	}}
	if a.config.Usernames != models.UsernamesOff { // since the mail was queued
		l.data.Username = text.ForStranger(m.Detail.Username, "")
	}
	if !view.Known(m.Kind) {
		return mail.Message{}, errors.New("no template for mail of this kind") // queued by a newer process, which will send it
	}
	var err error
	if l.kind == models.MailRecover {
		if l.kind, err = a.recoveryMail(ctx, m); err != nil {
			return mail.Message{}, err
		}
	}
	if purpose, page := linkOf(l.kind); purpose != "" {
		err = a.composeLink(ctx, l, purpose, page)
	} else {
		err = a.composeNotice(ctx, l)
	}
	if err != nil {
		return mail.Message{}, err
	}
	subject, text, html, err := view.Render(l.kind, l.data)
	return mail.Message{ID: l.id, To: l.to, Subject: subject, Text: text, HTML: html}, err
}

// linkOf returns what the link in mail of that kind is for, if it is for something that its
// addressee wants to do, and the page to which it leads.
func linkOf(kind string) (purpose models.Purpose, page string) {
	switch kind {
	case models.MailVerifyEmail:
		return models.VerifyEmail, "/verify-email"
	case models.MailChangeEmail:
		return models.ChangeEmail, "/verify-email"
	case models.MailResetPassword:
		return models.ResetPassword, "/reset-password"
	case models.MailSignInCode:
		return models.SignInByCode, "/sign-in/code"
	case models.MailRecover:
		return models.Recover, "/recover/start"
	case models.MailRecoveryReady:
		return models.FinishRecovery, "/recover/finish"
	}
	return "", ""
}

// composeLink adds the link for purpose to l, and the code beside it.
func (a *App) composeLink(ctx context.Context, l *letter, purpose models.Purpose, page string) error {
	user, err := a.addressee(ctx, l.Mail)
	if err != nil {
		return err
	}
	l.data.Username = text.ForStranger(user.Username, "") // a stranger may have signed up with this address
	switch purpose {
	case models.VerifyEmail:
		l.data.DeletedAt = user.DeletedAt(a.config.UnconfirmedMax)
	case models.ChangeEmail:
		if local := text.Local(l.data.Email); local != text.ForStranger(local, "") { // such as victim+call-555-0100@
			l.data.Email = "this address"
		}
	case models.Recover:
		l.data.Wait = components.Duration(a.config.RecoveryWait)
	case models.FinishRecovery:
		r, err := a.DB.RecoveryOf(ctx, user.ID)
		if err != nil {
			return err
		}
		l.data.When = r.ExpiresAt
	}
	switch purpose {
	case models.SignInByCode, models.ResetPassword, models.Recover, models.FinishRecovery:
		// Send to the stored address. One that only folds to the same key may
		// belong to someone else.
		l.to = user.Email
		if user.Verified() {
			l.data.Name = user.FirstName
		}
	}
	l.UserID = user.ID // for the log, as a reset is queued without it
	if l.Detail.Code != nil || purpose == models.VerifyEmail || purpose == models.ChangeEmail {
		if l.data.Code, err = a.newCode(ctx, l.Mail, user, purpose, l.to); err != nil {
			return err
		}
	}
	if purpose == models.SignInByCode {
		l.lead(a.link(page, "code", l.data.Code))
		return nil
	}
	token, err := a.DB.CreateToken(ctx, l.Mail, user, purpose, l.to)
	l.lead(a.link(page, "token", token))
	return err
}

// composeNotice adds to l what mail says that nobody has asked for, or that comes from another
// person.
func (a *App) composeNotice(ctx context.Context, l *letter) error {
	switch l.kind {
	case models.MailRecoveryBegun:
		r, err := a.DB.RecoveryOf(ctx, l.UserID)
		if err != nil {
			return err
		}
		token, err := a.DB.CreateCancelToken(ctx, l.Mail, r)
		l.lead(a.link("/recover/cancel", "token", token))
		return err
	case models.MailInvitation:
		i, token, err := a.DB.SendInvitation(ctx, l.Detail.Invitation)
		if err != nil {
			return err
		}
		l.data.Organization = text.ForStranger(i.Organization.Name, "an organization")
		l.data.Inviter = text.ForStranger(i.Inviter.FullName(), cmp.Or(text.ForStranger(i.Inviter.Username, ""), "Someone"))
		l.lead(a.link("/invitation", "token", token))
	case models.MailSiteInvitation:
		_, token, err := a.DB.SendSiteInvitation(ctx, l.Detail.Invitation)
		l.lead(a.link("/sign-up", "token", token))
		return err
	case models.MailSecondFactor:
		o, err := a.DB.RequiringOrganization(ctx, l.UserID, l.Detail.Organization)
		if err != nil {
			return err
		}
		l.data.Organization, l.data.When = text.ForStranger(o.Name, "an organization"), o.SecondFactorFrom
		l.data.URL = a.config.BaseURL + "/account/security"
	case models.MailImpersonated:
		l.data.URL, l.data.Wait = a.config.BaseURL+"/account/activity", components.Minutes(l.Detail.Until.Sub(l.Detail.When))
	case models.MailAccountDeleted, models.MailEmailRestored:
		l.data.URL = a.config.BaseURL
	default: // the notices that a person can report
		token, err := a.DB.CreateReportToken(ctx, l.Mail)
		if token != "" {
			l.lead(a.link("/not-me", "token", token))
		}
		return err
	}
	return nil
}

// newCode returns a new code for m, which goes to that address. It is hashed like a password, because it is short.
func (a *App) newCode(ctx context.Context, m *models.Mail, user *models.User, purpose models.Purpose, to string) (string, error) {
	code := models.NewCode()
	hash, err := a.Hasher.Hash(ctx, models.NormalizeCode(code))
	if err != nil {
		return "", err
	}
	return code, a.DB.CreateCode(ctx, m, user, purpose, to, hash)
}

// link returns the address of a page with a token or code, as the field key.
func (a *App) link(page, key, secret string) string {
	return a.config.BaseURL + page + "?" + url.Values{key: {secret}}.Encode()
}

// recoveryMail returns the kind of mail that the recipient of m gets, who asked to recover
// an account. Nobody who asks learns which it is: without a second factor, a link that
// resets the password is enough. It records who asked.
func (a *App) recoveryMail(ctx context.Context, m *models.Mail) (kind string, err error) {
	user, err := a.addressee(ctx, m)
	if err != nil {
		return "", err
	}
	factors, err := a.Factors(ctx, user)
	if err != nil {
		return "", err
	}
	if !user.Verified() || !factors.NeedsRecovery() {
		return models.MailResetPassword, nil
	}
	if m.Attempts <= 1 {
		asked := models.Event{Kind: models.EventRecoveryAsked, UserID: user.ID, IP: m.Detail.IP, UserAgent: m.Detail.Browser}
		if err := a.DB.Record(ctx, asked); err != nil {
			return "", err
		}
	}
	m.UserID = user.ID
	r, err := a.DB.RecoveryOf(ctx, user.ID)
	if err == nil && r.Ready() {
		return models.MailRecoveryReady, nil
	}
	if errors.Is(err, models.ErrNotFound) {
		err = nil
	}
	return models.MailRecover, err
}

// addressee returns the user a mail with a token is for.
func (a *App) addressee(ctx context.Context, m *models.Mail) (*models.User, error) {
	var user *models.User
	var err error
	switch m.Kind {
	case models.MailSignInCode, models.MailResetPassword, models.MailRecover: // queued without looking up the user
		user, err = a.DB.UserByLogin(ctx, m.Recipient)
	default:
		user, err = a.DB.UserByID(ctx, m.UserID)
	}
	if err != nil {
		return nil, err
	}
	recovers := m.Kind == models.MailRecover || m.Kind == models.MailRecoveryReady
	if user.Disabled() || recovers && a.config.RecoveryWait == 0 || m.Kind == models.MailVerifyEmail && (user.Verified() || user.Email != text.Email(m.Recipient)) {
		return nil, models.ErrNotFound
	}
	return user, nil
}

// toStranger calls send, which sends m. If m is for somebody who may not know who caused
// it, and had too many such mails from everybody together (LIMIT_MAIL), it returns a
// *models.ThrottledError instead. This limit is not in the forms, because it would tell
// a user whom others write to.
func (a *App) toStranger(ctx context.Context, m *models.Mail, send func() error) error {
	if m.Kind != models.MailInvitation && m.Kind != models.MailChangeEmail {
		return send()
	}
	key := "mail by others to " + text.MailboxKey(m.Recipient)
	if err := a.DB.Attempt(ctx, key, a.config.LimitMail); err != nil {
		return err
	}
	err := send()
	if err != nil {
		err = errors.Join(err, a.DB.RefundAttempt(context.WithoutCancel(ctx), key))
	}
	return err
}

// sendTimeout is how long one delivery may take.
const sendTimeout = 30 * time.Second

// deliver sends m. It reports whether m must be deleted from the queue: otherwise m stays
// there for another attempt, or was already taken from it.
func (a *App) deliver(ctx context.Context, q *mailQueue, m *models.Mail) (done bool) {
	log := a.Log.With("mail_id", m.ID.String(), "kind", m.Kind)
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	composed := false
	err := survive(func() error {
		return a.toStranger(ctx, m, func() error {
			message, err := a.compose(ctx, m)
			if err != nil {
				return err
			}
			composed = true
			return a.sender.Send(ctx, message)
		})
	})
	if m.UserID != uuid.Nil {
		log = log.With("user_id", m.UserID.String())
	}
	if composed {
		q.note(a.Log, m, err)
	}
	early := new(models.ThrottledError)
	// Recording the result must not fail because the mail server was slow.
	note, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	switch {
	case err == nil:
		a.Metrics.Mail(metrics.Sent)
		log.Info("mail sent")
		return true
	case errors.Is(err, models.ErrNotFound):
		a.Metrics.Mail(metrics.Dropped)
		log.Info("mail dropped: nobody to send it to")
		return true
	case errors.As(err, &early):
		a.Metrics.Mail(metrics.Postponed)
		log.Info("mail postponed: its recipient had too much of this kind", "after", early.After)
		if err := a.DB.PostponeMail(note, m, early.After); err != nil {
			log.Error("mail queue not written", "err", err)
		}
		return false
	case mail.Permanent(err):
		a.Metrics.Mail(metrics.Rejected)
		log.Error("mail rejected permanently", "err", err)
		if err := a.DB.RefuseMail(note, m, err.Error()); err != nil {
			log.Error("mail queue not written", "err", err)
		}
		return false
	}
	log.Warn("mail not sent, will retry", "err", err, "attempts", m.Attempts)
	again, err := a.DB.RetryMail(note, m, err.Error())
	switch {
	case err != nil:
		log.Error("mail queue not written", "err", err)
	case !again:
		a.Metrics.Mail(metrics.Rejected)
		log.Error("mail abandoned")
	default:
		a.Metrics.Mail(metrics.Retried)
	}
	return false
}

// errPreviewed undoes what composing a mail has stored.
var errPreviewed = errors.New("the mail was only looked at")

// The secrets of a mail: in a link, and as a code that the reader types (models.NewCode).
var (
	sentLink = regexp.MustCompile(`([?&](?:token|code)=)[A-Za-z0-9_-]+`)
	sentCode = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b`)
)

// hideSecrets replaces the secrets of a mail's text.
func hideSecrets(text string) string {
	return sentCode.ReplaceAllString(sentLink.ReplaceAllString(text, "${1}…"), "····-····")
}

// noHashes is an engine for what isn't stored.
type noHashes struct{ password.Engine }

// Create implements [password.Engine].
func (noHashes) Create(string, argon2id.Params) (string, error) { return "", nil }

// PreviewMail returns what would be sent for m, which is in the queue, without the token of
// its link and its code. It changes nothing, so earlier links still work. It returns
// ErrNotFound if the recipient or the reason for the mail is gone.
func PreviewMail(ctx context.Context, config *Config, db *models.DB, m *models.Mail) (message mail.Message, err error) {
	here := *config
	here.BaseURL = cmp.Or(here.BaseURL, "http://localhost")
	hasher, err := password.NewHasher(noHashes{}, here.argon2(), 1, 1)
	if err != nil {
		return message, err
	}
	err = db.InTx(ctx, func(tx *models.DB) error {
		kit, err := web.NewKit(here.web(), tx.ForUsernames(here.Usernames), slog.New(slog.DiscardHandler), hasher)
		if err != nil {
			return err
		}
		queued := *m
		if message, err = (&App{Kit: kit, config: here}).compose(ctx, &queued); err != nil {
			return err
		}
		return errPreviewed
	})
	if errors.Is(err, errPreviewed) {
		err = nil
	}
	message.Subject, message.Text, message.HTML = hideSecrets(message.Subject), hideSecrets(message.Text), hideSecrets(message.HTML)
	return message, err
}

// previewMail is PreviewMail for the site's own pages.
func (a *App) previewMail(ctx context.Context, m *models.Mail) (mail.Message, error) {
	return PreviewMail(ctx, &a.config, a.DB, m)
}
