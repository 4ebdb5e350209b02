package main

import (
	"io"
	"log/slog"

	"vestibule/app"
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
