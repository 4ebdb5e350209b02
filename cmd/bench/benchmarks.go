//go:build linux || darwin || freebsd

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// benchmarks runs the Go benchmarks of this checkout and returns their result lines.
func benchmarks(ctx context.Context, tool string) (lines []string, err error) {
	cmd := exec.CommandContext(ctx, tool, "test", "-run", "^$", "-bench", "ForgotPassword|MembersPage", "-benchtime", "200x", "./app", "./models") // #nosec G204 -- go
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second // the tests may outlive it
	out, err := cmd.Output()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") && strings.Contains(line, "ns/op") {
			columns := strings.Split(line, "\t")
			for i := range columns {
				columns[i] = strings.TrimSpace(columns[i])
			}
			lines = append(lines, strings.Join(columns, "  "))
		}
	}
	if err != nil {
		return lines, fmt.Errorf("%w\n%s", err, out)
	}
	return lines, nil
}

func benchmarksBlock(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\nThe Go benchmarks.\n\n```\n" + strings.Join(lines, "\n") + "\n```\n"
}
