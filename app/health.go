package app

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/gin-gonic/gin"

	"vestibule/app/password"
	"vestibule/app/web"
)

// Healthz tells a supervisor that the process serves.
func (a *App) Healthz(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.String(http.StatusOK, "ok\n")
}

// readyTimeout is how long the checks may take.
const readyTimeout = 2 * time.Second

// Readyz tells a load balancer whether to send requests: a sign-in would work, and the
// program isn't stopping. It logs each change.
func (a *App) Readyz(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	err := a.ready(ctx)
	log := web.Current(c).Log()
	if c.Request.Context().Err() == nil { // otherwise err only says that the client is gone
		switch was := a.unready.Swap(err != nil); {
		case err != nil && !was:
			log.Warn("not ready", "err", err)
		case err != nil:
			log.Debug("still not ready", "err", err)
		case was:
			log.Info("ready again")
		}
	}
	if err != nil {
		c.String(http.StatusServiceUnavailable, "not ready\n")
		return
	}
	c.String(http.StatusOK, "ok\n")
}

// ReadyWhen adds a condition to /readyz.
func (a *App) ReadyWhen(check func(context.Context) error) {
	answers := a.ready
	a.ready = func(ctx context.Context) error {
		if err := answers(ctx); err != nil {
			return err
		}
		return check(ctx)
	}
}

// signInWorks returns an error if a sign-in can't work: the schema isn't as expected, the
// database can't be written or no password can be hashed.
func (a *App) signInWorks(ctx context.Context) error {
	if err := a.DB.CheckSchema(ctx); err != nil {
		return err
	}
	if err := a.DB.CheckWrite(ctx); err != nil {
		return fmt.Errorf("the database can't be written: %w", err)
	}
	if err := a.hashes.check(ctx, a.config.argon2()); err != nil {
		return fmt.Errorf("passwords can't be hashed: %w", err)
	}
	return nil
}

// How long the result of a check counts, because balancers ask several times a second.
const (
	goodFor = 5 * time.Second
	badFor  = time.Second
)

// remembered returns check with a memory.
func remembered(check func(context.Context) error) func(context.Context) error {
	var mu sync.Mutex
	var last error
	var until time.Time
	return func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().Before(until) {
			return last
		}
		// Others use the result too, so it must not depend on this client.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		defer cancel()
		last, until = check(ctx), time.Now().Add(goodFor)
		if last != nil {
			until = time.Now().Add(badFor)
		}
		return last
	}
}

// hashEvery is how long nobody may have hashed a password before /readyz does.
const hashEvery = 5 * time.Minute

// watchedEngine is a password.Engine that knows whether it works.
type watchedEngine struct {
	password.Engine
	took func(time.Duration) // is told how long each hash took; may be nil

	mu      sync.Mutex
	err     error     // of the last hash
	at      time.Time // of the last hash
	probing chan struct{}
}

// Create is that of [password.Engine].
func (e *watchedEngine) Create(pw string, params argon2id.Params) (string, error) {
	start := time.Now()
	hash, err := e.Engine.Create(pw, params)
	e.note(start, err)
	return hash, err
}

// Compare is that of [password.Engine].
func (e *watchedEngine) Compare(pw, hash string) (bool, error) {
	start := time.Now()
	match, err := e.Engine.Compare(pw, hash)
	e.note(start, err)
	return match, err
}

func (e *watchedEngine) note(start time.Time, err error) {
	if e.took != nil {
		e.took(time.Since(start))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err, e.at = err, time.Now()
}

// check returns an error if no password can be hashed. It hashes one itself if the last
// failed or was long ago. While that takes longer than ctx, the last one counts.
func (e *watchedEngine) check(ctx context.Context, params argon2id.Params) error {
	e.mu.Lock()
	if e.err == nil && time.Since(e.at) < hashEvery {
		e.mu.Unlock()
		return nil
	}
	if e.probing == nil {
		e.probing = make(chan struct{})
		go func(done chan struct{}) {
			defer close(done)
			_, _ = e.Create("a password to see whether hashing works", params) // note keeps the error
			e.mu.Lock()
			defer e.mu.Unlock()
			e.probing = nil
		}(e.probing)
	}
	done := e.probing
	e.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
