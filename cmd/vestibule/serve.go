package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"vestibule/app"
)

type serve struct{}

// Limits on a connection, because a slow or silent client must not hold one for long.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 60 * time.Second // leaves room for the queue of password hashes
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	shutdownTimeout   = 30 * time.Second
)

// Run serves until config.ShutdownDelay after ctx ends, and then finishes the running
// requests.
func (serve) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	if err := config.ValidateSite(); err != nil {
		return err
	}
	ignoreSignals()
	hashes := hashProcess(log)
	defer hashes.Close()
	opens := open
	if config.Production() {
		opens = openExisting
	}
	db, err := opens(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrateOrCheck(ctx, config, db, log); err != nil {
		return err
	}
	if err := readSecretKeys(config); err != nil {
		log.Warn("SECRET_KEYS is not set, and no key can be stored: nobody can add an authenticator app", "err", err)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200) // 15,000 home pages a second, not 13,600; 85 MiB under that load, not 44
	}
	if tracing() {
		tracer, stop, err := newTracer(ctx, log)
		if err != nil {
			return err
		}
		defer stop()
		config.Tracer = tracer
		db.Trace(tracer)
	}
	site, err := app.New(*config, db, log, hashes)
	if err != nil {
		return err
	}
	if err := site.Prepare(ctx); err != nil {
		return err
	}
	if err := site.CheckSecrets(ctx); err != nil {
		return err
	}
	tcp, err := new(net.ListenConfig).Listen(ctx, "tcp", config.Addr)
	if err != nil {
		return fmt.Errorf("can't listen on ADDR %q: %w", config.Addr, err)
	}
	listener := &watchedListener{Listener: tcp, log: log}
	site.ReadyWhen(func(asked context.Context) error {
		if ctx.Err() != nil {
			return errors.New("the program is shutting down")
		}
		if err := listener.lastError(); err != nil {
			return err
		}
		return migrated(asked, db)
	})
	var desk net.Listener
	if config.AdminAddr != "" {
		if desk, err = new(net.ListenConfig).Listen(ctx, "tcp", config.AdminAddr); err != nil {
			return fmt.Errorf("can't listen on ADMIN_ADDR %q: %w", config.AdminAddr, err)
		}
	}
	if config.PprofAddr != "" {
		if err := serveProfiles(ctx, config.PprofAddr, log); err != nil {
			return err
		}
	}
	if config.MetricsAddr != "" {
		if err := serveMetrics(ctx, config.MetricsAddr, site.Metrics.Handler(log), log); err != nil {
			return err
		}
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx)) // as long as requests are served
	worked := make(chan struct{})
	go func() { defer close(worked); site.Work(work) }()
	defer func() { stopWork(); <-worked }()

	server := newServer(ctx, site, log)
	served := make(chan error, 2)
	go func() { served <- server.Serve(listener) }()
	if desk != nil {
		operators := newServer(ctx, site.Desk(), log)
		defer operators.Close() // after the others' requests
		go func() { served <- operators.Serve(desk) }()
		log.Info("the operator's pages are on an address of their own", "addr", desk.Addr().String())
	}
	log.Info("vestibule is ready", "url", config.BaseURL, "addr", listener.Addr().String(), "database", db.Name())
	return shutDown(ctx, server, served, config.ShutdownDelay, log)
}

// newServer returns a server of site. After ctx ends, it closes each connection with its
// next answer.
func newServer(ctx context.Context, site http.Handler, log *slog.Logger) *http.Server {
	handle := func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close") // send the client's next request to another process
		}
		site.ServeHTTP(w, r)
	}
	return &http.Server{
		Handler:           http.HandlerFunc(handle),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// shutDown waits until ctx ends, and delay after that finishes the running requests. It
// returns at once with the error that server sends to served.
func shutDown(ctx context.Context, server *http.Server, served <-chan error, delay time.Duration, log *slog.Logger) error {
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: running requests are finished first")
	select { // gives a load balancer time to notice /readyz
	case err := <-served:
		return err
	case <-time.After(delay):
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("requests still ran after %s: %w", shutdownTimeout, errors.Join(err, server.Close()))
	}
	log.Info("stopped")
	return nil
}
