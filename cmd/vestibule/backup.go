package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"vestibule/app"
)

// backup is the command that copies the database to a file.
type backup struct {
	File    string `arg:"" help:"File to write, in an existing folder."`
	Replace bool   `help:"Replace the file if it exists."`
}

// Help returns the details that --help prints below the summary.
func (backup) Help() string {
	return "The site may run meanwhile: the file holds the database as it is at one moment. Only you can read the file. " +
		"It holds people's addresses and the hashes of their passwords, so protect it like the database itself. " +
		"On PostgreSQL, the command runs pg_dump."
}

func (c backup) Run(ctx context.Context, config *app.Config) error {
	if err := c.check(); err != nil {
		return err
	}
	db, err := openExisting(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	announce(db)
	file, err := os.CreateTemp(filepath.Dir(c.File), ".backup-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // after an error
	if err := file.Close(); err != nil {
		return err
	}
	if db.Postgres() {
		err = postgresTool(ctx, config.DatabaseURL, "pg_dump", "--format=custom", "--file="+file.Name())
	} else {
		err = db.BackUp(ctx, file.Name())
	}
	if err != nil {
		return fmt.Errorf("no backup was made: %w", err)
	}
	info, err := syncFile(file.Name())
	if err != nil {
		return err
	}
	if err := c.check(); err != nil { // somebody may have written it meanwhile
		return err
	}
	if err := os.Rename(file.Name(), c.File); err != nil {
		return err
	}
	fmt.Printf("Wrote %s with %d bytes\n", plain(c.File), info.Size())
	return nil
}

// check returns an error if the file exists and may not be replaced.
func (c backup) check() error {
	_, err := os.Lstat(c.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !c.Replace:
		return fmt.Errorf("%s exists: choose another name, or pass --replace", plain(c.File))
	}
	return err
}

// syncFile waits until the file is on the disk.
func syncFile(path string) (fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return nil, err
	}
	return file.Stat()
}
