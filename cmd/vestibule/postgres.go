package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"vestibule/app"
	"vestibule/models"
)

// sqlitePath returns the path of the SQLite file, or false if the database is PostgreSQL.
func sqlitePath(config *app.Config) (string, bool) {
	rest, ok := strings.CutPrefix(config.DatabaseURL, "sqlite:")
	return strings.TrimPrefix(rest, "//"), ok
}

// postgresTool runs a program of PostgreSQL, such as pg_dump, on the database. It gives
// it the URL's parts in the environment, because everybody can read the arguments of a
// process.
func postgresTool(ctx context.Context, databaseURL, name string, args ...string) error {
	program, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is not installed: install PostgreSQL's client programs, such as the package postgresql-client, in the version of the server or a newer one", name)
	}
	settings, err := models.PostgresEnvironment(databaseURL)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--no-password"}, args...)...) // #nosec G204 -- the names are constants
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "PG") { // the site does not follow them either
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, settings...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, strings.TrimSpace(said.String()))
	}
	return nil
}
