//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// growthRow is one case with that many users and as many sessions. Times are in
// milliseconds; Ratio is the throughput relative to the first size.
type growthRow struct {
	Database  string  `json:"database"`
	Case      string  `json:"case"`
	Users     int64   `json:"users"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Ratio     float64 `json:"ratio"`
}

// sample is how many users send requests in a turn, from all over the tables.
const sample = 1000

// large reports whether to include the measurements that take long.
func large() bool { return os.Getenv("BENCH_LARGE") == "1" }

// sizes returns the numbers of users. Five million take minutes and gigabytes.
func sizes() []int64 {
	if large() {
		return []int64{1000, 100_000, 5_000_000}
	}
	return []int64{1000, 100_000}
}

// dashboards requests the dashboard of each session, at the sites in turn.
func dashboards(sessions []int64, sites ...*site) order {
	o := order{Method: http.MethodGet, URL: sites[0].url + "/dashboard", Workers: 16, Want: []int{http.StatusOK}}
	for i, n := range sessions {
		header := cookie(n)
		header.Set("Accept-Encoding", "gzip")
		o.Targets = append(o.Targets, vegeta.Target{Method: o.Method, URL: sites[i%len(sites)].url + "/dashboard", Header: header})
	}
	return o
}

// signIns signs each user in, at the sites in turn.
func signIns(users []int64, sites ...*site) order {
	o := order{Method: http.MethodPost, URL: sites[0].url + "/sign-in", Workers: 8, Want: []int{http.StatusSeeOther}}
	for i, n := range users {
		form := url.Values{"login": {login(n)}, "password": {secret}}
		o.Targets = append(o.Targets, vegeta.Target{Method: o.Method, URL: sites[i%len(sites)].url + "/sign-in", Body: []byte(form.Encode()),
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept-Encoding": {"gzip"}}})
	}
	return o
}

// sharedCase is a case that growth and processes measure on several sites in turn.
type sharedCase struct {
	name  string
	order func([]int64, ...*site) order
	turns int
	turn  time.Duration
	same  bool // the same users send requests in each turn
}

func (b *bench) sharedCases() []sharedCase {
	return []sharedCase{
		{"dashboard", dashboards, b.turns, b.turn, false},
		{"sign-in", signIns, (b.turns + 2) / 3, hashTurns * b.turn, false},
	}
}

// growth measures what more rows cost. The sizes take turns, each with its own program
// and database.
func (b *bench) growth(ctx context.Context, kind, dir string) (rows []growthRow, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sites []*site
	var databases []string
	for _, size := range sizes() {
		databaseURL, drop, err := b.fresh(ctx, kind, dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, drop()) }()
		start := time.Now()
		// Last seen tomorrow, so that no request updates a session: with more sessions, more requests would be first visits.
		if err := fill(ctx, databaseURL, living(ctx, size, start.Add(24*time.Hour))); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%s: created %s users and sessions in %s\n", kind, humanize.Comma(size), time.Since(start).Round(time.Millisecond))
		s, err := b.serveAlone(ctx, databaseURL, dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		sites, databases = append(sites, s), append(databases, databaseURL)
	}
	people := make([][]int64, len(sites))
	for i, size := range sizes() { // now, because the proof is good for a quarter of an hour
		people[i] = b.spread(sample, size)
		if sites[i].people, err = prepareOperator(ctx, databases[i], people[i]); err != nil {
			return nil, err
		}
	}
	for _, c := range append(b.operatorCases(), b.sharedCases()...) {
		if !b.named.MatchString(c.name) {
			continue
		}
		seen := make([]outcome, len(sites))
		for turn := range c.turns + 1 {
			for i, size := range sizes() {
				asked := people[i]
				if !c.same {
					asked = b.spread(sample, size)
				}
				o := c.order(asked, sites[i])
				o.For = c.turn
				once, err := attack(ctx, o)
				if err != nil {
					return rows, err
				}
				if turn > 0 { // the first warms up
					seen[i].add(once)
				}
			}
		}
		for i, size := range sizes() {
			o := seen[i]
			rows = append(rows, growthRow{Database: kind, Case: c.name, Users: size, PerSecond: o.perSecond(),
				P50: ms(o.percentile(0.50)), P99: ms(o.percentile(0.99)), Ratio: o.perSecond() / seen[0].perSecond()})
			fmt.Fprintf(os.Stderr, "%s, %s: %.2f with %s users\n", kind, c.name, rows[len(rows)-1].Ratio, humanize.Comma(size))
		}
	}
	return rows, nil
}

func growthTable(rows []growthRow) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nThe same with more users and as many sessions. A thousand of them send requests, different ones in each turn.\n\n")
	b.WriteString("| Database | Case | users and sessions | per second | p50 ms | p99 ms | ratio to the first |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|\n")
	for _, w := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %.2f | %.2f | %.2f |\n", w.Database, w.Case, humanize.Comma(w.Users), w.PerSecond, w.P50, w.P99, w.Ratio)
	}
	return b.String()
}
