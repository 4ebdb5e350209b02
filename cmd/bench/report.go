//go:build linux || darwin || freebsd

package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report is the content of bench.json.
type report struct {
	Time   time.Time `json:"time"`
	OS     string    `json:"os"`
	Arch   string    `json:"arch"`
	Go     string    `json:"go"`
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	Commit string    `json:"commit,omitempty"` // the program's, if it was built in a checkout
	Load   string    `json:"load,omitempty"`   // load average before the run, over 1, 5 and 15 minutes
	Error  string    `json:"error,omitempty"`  // why the rest is missing
	Rows   []row     `json:"rows"`

	Limits      []limit        `json:"limits,omitempty"`
	Growth      []growthRow    `json:"growth,omitempty"`
	Purge       []purgeRow     `json:"purge,omitempty"`
	Processes   []processesRow `json:"processes,omitempty"`
	Connections connections    `json:"connections,omitzero"`
	Benchmarks  []string       `json:"benchmarks,omitempty"`
}

// row is one case on one database. Times are in milliseconds.
type row struct {
	Database       string  `json:"database"`
	Case           string  `json:"case"`
	PerSecond      float64 `json:"per_second"`
	P50            float64 `json:"p50_ms"`
	P99            float64 `json:"p99_ms"`
	Allocations    float64 `json:"allocations"` // per request, by the whole program
	KiB            float64 `json:"allocated_kib"`
	Peak           float64 `json:"peak_mib"`
	Floor          string  `json:"floor"`
	FloorPerSecond float64 `json:"floor_per_second"`
	FloorP50       float64 `json:"floor_p50_ms"`
	FloorP99       float64 `json:"floor_p99_ms"`
	Ratio          float64 `json:"ratio"`
	Target         float64 `json:"target,omitempty"`
}

func newReport(program string) *report {
	r := &report{Time: time.Now().UTC(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), CPU: "unknown", Cores: runtime.NumCPU(),
		Commit: commit(program)}
	load, _ := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(load)); len(fields) >= 3 {
		r.Load = strings.Join(fields[:3], " ")
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			r.CPU = strings.TrimSpace(value)
			break
		}
	}
	return r
}

// commit returns the short hash of the commit that program was built from, or "" if
// the file doesn't record it.
func commit(program string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	var hash, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			hash = s.Value[:min(7, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " (modified)"
		}
	}
	return hash + modified
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (r *report) add(database string, c testCase, site, least outcome, made garbage, peak int64) {
	w := row{
		Database: database, Case: c.name,
		PerSecond: site.perSecond(), P50: ms(site.percentile(0.50)), P99: ms(site.percentile(0.99)),
		Allocations: made.objects, KiB: made.bytes / 1024, Peak: float64(peak) / (1 << 20),
		Floor: c.floor, FloorPerSecond: least.perSecond(), FloorP50: ms(least.percentile(0.50)), FloorP99: ms(least.percentile(0.99)),
		Target: c.target,
	}
	w.Ratio = w.PerSecond / w.FloorPerSecond
	r.Rows = append(r.Rows, w)
	fmt.Fprintf(os.Stderr, "%s, %s: %.2f of %s\n", database, c.name, w.Ratio, c.floor)
}

// markdown returns the report as Markdown.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s/%s, %s, %s", r.CPU, r.Cores, r.OS, r.Arch, r.Go, r.Time.Format(time.DateOnly))
	if r.Commit != "" {
		fmt.Fprintf(&b, ", commit %s", r.Commit)
	}
	if r.Load != "" {
		fmt.Fprintf(&b, ", load average before the run %s", r.Load)
	}
	b.WriteString(". The load comes from the same machine.\n\n")
	if r.Error != "" {
		fmt.Fprintf(&b, "The rest is missing: %s.\n\n", r.Error)
	}
	if len(r.Rows) > 0 {
		b.WriteString("| Database | Case | per second | p50 ms | p99 ms | allocations | allocated KiB | peak memory MiB | floor | floor per second | floor p50 ms | floor p99 ms | ratio | target |\n")
		b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|---|\n")
	}
	for _, w := range r.Rows {
		verdict := ""
		if w.Target > 0 {
			verdict = fmt.Sprintf("%.2f: missed", w.Target)
			if w.Ratio >= w.Target {
				verdict = fmt.Sprintf("%.2f: met", w.Target)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.2f | %.2f | %.0f | %.1f | %.0f | %s | %.0f | %.2f | %.2f | %.2f | %s |\n",
			w.Database, w.Case, w.PerSecond, w.P50, w.P99, w.Allocations, w.KiB, w.Peak, w.Floor, w.FloorPerSecond, w.FloorP50, w.FloorP99, w.Ratio, verdict)
	}
	return b.String() + limitsTable(r.Limits) + growthTable(r.Growth) + purgeTable(r.Purge) +
		processesTable(r.Processes, r.Connections) + benchmarksBlock(r.Benchmarks)
}

// write prints the report, and stores it in dir as bench.md and bench.json.
func (r *report) write(dir string) error {
	text := r.markdown()
	fmt.Print(text)
	if err := os.WriteFile(filepath.Join(dir, "bench.md"), []byte(text), 0o600); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bench.json"), append(data, '\n'), 0o600)
}
