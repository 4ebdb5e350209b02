package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"vestibule/app"
	"vestibule/models"
)

// open opens the database at DATABASE_URL. It creates a missing SQLite file.
func open(ctx context.Context, config *app.Config) (*models.DB, error) {
	db, err := models.Open(ctx, config.DatabaseURL, config.DatabaseConns)
	return asSite(config, db, err)
}

// openExisting opens the database at DATABASE_URL for a command or a site in
// production. It doesn't create a SQLite file, which would be the wrong one.
func openExisting(ctx context.Context, config *app.Config) (*models.DB, error) {
	db, err := models.OpenExisting(ctx, config.DatabaseURL, config.DatabaseConns)
	db, err = asSite(config, db, err)
	if errors.Is(err, models.ErrNoFile) {
		return nil, fmt.Errorf("%w: set DATABASE_URL, or run vestibule migrate up to create it", err)
	}
	return db, err
}

// asSite returns db as the site sees it, or the error of opening it.
func asSite(config *app.Config, db *models.DB, err error) (*models.DB, error) {
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	return db.ForUsernames(config.Usernames), nil
}

// announce tells the operator which database a command works on.
func announce(db *models.DB) { fmt.Fprintln(os.Stderr, "Database:", plain(db.Name())) }

// onDatabase opens the database, checks its schema, and runs f on it. It changes no
// schema.
func onDatabase(ctx context.Context, config *app.Config, f func(db *models.DB) error) error {
	db, err := openExisting(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	announce(db)
	if err := migrated(ctx, db); err != nil {
		return err
	}
	return f(db)
}
