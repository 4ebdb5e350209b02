package main

import (
	"context"
	"fmt"
	"log/slog"

	"vestibule/app"
	"vestibule/models"
)

// open opens the database at DATABASE_URL.
func open(ctx context.Context, config *app.Config) (*models.DB, error) {
	db, err := models.Open(ctx, config.DatabaseURL, config.DatabaseConns)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return db, nil
}

// onDatabase opens the database, migrates or checks its schema, and runs f on it.
func onDatabase(ctx context.Context, config *app.Config, log *slog.Logger, f func(db *models.DB) error) error {
	db, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrateOrCheck(ctx, config, db, log); err != nil {
		return err
	}
	return f(db)
}
