package main

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"vestibule/app"
)

// Limits on the lines that a crash of the program may lose.
const (
	logPause = 5 * time.Millisecond
	logLimit = 64 << 10 // bytes
)

// logger writes lines for people in development and JSON in production.
func logger(config *app.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.LogLevel)) // Config.Validate has checked it
	options := &slog.HandlerOptions{Level: level}
	if config.Production() {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// batchWriter writes a line to out at once, and those of the next logPause together
// at its end, for under load each write would cost as much as the rest of a
// request's line. It is safe for use by several goroutines.
type batchWriter struct {
	out io.Writer

	mu     sync.Mutex
	pause  *time.Timer // not nil while lines are gathered
	lines  []byte
	closed bool
}

// Write takes one whole line. It returns an error only if it wrote itself.
func (g *batchWriter) Write(line []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return g.out.Write(line)
	}
	if g.pause == nil {
		g.pause = time.AfterFunc(logPause, g.next)
		return g.out.Write(line)
	}
	g.lines = append(g.lines, line...)
	if len(g.lines) >= logLimit {
		return len(line), g.flush()
	}
	return len(line), nil
}

// next ends a pause, and begins another if there were lines in it.
func (g *batchWriter) next() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.lines) == 0 {
		g.pause = nil
		return
	}
	_ = g.flush() // there is nowhere to tell of it
	g.pause.Reset(logPause)
}

func (g *batchWriter) flush() error {
	_, err := g.out.Write(g.lines)
	g.lines = g.lines[:0]
	return err
}

// Close writes what is gathered. Lines that come later are written at once.
func (g *batchWriter) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return g.flush()
}
