package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"vestibule/app"
)

// An error may repeat what a client sent, which can be long.
func TestLogLinesAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 50<<10)
	for _, env := range []string{"development", "production"} {
		var out bytes.Buffer
		log := slog.New(handler(&app.Config{Env: env, LogLevel: "info"}, &out))
		log.Error("request failed", "err", errors.New(long), "panic", any([]string{long}), "text", long, "count", 3)
		if n := out.Len(); n < 3*maxLogValue || n > 4*maxLogValue {
			t.Errorf("in %s a line has %d bytes", env, n)
		}
		if line := out.String(); strings.ContainsRune(line, '\uFFFD') || strings.Count(line, "\n") != 1 {
			t.Errorf("in %s the line is %.100q", env, line)
		}
	}
}
