package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"vestibule/app"
	"vestibule/migrations"
	"vestibule/models"
)

type migrate struct {
	Up     migrateUp     `cmd:"" help:"Run all pending migrations."`
	Down   migrateDown   `cmd:"" help:"Revert the latest migration."`
	Status migrateStatus `cmd:"" help:"List migrations and when they ran."`
	Create migrateCreate `cmd:"" help:"Create a pair of empty migration files."`
}

type (
	migrateUp   struct{}
	migrateDown struct {
		Yes bool `help:"Don't ask for confirmation."`
	}
	migrateStatus struct{}
	migrateCreate struct {
		Name string `arg:"" help:"What the migration does, in lower case with underscores, such as add_projects."`
		Dir  string `default:"migrations" help:"Folder for the files, created if missing."`
		NoTx bool   `name:"no-tx" help:"Run each statement by itself, outside a transaction, as CREATE INDEX CONCURRENTLY requires."`
	}
)

func (migrateUp) Run(ctx context.Context, config *app.Config) error {
	db, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	announce(db)
	return report("Ran")(migrations.Up(ctx, db))
}

// Help returns the details that --help prints below the summary.
func (migrateDown) Help() string {
	return "It shows what it would drop. On a terminal, you're asked to confirm. Otherwise --yes is required."
}

func (c migrateDown) Run(ctx context.Context, config *app.Config) error {
	db, err := openExisting(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	announce(db)
	latest, err := migrations.Latest(ctx, db)
	if err != nil {
		return err
	}
	if latest != nil {
		fmt.Fprintf(os.Stderr, "This reverts %s:\n", latest.Name)
		for _, statement := range latest.Drops {
			fmt.Fprintf(os.Stderr, "  %s\n", statement)
		}
		if !c.Yes {
			if err := confirmRevert(ctx); err != nil {
				return err
			}
		}
	}
	return report("Reverted")(migrations.Down(ctx, db))
}

// confirmRevert asks the operator to type yes, and returns an error if they don't.
func confirmRevert(ctx context.Context) error {
	if !onTerminal() {
		return errors.New("reverting a migration can permanently delete data: run it on a terminal to confirm, or pass --yes")
	}
	fmt.Fprint(os.Stderr, "This can't be undone. Type yes to continue: ")
	typed, err := readLine(ctx, bufio.NewReader(os.Stdin))
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) != "yes" {
		return errors.New("nothing was reverted")
	}
	return nil
}

// report prints the names of the migrations that ran.
func report(done string) func(names []string, err error) error {
	return func(names []string, err error) error {
		for _, name := range names {
			fmt.Println(done, name)
		}
		if err == nil && len(names) == 0 {
			fmt.Println("Nothing to do")
		}
		return err
	}
}

func (migrateStatus) Run(ctx context.Context, config *app.Config) error {
	db, err := openExisting(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	announce(db)
	steps, err := migrations.Status(ctx, db)
	if err != nil {
		return err
	}
	table := newTable(os.Stdout)
	for _, s := range steps {
		when := "not yet"
		if !s.At.IsZero() {
			when = formatTime(s.At)
		}
		switch {
		case s.Unknown:
			when += ", by another version of the program"
		case s.Changed:
			when += ", and its file was changed since"
		}
		printCells(table, s.Name, when)
	}
	return table.Flush()
}

func (c migrateCreate) Run() error {
	paths, err := migrations.Create(c.Dir, c.Name, !c.NoTx)
	for _, path := range paths {
		fmt.Println("Created", path)
	}
	return err
}

// migrateOrCheck migrates the database in development. In production it returns an
// error if the schema is out of date, because there migrating is a separate step.
func migrateOrCheck(ctx context.Context, config *app.Config, db *models.DB, log *slog.Logger) error {
	if !config.Production() {
		if pending, err := migrations.Pending(ctx, db); err == nil && !pending { // the usual case: Up would open another connection
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

// migrated returns an error if a migration has not run yet.
func migrated(ctx context.Context, db *models.DB) error {
	pending, err := migrations.Pending(ctx, db)
	const toDo = "the database schema is out of date: run vestibule migrate up first"
	if err != nil { // such as when the table of migrations is missing
		return fmt.Errorf(toDo+" (%w)", err)
	}
	if pending {
		return errors.New(toDo)
	}
	return nil
}
