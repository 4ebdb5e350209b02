package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"vestibule/app"
	"vestibule/migrations"
	"vestibule/models"
)

type migrate struct {
	Up     migrateUp     `cmd:"" help:"Run the migrations that have not run yet."`
	Down   migrateDown   `cmd:"" help:"Undo the one migration that ran last."`
	Status migrateStatus `cmd:"" help:"List every migration and when it ran."`
	Create migrateCreate `cmd:"" help:"Write a pair of migration files that do nothing yet."`
}

type (
	migrateUp   struct{}
	migrateDown struct {
		Yes bool `help:"Do so in production too."`
	}
	migrateStatus struct{}
	migrateCreate struct {
		Name string `arg:"" help:"What it does, in lower case with underscores, such as add_projects."`
		Dir  string `default:"migrations" help:"The folder to write to, made when it is missing."`
	}
)

func (migrateUp) Run(ctx context.Context, config *app.Config) error {
	return change(ctx, config, "run", migrations.Up)
}

func (c migrateDown) Run(ctx context.Context, config *app.Config) error {
	if config.Production() && !c.Yes {
		return errors.New("to undo a migration can delete data for good: in production it needs --yes")
	}
	return change(ctx, config, "undone", migrations.Down)
}

func change(ctx context.Context, config *app.Config, done string, f func(context.Context, *models.DB) ([]string, error)) error {
	db, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	names, err := f(ctx, db)
	for _, name := range names {
		fmt.Println(done, name)
	}
	if err == nil && len(names) == 0 {
		fmt.Println("nothing to do")
	}
	return err
}

func (migrateStatus) Run(ctx context.Context, config *app.Config) error {
	db, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	steps, err := migrations.Status(ctx, db)
	if err != nil {
		return err
	}
	table := newTable(os.Stdout)
	for _, s := range steps {
		when := "not yet"
		if !s.At.IsZero() {
			when = clock(s.At)
		}
		printCells(table, s.Name, when)
	}
	return table.Flush()
}

func (c migrateCreate) Run() error {
	paths, err := migrations.Create(c.Dir, c.Name)
	for _, path := range paths {
		fmt.Println("created", path)
	}
	return err
}

// migrateOrCheck brings the schema up to date in development. Production does
// not start on an old one: there `vestibule migrate up` is a step of its own.
func migrateOrCheck(ctx context.Context, config *app.Config, db *models.DB, log *slog.Logger) error {
	if !config.Production() {
		if pending, err := migrations.Pending(ctx, db); err == nil && !pending { // as mostly: Up would connect anew
			return nil
		}
		names, err := migrations.Up(ctx, db)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			log.Info("database migrated", "migrations", names)
		}
		return nil
	}
	return migrated(ctx, db)
}

// migrated returns an error when a migration has not run yet.
func migrated(ctx context.Context, db *models.DB) error {
	pending, err := migrations.Pending(ctx, db)
	const toDo = "the database is not up to date: run vestibule migrate up first"
	if err != nil { // as when not even the table of migrations is there
		return fmt.Errorf(toDo+" (%w)", err)
	}
	if pending {
		return errors.New(toDo)
	}
	return nil
}
