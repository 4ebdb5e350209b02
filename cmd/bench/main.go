//go:build linux || darwin || freebsd

// Bench measures the built Vestibule on this machine, on SQLite and PostgreSQL. It
// compares each case with its floor: the least work any program must do for the same
// answer. Both run in short turns, so other work on the machine slows both alike, and
// the result is their ratio. It also measures limits, larger tables, a purge and
// several processes, and runs the Go benchmarks. With BENCH_LARGE=1 in the environment
// the tables grow to millions of rows, which takes minutes.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"vestibule/models/modelstest"
)

// Limits on a run, which could otherwise hang; largeTimeout is for BENCH_LARGE=1.
const (
	timeout      = 30 * time.Minute
	largeTimeout = time.Hour
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) == 2 { // in a process started by command
		switch os.Args[1] {
		case "attack":
			return attacker(os.Stdin, os.Stdout)
		case "floor":
			return floorServer(os.Stdin, os.Stdout)
		case "hashes":
			return hasher(os.Stdin, os.Stdout)
		}
	}
	program := flag.String("program", "bin/vestibule", "the built program")
	tool := flag.String("go", "go", "the go command, for the Go benchmarks")
	out := flag.String("out", "bin", "the folder for bench.json and bench.md")
	turn := flag.Duration("turn", time.Second, "how long a case or its floor runs at a time")
	turns := flag.Int("turns", 6, "how many turns each gets")
	only := flag.String("only", strings.Join(sections, ","), "the sections to measure, separated by commas")
	match := flag.String("case", "", "measure only cases whose name matches this regular expression")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	longest := timeout
	if large() {
		longest = largeTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("not done after %s", longest))
	defer cancel()
	path, err := filepath.Abs(*program)
	if err != nil {
		return err
	}
	named, err := regexp.Compile(*match)
	if err != nil {
		return fmt.Errorf("-case: %w", err)
	}
	b := &bench{program: path, tool: *tool, turn: *turn, turns: *turns, only: strings.Split(*only, ","), named: named,
		random: rand.New(rand.NewPCG(1, 2)), report: newReport(path)} // #nosec G404 -- the same users in each run
	for _, section := range b.only {
		if !slices.Contains(sections, section) {
			return fmt.Errorf("-only: unknown section %q: use %s", section, strings.Join(sections, ", "))
		}
	}
	err = b.all(ctx)
	if err != nil {
		b.report.Error = err.Error()
	}
	return errors.Join(err, b.report.write(*out))
}

// all measures every section of b.only.
func (b *bench) all(ctx context.Context) (err error) {
	if os.Getenv("TMPDIR") == "" { // modelstest prefers a folder in memory, and /tmp may be one
		if err := os.Setenv("TMPDIR", "/var/tmp"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "vestibule-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if b.cluster, err = modelstest.Postgres(durable...); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cluster.Stop()) }()
	for _, kind := range kinds {
		if err := b.measure(ctx, kind, dir); err != nil {
			return fmt.Errorf("on %s: %w", kind, err)
		}
	}
	if slices.Contains(b.only, "limits") {
		visit, err := b.visit(ctx, dir)
		if err != nil {
			return fmt.Errorf("visit: %w", err)
		}
		size, err := b.size()
		if err != nil {
			return err
		}
		b.report.Limits = append(append(b.report.Limits, visit...), size)
	}
	if slices.Contains(b.only, "processes") {
		if b.report.Processes, b.report.Connections, err = b.processes(ctx, dir); err != nil {
			return fmt.Errorf("processes: %w", err)
		}
	}
	if slices.Contains(b.only, "go") {
		if b.report.Benchmarks, err = benchmarks(ctx, b.tool); err != nil {
			return fmt.Errorf("go: %w", err)
		}
	}
	return nil
}

// sections are the parts of the report.
var sections = []string{"cases", "limits", "growth", "purge", "processes", "go"}

// measure measures the sections of b.only on one kind of database. If one fails, the
// report still has those before it.
func (b *bench) measure(ctx context.Context, kind, dir string) (err error) {
	if slices.Contains(b.only, "cases") {
		databaseURL, drop, err := b.fresh(ctx, kind, dir)
		if err != nil {
			return err
		}
		if err := errors.Join(b.database(ctx, kind, databaseURL, dir), drop()); err != nil {
			return err
		}
	}
	if slices.Contains(b.only, "limits") {
		found, err := b.limits(ctx, kind, dir)
		b.report.Limits = append(b.report.Limits, found...)
		if err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	if slices.Contains(b.only, "growth") {
		rows, err := b.growth(ctx, kind, dir)
		b.report.Growth = append(b.report.Growth, rows...)
		if err != nil {
			return fmt.Errorf("growth: %w", err)
		}
	}
	if slices.Contains(b.only, "purge") {
		row, err := b.purge(ctx, kind, dir)
		if err != nil {
			return fmt.Errorf("purge: %w", err)
		}
		b.report.Purge = append(b.report.Purge, row)
	}
	return nil
}

// command returns a command that runs this program in the given role, with order as
// its input. It is killed when ctx ends.
func command(ctx context.Context, role string, order any) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, role) // #nosec G204 -- itself
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	return cmd, nil
}

// self runs this program in the given role and decodes its answer.
func self(ctx context.Context, role string, order, answer any) error {
	cmd, err := command(ctx, role, order)
	if err != nil {
		return err
	}
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", role, cmp.Or(context.Cause(ctx), err)) // killed, if ctx ended
	}
	return json.Unmarshal(out, answer)
}
