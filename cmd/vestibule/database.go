package main

import (
	"context"
	"fmt"
	"log/slog"

	"vestibule/app"
	"vestibule/models"
)

func open(ctx context.Context, config *app.Config) (*models.DB, error) {
	db, err := models.Open(ctx, config.DatabaseURL, config.DatabaseConns)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return db, nil
}

// onDatabase runs f on the database, whose schema is up to date.
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
