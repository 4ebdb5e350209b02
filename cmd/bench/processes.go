//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"vestibule/models"
)

// processesRow is one case on that many processes of the program, which share one
// PostgreSQL. Times are in milliseconds; Ratio is the throughput relative to one
// process. The CPU shares are of all cores during the turns. They are 0 unless the
// system is Linux and the PostgreSQL server runs on this machine.
type processesRow struct {
	Case      string  `json:"case"`
	Processes int     `json:"processes"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Ratio     float64 `json:"ratio"`
	App       float64 `json:"app_cpu"`
	Postgres  float64 `json:"postgres_cpu"`
	Load      float64 `json:"load_cpu"`
	Others    float64 `json:"others_cpu"` // other programs on this machine
	Idle      float64 `json:"idle_cpu"`
}

// connections counts the database connections that all processes together hold at the
// end, and those that the server allows.
type connections struct {
	Held int `json:"held"`
	Max  int `json:"max"`
}

// fleet is the largest number of processes measured.
const fleet = 4

// processes measures 1, 2 and 4 processes in turn. The load reaches them evenly and
// without a load balancer.
func (b *bench) processes(ctx context.Context, dir string) (rows []processesRow, held connections, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	databaseURL, drop, err := b.fresh(ctx, "PostgreSQL", dir)
	if err != nil {
		return nil, held, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	if err := fill(ctx, databaseURL, living(ctx, sample, time.Now())); err != nil {
		return nil, held, err
	}
	db, err := models.Open(ctx, databaseURL, 2)
	if err != nil {
		return nil, held, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var backend int
	if err := db.Bun().QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return nil, held, err
	}
	var sites []*site
	for range fleet {
		s, err := b.serveAlone(ctx, databaseURL, dir)
		if err != nil {
			return nil, held, err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		sites = append(sites, s)
	}
	counts := []int{1, 2, fleet}
	for _, c := range b.sharedCases() {
		seen, used := make([]outcome, len(counts)), make([]cpu, len(counts))
		for turn := range c.turns + 1 {
			for i, count := range counts {
				o := c.order(b.spread(sample, sample), sites[:count]...)
				o.For = c.turn
				before := usage(sites, backend)
				once, err := attack(ctx, o)
				if err != nil {
					return rows, held, err
				}
				if turn > 0 { // the first warms up
					seen[i].add(once)
					used[i].add(before, usage(sites, backend))
				}
			}
		}
		for i, count := range counts {
			o, u := seen[i], used[i]
			all := u.took.Seconds() * float64(runtime.NumCPU())
			w := processesRow{Case: c.name, Processes: count, PerSecond: o.perSecond(),
				P50: ms(o.percentile(0.50)), P99: ms(o.percentile(0.99)), Ratio: o.perSecond() / seen[0].perSecond(),
				App: u.app / all, Postgres: u.postgres / all, Load: o.CPU.Seconds() / all, Idle: u.idle / all}
			if u.idle > 0 {
				w.Others = max(0, 1-w.App-w.Postgres-w.Load-w.Idle)
			}
			rows = append(rows, w)
			fmt.Fprintf(os.Stderr, "%s: %.2f with %d processes\n", c.name, w.Ratio, count)
		}
	}
	err = db.Bun().QueryRowContext(ctx, `SELECT count(*), current_setting('max_connections')::int
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&held.Held, &held.Max)
	return rows, held, err
}

// cpu is the seconds of all cores that some have used, and the time that took.
type cpu struct {
	app, postgres, idle float64
	at                  time.Time
	took                time.Duration
}

func (c *cpu) add(from, to cpu) {
	c.app += to.app - from.app
	c.postgres += to.postgres - from.postgres
	c.idle += to.idle - from.idle
	c.took += to.at.Sub(from.at)
}

// usage returns the CPU time that the sites and the PostgreSQL server have used so
// far. Backend is one of the server's processes.
func usage(sites []*site, backend int) cpu {
	c := cpu{at: time.Now()}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return c
	}
	for _, s := range sites {
		for _, pid := range s.processes() {
			c.app += stat(fs, pid).CPUTime()
		}
	}
	if server := stat(fs, backend).PPID; server > 1 {
		for _, pid := range children(server) {
			c.postgres += stat(fs, pid).CPUTime()
		}
	}
	if total, err := fs.Stat(); err == nil {
		c.idle = total.CPUTotal.Idle + total.CPUTotal.Iowait
	}
	return c
}

// stat returns no usage for a process that isn't on this machine.
func stat(fs procfs.FS, pid int) procfs.ProcStat {
	p, err := fs.Proc(pid)
	if err != nil {
		return procfs.ProcStat{}
	}
	used, _ := p.Stat()
	return used
}

func processesTable(rows []processesRow, held connections) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nSeveral processes of the program on one PostgreSQL, and the share of all cores that each part used. The %d processes hold %d connections; the server allows %d.\n\n",
		fleet, held.Held, held.Max)
	b.WriteString("| Case | processes | per second | ratio to one | p50 ms | p99 ms | program | PostgreSQL | load | others | idle |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, w := range rows {
		fmt.Fprintf(&b, "| %s | %d | %.0f | %.2f | %.2f | %.2f | %.0f%% | %.0f%% | %.0f%% | %.0f%% | %.0f%% |\n",
			w.Case, w.Processes, w.PerSecond, w.Ratio, w.P50, w.P99, 100*w.App, 100*w.Postgres, 100*w.Load, 100*w.Others, 100*w.Idle)
	}
	return b.String()
}
