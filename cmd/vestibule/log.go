package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"vestibule/app"
)

// logger writes lines for people in development and JSON in production.
func logger(config *app.Config, f *os.File) *slog.Logger {
	out := &steadyWriter{out: f, ready: writability(f)}
	out.report = func(lost int) {
		slog.New(handler(config, f)).Error("log lines were lost, because they could not be written", "count", lost)
	}
	return slog.New(handler(config, out))
}

func handler(config *app.Config, w io.Writer) slog.Handler {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.LogLevel)) // Config.Validate has checked it
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: shorten}
	if config.Production() {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// logPatience is how long a line waits for whoever reads the log.
const logPatience = time.Second

// steadyWriter writes each line at once. If nobody reads the log, such as
// when its collector hangs, it drops lines and counts them, so the site goes on. The handler
// calls it for one line at a time.
type steadyWriter struct {
	out    io.Writer
	ready  func(wait time.Duration) bool // reports whether out takes bytes without blocking
	report func(lost int)
	stuck  bool // the last line was dropped
	lost   int
}

// maxAtOnce is how much a pipe that is ready takes without blocking (POSIX, PIPE_BUF).
const maxAtOnce = 4096

// Write implements [io.Writer]. It returns no error, because nobody could be told.
func (w *steadyWriter) Write(line []byte) (int, error) {
	for rest := line; len(rest) > 0; {
		wait := logPatience
		if w.stuck && len(rest) == len(line) {
			wait = 0
		}
		if !w.ready(wait) {
			return w.drop(line)
		}
		if w.lost > 0 && len(rest) == len(line) {
			lost := w.lost
			w.lost = 0
			w.report(lost)
			if !w.ready(logPatience) {
				return w.drop(line)
			}
		}
		n, err := w.out.Write(rest[:min(len(rest), maxAtOnce)])
		if err != nil {
			return w.drop(line)
		}
		rest = rest[n:]
	}
	w.stuck = false
	return len(line), nil
}

func (w *steadyWriter) drop(line []byte) (int, error) {
	w.stuck = true
	w.lost++
	return len(line), nil
}

// maxLogValue is the longest value in a log line, in bytes. It leaves room for a stack
// trace; an error that repeats its input can be as long as a request.
const maxLogValue = 8 << 10

// shorten cuts a value that is too long for a log line.
func shorten(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch a.Value.Kind() {
	case slog.KindString:
		text = a.Value.String()
	case slog.KindAny:
		text = fmt.Sprint(a.Value.Any())
	}
	if len(text) > maxLogValue {
		a.Value = slog.StringValue(strings.ToValidUTF8(text[:maxLogValue], "") + "…")
	}
	return a
}
