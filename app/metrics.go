package app

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"vestibule/app/metrics"
	"vestibule/app/web"
	"vestibule/models"
)

// newMetrics returns what METRICS_ADDR shows, or nil if it is not set.
func (a *App) newMetrics() *metrics.Metrics {
	if a.config.MetricsAddr == "" {
		return nil
	}
	m := metrics.New(metrics.Sources{Pool: a.DB.Bun().DB, Hashing: a.Hasher.Load, Stored: a.stored},
		string(models.FactorPassword), string(models.FactorPasskey), string(models.FactorEmail), string(models.FactorMailCode), string(models.FactorProvider),
		string(models.FactorCode), string(models.FactorRecoveryCode))
	a.hashes.took = m.Hashed
	a.Hasher.OnWait(m.Waited)
	return m
}

// stored counts what the metrics say of the database.
func (a *App) stored(ctx context.Context) (s metrics.Stored, err error) {
	if s.Sessions, err = a.DB.CountSessions(ctx); err != nil {
		return s, err
	}
	s.Mails, s.OldestMail, err = a.DB.MailQueue(ctx)
	return s, err
}

// checkMetricsAddr returns an error if METRICS_ADDR could be reached from outside, or is
// where the site itself listens.
func (c *Config) checkMetricsAddr() error {
	host, port, err := splitAddr(c.MetricsAddr)
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if host != "localhost" && (err != nil || !web.IsInside(ip)) {
		return errors.New("it isn't on this machine or a private network")
	}
	if _, site, err := splitAddr(c.Addr); err == nil && samePort(port, site) {
		return errors.New("the site listens there")
	}
	return nil
}

// samePort reports whether two ports, which may be names, are the same. Any number of
// listeners can ask for port 0, which stands for a free one.
func samePort(a, b string) bool {
	m, _ := net.LookupPort("tcp", a)
	n, _ := net.LookupPort("tcp", b)
	return m == n && m != 0
}
