package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"vestibule/app"
)

// logger writes lines for people in development and JSON in production.
func logger(config *app.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(config.LogLevel)) // Config.Validate has checked it
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: shorten}
	if config.Production() {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
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
