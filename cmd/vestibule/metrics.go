package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"vestibule/app/mail"
)

// serveMetrics serves the metrics on addr until ctx ends. They hold no personal data, but
// tell how a site is doing, so Config only allows this machine and private networks.
func serveMetrics(ctx context.Context, addr string, metrics http.Handler, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	var handler http.Handler = mux
	if host, _, err := net.SplitHostPort(addr); err == nil && mail.IsLoopback(host) {
		handler = onLocalhost(mux)
	}
	listening, err := serveApart(ctx, "METRICS_ADDR", addr, handler)
	if err == nil {
		log.Info("metrics are served", "url", "http://"+listening.String()+"/metrics")
	}
	return err
}
