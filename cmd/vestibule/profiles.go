package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"time"

	"vestibule/app/mail"
)

// onLocalhost refuses requests for another host: a web page could make its own name lead
// to this machine and read what is served here (DNS rebinding).
func onLocalhost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !mail.IsLoopback(host) {
			http.Error(w, "this is for localhost alone", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveProfiles serves the profiles of net/http/pprof on addr until ctx ends. They
// reveal what the program holds in memory, so Config only allows a loopback address.
func serveProfiles(ctx context.Context, addr string, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	listening, err := serveApart(ctx, "PPROF_ADDR", addr, onLocalhost(mux))
	if err == nil {
		log.Info("profiles are served", "url", "http://"+listening.String()+"/debug/pprof/")
	}
	return err
}

// serveApart serves handler on addr, the value of a setting, until ctx ends. It returns
// where it listens.
func serveApart(ctx context.Context, setting, addr string, handler http.Handler) (net.Addr, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("can't listen on %s %q: %w", setting, addr, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }() // until it is closed
	return listener.Addr(), nil
}
