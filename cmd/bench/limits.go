//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"vestibule/app/password"
)

// limit is a measured value and the most it may be.
type limit struct {
	Database string  `json:"database,omitempty"`
	What     string  `json:"what"`
	Value    float64 `json:"value"`
	AtMost   float64 `json:"at_most"`
	Unit     string  `json:"unit"`
	How      string  `json:"how"` // details of the measurement
}

const mib = 1 << 20

const (
	starts = 9    // how often the program is started
	storms = 6    // how often calm and storm take turns
	crowd  = 1000 // users who sign in at once
)

// addresses is how many IP addresses they come from, because one address may hold only
// half of the slots for hashing.
const addresses = 8

// limits measures start, storm and memory on one kind of database.
func (b *bench) limits(ctx context.Context, kind, dir string) (found []limit, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	databaseURL, drop, err := b.fresh(ctx, kind, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	if err := fill(ctx, databaseURL, living(ctx, sample, time.Now())); err != nil {
		return nil, err
	}
	add := func(l limit) {
		l.Database = kind
		found = append(found, l)
	}
	start, err := b.start(ctx, databaseURL, dir)
	if err != nil {
		return found, fmt.Errorf("start: %w", err)
	}
	add(start)
	s, err := b.serveAlone(ctx, databaseURL, dir)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	storm, err := b.storm(ctx, s)
	if err != nil {
		return found, fmt.Errorf("storm: %w", err)
	}
	add(storm)
	memory, ok, err := b.memory(ctx, databaseURL, dir)
	if err != nil {
		return found, fmt.Errorf("memory: %w", err)
	}
	if ok {
		add(memory)
	}
	return found, nil
}

// start measures the time from the start of the program to its first page, on an
// existing database.
func (b *bench) start(ctx context.Context, databaseURL, dir string) (limit, error) {
	var took []time.Duration
	for range starts {
		began := time.Now()
		s, err := b.serveAlone(ctx, databaseURL, dir)
		if err != nil {
			return limit{}, err
		}
		page, err := capture(ctx, order{Method: http.MethodGet, URL: s.url + "/", Header: http.Header{}})
		took = append(took, time.Since(began))
		if err == nil && page.Status != http.StatusOK {
			err = fmt.Errorf("the home page answers %d", page.Status)
		}
		if err := errors.Join(err, s.stop()); err != nil {
			return limit{}, err
		}
	}
	slices.Sort(took)
	return limit{What: "start to first page", Value: ms(took[starts/2]), AtMost: 300, Unit: "ms",
		How: fmt.Sprintf("median of %d, %.0f to %.0f", starts, ms(took[0]), ms(took[starts-1]))}, nil
}

// storm requests the dashboard at a steady rate, in turn without other load and while
// as many users as possible sign in.
func (b *bench) storm(ctx context.Context, s *site) (limit, error) {
	const rate, many = 100, 64
	calmly := func() (outcome, error) {
		o := dashboards(b.spread(sample, sample), s)
		o.Rate, o.For = rate, 6*b.turn
		return attack(ctx, o)
	}
	var quiet, stormy, signedIn outcome
	for turn := range storms + 1 {
		calm, err := calmly()
		if err != nil {
			return limit{}, err
		}
		var wind outcome
		var broke error
		var group sync.WaitGroup
		o := signIns(b.spread(sample, sample), s)
		o.Workers, o.Addresses, o.For = many, addresses, 10*b.turn // all fit into the queue of 65 a core
		group.Go(func() { wind, broke = attack(ctx, o) })
		time.Sleep(2 * b.turn) // until the storm is at full strength
		gust, err := calmly()
		group.Wait()
		if err := errors.Join(err, broke); err != nil {
			return limit{}, err
		}
		if turn > 0 { // the first warms up
			quiet.add(calm)
			stormy.add(gust)
			signedIn.add(wind)
		}
	}
	before, during := quiet.percentile(0.99), stormy.percentile(0.99)
	return limit{What: "dashboard p99 in a storm of sign-ins, relative to quiet", Value: float64(during) / float64(before), AtMost: 5, Unit: "times",
		How: fmt.Sprintf("%.1f to %.1f ms, p50 %.1f to %.1f ms, at %d dashboards and %.0f sign-ins per second by %d users at once",
			ms(during), ms(before), ms(stormy.percentile(0.5)), ms(quiet.percentile(0.5)), rate, signedIn.perSecond(), many)}, nil
}

// memory measures the memory that a crowd signing in at once takes, in a program that
// has done little before. Ok is false if the system doesn't report a process's memory.
func (b *bench) memory(ctx context.Context, databaseURL, dir string) (found limit, ok bool, err error) {
	s, err := b.serveAlone(ctx, databaseURL, dir)
	if err != nil {
		return found, false, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	calm := dashboards(b.spread(sample, sample), s)
	calm.Rate, calm.For = 200, 2*b.turn
	if _, err := attack(ctx, calm); err != nil {
		return found, false, err
	}
	base := s.resident()
	if base == 0 {
		return found, false, nil
	}
	s.resetPeak()
	o := signIns(b.spread(crowd, sample), s)
	o.Workers, o.Addresses, o.Once, o.For, o.Want = crowd, addresses, true, startTimeout, []int{http.StatusSeeOther, http.StatusServiceUnavailable}
	seen, err := attack(ctx, o)
	if err != nil {
		return found, false, err
	}
	signedIn, refused := seen.Statuses[http.StatusSeeOther], seen.Statuses[http.StatusServiceUnavailable]
	if signedIn == 0 {
		return found, false, fmt.Errorf("none of %d sign-ins succeeded", crowd)
	}
	pool := runtime.GOMAXPROCS(0) * int(password.DefaultParams.Memory) << 10
	return limit{What: fmt.Sprintf("memory growth, %d users signing in at once", crowd), Value: float64(s.peak()-base) / mib,
		AtMost: float64(pool)/mib + 100, Unit: "MiB", How: fmt.Sprintf("from %d to %d MiB; the hashes alone need %d; %d signed in, %d were told to try again",
			base/mib, s.peak()/mib, pool/mib, signedIn, refused)}, true, nil
}

// size returns the size of the program's file.
func (b *bench) size() (limit, error) {
	info, err := os.Stat(b.program)
	if err != nil {
		return limit{}, err
	}
	return limit{What: "program file", Value: float64(info.Size()) / 1e6, AtMost: 40, Unit: "MB", How: "with templates, assets and migrations"}, nil
}

func limitsTable(found []limit) string {
	if len(found) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| Database | What | measured | limit | verdict | detail |\n|---|---|--:|--:|---|---|\n")
	for _, l := range found {
		verdict := "met"
		if l.Value > l.AtMost {
			verdict = "missed"
		}
		decimals := 1
		if l.Unit == "requests" { // a count
			decimals = 0
		}
		fmt.Fprintf(&b, "| %s | %s | %.*f %s | %.0f %s | %s | %s |\n", l.Database, l.What, decimals, l.Value, l.Unit, l.AtMost, l.Unit, verdict, l.How)
	}
	return b.String()
}
