//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// purgeRow is the latency of dashboards requested at a steady rate, without and during
// a purge of expired sessions. Times are in milliseconds, except Took.
type purgeRow struct {
	Database string  `json:"database"`
	Deleted  int64   `json:"deleted"`
	Took     float64 `json:"took_s"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	PurgeP50 float64 `json:"purge_p50_ms"`
	PurgeP99 float64 `json:"purge_p99_ms"`
	Requests int     `json:"requests_during_purge"`
}

// purgeRate is how many dashboards are requested per second, far below the maximum.
const purgeRate = 200

// expiredSessions returns how many sessions to purge. A million take half a minute to
// create and purge on PostgreSQL, and minutes on SQLite.
func expiredSessions(kind string) int64 {
	switch {
	case large():
		return 1_000_000
	case kind == "SQLite":
		return 100_000
	}
	return 400_000
}

// purge measures the dashboard before, during and after a purge.
func (b *bench) purge(ctx context.Context, kind, dir string) (row purgeRow, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	databaseURL, drop, err := b.fresh(ctx, kind, dir)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	if err := fill(ctx, databaseURL, living(ctx, sample, time.Now())); err != nil {
		return row, err
	}
	var without, during outcome
	measure := func(s *site) (outcome, error) {
		o := dashboards(b.spread(sample, sample), s)
		o.Rate, o.Workers, o.For = purgeRate, 64, b.turn
		return attack(ctx, o)
	}
	calm := func(s *site) error {
		for turn := range (b.turns+1)/2 + 1 {
			seen, err := measure(s)
			if err != nil {
				return err
			}
			if turn > 0 { // the first warms up
				without.add(seen)
			}
		}
		return nil
	}
	s, err := b.serveAlone(ctx, databaseURL, dir)
	if err != nil {
		return row, err
	}
	if err := errors.Join(calm(s), s.stop()); err != nil {
		return row, err
	}

	start, expired := time.Now(), expiredSessions(kind)
	if err := fill(ctx, databaseURL, func(f *filler) error {
		end := time.Now().Add(-time.Hour - time.Duration(expired)*time.Millisecond)
		return f.sessions(ctx, sample+1, sample+expired, sample, start, end)
	}); err != nil {
		return row, err
	}
	fmt.Fprintf(os.Stderr, "%s: created %s expired sessions in %s\n", kind, humanize.Comma(expired), time.Since(start).Round(time.Millisecond))
	if s, err = b.serveAlone(ctx, databaseURL, dir); err != nil { // it starts with a purge
		return row, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for turn := 0; ; turn++ {
		if err := context.Cause(ctx); err != nil { // the purge may never end
			return row, err
		}
		seen, err := measure(s)
		if err != nil {
			return row, err
		}
		if row.Deleted, row.Took, err = s.purged(); err != nil {
			return row, err
		}
		if row.Deleted > 0 { // within this turn
			break
		}
		if turn > 0 {
			during.add(seen)
		}
	}
	if err := calm(s); err != nil {
		return row, err
	}
	row.Database, row.Requests = kind, len(during.Latencies)
	row.P50, row.P99 = ms(without.percentile(0.50)), ms(without.percentile(0.99))
	row.PurgeP50, row.PurgeP99 = ms(during.percentile(0.50)), ms(during.percentile(0.99))
	return row, nil
}

var (
	readyLine  = regexp.MustCompile(`(?m)^time=(\S+) .*msg="vestibule is ready"`)
	purgedLine = regexp.MustCompile(`(?m)^time=(\S+) .*msg="expired rows purged" count=(\d+)`)
)

// purged returns how many rows the purge at the program's start deleted, and in how
// many seconds. It returns 0 until the log has that line.
func (s *site) purged() (count int64, seconds float64, err error) {
	log, err := os.ReadFile(filepath.Join(s.cmd.Dir, "log"))
	if err != nil {
		return 0, 0, err
	}
	ready, purged := readyLine.FindStringSubmatch(string(log)), purgedLine.FindStringSubmatch(string(log))
	if ready == nil || purged == nil {
		return 0, 0, nil
	}
	from, err := time.Parse(time.RFC3339Nano, ready[1])
	if err != nil {
		return 0, 0, err
	}
	to, err := time.Parse(time.RFC3339Nano, purged[1])
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(purged[2], &count)
	return count, to.Sub(from).Seconds(), err
}

func purgeTable(rows []purgeRow) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d dashboards per second, without and during a purge of expired sessions.\n\n", purgeRate)
	b.WriteString("| Database | rows purged | seconds | p50 ms without | p50 ms during | p99 ms without | p99 ms during | ratio of p99 |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, w := range rows {
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f |\n",
			w.Database, humanize.Comma(w.Deleted), w.Took, w.P50, w.PurgeP50, w.P99, w.PurgeP99, w.PurgeP99/w.P99)
	}
	return b.String()
}
