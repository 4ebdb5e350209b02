// Package app is the site: New creates it, Work runs its background work, and routes.go
// has every URL. Each feature is a package below it.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"vestibule/app/breached"
	"vestibule/app/mail"
	"vestibule/app/password"
	"vestibule/app/secrets"
	"vestibule/app/web"
	"vestibule/models"
)

// App is the site. It is safe for concurrent requests.
type App struct {
	*web.Kit
	config  Config
	sender  mail.Sender
	outbox  *mail.Outbox // in development without a mail server
	handler http.Handler
	hashes  *watchedEngine
	ready   func(context.Context) error

	unready atomic.Bool // at the last question
}

// New returns the site on a migrated database, with hashes for passwords. The
// config must be valid.
func New(config Config, db *models.DB, log *slog.Logger, hashes password.Engine) (*App, error) {
	db = db.ForUsernames(config.Usernames)
	watched := &watchedEngine{Engine: hashes}
	hasher, err := password.NewHasher(watched, config.argon2(), 0, 0)
	if err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	a := &App{config: config, hashes: watched, ready: db.Ready}
	a.ReadyWhen(remembered(a.signInWorks))
	if a.Kit, err = web.NewKit(config.web(), db, log, hasher); err != nil {
		return nil, err
	}
	a.Metrics = a.newMetrics()
	a.Tracer = config.Tracer
	if a.Secrets, err = secrets.Parse(config.SecretKeys); err != nil {
		return nil, err
	}
	if a.Breached, err = breached.Open(config.Breached); err != nil {
		return nil, fmt.Errorf("BREACHED_PASSWORDS: %w", err)
	}
	if config.SMTPURL != "" {
		if a.sender, err = mail.NewSMTP(config.SMTPURL, config.MailFrom); err != nil {
			return nil, err
		}
	} else {
		if a.outbox, err = mail.NewOutbox(config.MailFrom); err != nil {
			return nil, err
		}
		a.sender = a.outbox
	}
	a.Reaches = a.sender.Reaches
	if a.handler, err = a.routes(); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return a, nil
}

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead { // handled as a GET; net/http drops the body
		get := *r
		get.Method = http.MethodGet
		r = &get
	}
	a.handler.ServeHTTP(w, r)
}

// Desk returns the site as ADMIN_ADDR serves it, with the operator's pages.
func (a *App) Desk() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.ServeHTTP(w, web.AtDesk(r)) })
}

// Prepare tells the hasher which parameters the stored hashes have. Call it before
// serving; [App.Work] repeats it.
func (a *App) Prepare(ctx context.Context) error {
	examples, err := a.DB.SampleHashes(ctx)
	if err != nil {
		return fmt.Errorf("password hashes: %w", err)
	}
	a.Hasher.Expect(examples)
	return nil
}

// CheckSecrets returns an error if SECRET_KEYS lacks a key that a secret was encrypted by:
// its user could not sign in. Call it before serving.
func (a *App) CheckSecrets(ctx context.Context) error {
	ids, err := a.DB.SecretKeyIDs(ctx)
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	for _, id := range ids {
		if !a.Secrets.Has(id) {
			return fmt.Errorf("SECRET_KEYS lacks the key %q, which encrypts the secrets of authenticator apps: people who use one could not sign in", id)
		}
	}
	if a.Secrets.First() == "" {
		a.Log.Warn("SECRET_KEYS is not set: nobody can add an authenticator app; vestibule secrets new prints a key")
	}
	return nil
}

// purgeEvery is how often expired rows and unconfirmed accounts are deleted. No query
// uses expired rows; their purge only keeps the tables small.
const purgeEvery = 10 * time.Minute

// Work sends mail, purges expired rows and unconfirmed accounts, ends impersonations, and
// renews what earlier versions stored, until ctx ends.
func (a *App) Work(ctx context.Context) {
	switch {
	case a.showsMail():
		a.Log.Info("SMTP_URL is not set: mail is shown on /dev/mail, to this machine alone")
	case a.outbox != nil:
		a.Log.Warn("SMTP_URL is not set: nobody gets mail, and /dev/mail is absent because BASE_URL is not on localhost")
	}
	var group sync.WaitGroup
	group.Go(func() { a.renewEmails(ctx) })
	group.Go(func() { a.sendMail(ctx) })
	group.Go(func() { a.purge(ctx) })
	group.Go(func() { a.endImpersonations(ctx) })
	group.Wait()
}

func (a *App) purge(ctx context.Context) {
	for {
		var n, unconfirmed int
		err := survive(func() (err error) {
			if n, err = a.DB.Purge(ctx, a.config.AuditRetention); err != nil {
				return err
			}
			if unconfirmed, err = a.DB.PurgeUnconfirmed(ctx, a.config.UnconfirmedMax); err != nil {
				return err
			}
			return a.Prepare(ctx)
		})
		switch {
		case ctx.Err() != nil:
		case err != nil:
			a.Log.Error("purge failed", "err", err)
		case n > 0:
			a.Log.Info("expired rows purged", "count", n)
		}
		if err := survive(func() error { return a.DB.CountDays(ctx) }); err != nil && ctx.Err() == nil {
			a.Log.Error("days not counted", "err", err)
		}
		if unconfirmed > 0 {
			a.Log.Info("unconfirmed accounts deleted", "count", unconfirmed)
		}
		if !sleep(ctx, purgeEvery) {
			return
		}
	}
}

// endImpersonationsEvery is how often the background work ends impersonations that nobody uses
// any more. Those in use are ended by a request.
const endImpersonationsEvery = time.Minute

func (a *App) endImpersonations(ctx context.Context) {
	for {
		var n int
		err := survive(func() (err error) {
			n, err = a.DB.EndImpersonations(ctx)
			return err
		})
		if err != nil && ctx.Err() == nil {
			a.Log.Error("impersonations not ended", "err", err)
		}
		if n > 0 {
			a.Log.Info("impersonations ended", "count", n)
		}
		if !sleep(ctx, endImpersonationsEvery) {
			return
		}
	}
}

// renewEmails brings the addresses of an earlier version into the present form.
func (a *App) renewEmails(ctx context.Context) {
	err := survive(func() error {
		renewed, taken, err := a.DB.RenewEmails(ctx)
		if renewed > 0 {
			a.Log.Info("email addresses renewed", "count", renewed)
		}
		for _, user := range taken {
			a.Log.Warn("another account has the same email address, so this user can sign in by username alone", "user_id", user.String())
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		a.Log.Error("email addresses not renewed", "err", err)
	}
}

// survive turns a panic of f into an error, because background work must not end the
// process.
func survive(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// sleep waits for d. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
