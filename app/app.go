// Package app is the web application: one file a page, and routes.go with
// every URL. A request comes through routes.go and the middleware to a
// handler, which binds and checks a form, acts through models and renders.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"vestibule/app/mail"
	"vestibule/app/password"
	"vestibule/models"
)

// App is what every handler shares. It is safe for concurrent requests.
type App struct {
	config          Config
	db              *models.DB
	log             *slog.Logger
	hasher          *password.Hasher
	views           *views
	letters         *mailTemplates
	sender          mail.Sender
	outbox          *mail.Outbox // in development without a mail server
	crossOrigin     http.CrossOriginProtection
	securityHeaders http.Header   // of every answer
	scoring         chan struct{} // one token for each password that is scored at the moment
	hashing         clientQuota   // of the places in the queue of the hasher
	handler         http.Handler
	ready           func(context.Context) error
}

// New makes the application on a migrated database, with what hashes passwords.
// The config is to be valid.
func New(config Config, db *models.DB, log *slog.Logger, hashes password.Engine) (*App, error) {
	a := &App{config: config, db: db, log: log, ready: db.Ready}
	var err error
	if a.hasher, err = password.NewHasher(hashes, config.argon2(), 0, 0); err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	if a.views, err = newViews(); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	if a.letters, err = newMailTemplates(); err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	if config.SMTPURL != "" {
		if a.sender, err = mail.NewSMTP(config.SMTPURL, config.MailFrom); err != nil {
			return nil, err
		}
	} else {
		a.outbox = mail.NewOutbox()
		a.sender = a.outbox
	}
	if err := a.crossOrigin.AddTrustedOrigin(config.BaseURL); err != nil {
		return nil, err
	}
	a.securityHeaders = a.newSecurityHeaders()
	a.scoring = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	if a.handler, err = a.routes(); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return a, nil
}

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead { // a GET, of which net/http drops the body
		get := *r
		get.Method = http.MethodGet
		r = &get
	}
	a.handler.ServeHTTP(w, r)
}

// purgeEvery is how often expired rows are deleted. They are
// dead without it; the purge only keeps the tables small.
const purgeEvery = 10 * time.Minute

// Work does what the application does beside requests, until ctx ends: it sends
// mail and purges what has expired.
func (a *App) Work(ctx context.Context) {
	if a.outbox != nil {
		a.log.Info("SMTP_URL is not set: mail is shown on /dev/mail, to this machine alone")
	}
	var group sync.WaitGroup
	group.Go(func() { a.sendMail(ctx) })
	group.Go(func() { a.purge(ctx) })
	group.Wait()
}

func (a *App) purge(ctx context.Context) {
	for {
		var n int
		err := survive(func() (err error) {
			n, err = a.db.Purge(ctx, a.config.AuditRetention)
			return err
		})
		switch {
		case ctx.Err() != nil:
		case err != nil:
			a.log.Error("purge failed", "err", err)
		case n > 0:
			a.log.Info("expired rows purged", "count", n)
		}
		if !sleep(ctx, purgeEvery) {
			return
		}
	}
}

// survive turns a panic of f into an error: work in the background must not end
// the process.
func survive(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// sleep waits for d, and returns false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (a *App) lifetime() models.Lifetime {
	return models.Lifetime{Idle: a.config.SessionIdle, Max: a.config.SessionMax}
}
