package migrations

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"

	"github.com/uptrace/bun/migrate"
)

// create creates the tables that record which migrations ran. The checksums have one of
// their own, because the other is Bun's.
func create(ctx context.Context, m *migrate.Migrator) error {
	if err := m.Init(ctx); err != nil {
		return err
	}
	_, err := m.DB().ExecContext(ctx, "CREATE TABLE IF NOT EXISTS migration_checksums (name VARCHAR PRIMARY KEY, checksum VARCHAR NOT NULL)")
	return err
}

// checkSums returns an error if a migration was changed after it ran here. It records
// the checksums of migrations that an earlier version of the program ran.
func checkSums(ctx context.Context, m *migrate.Migrator, files fs.FS) error {
	changed, err := changedSince(ctx, m, files)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		return fmt.Errorf("the migration %s was changed after it ran here: restore its file, and write another migration for the change. "+
			"While you develop it, revert it with vestibule migrate down instead", strings.Join(changed, ", "))
	}
	sums, err := recordedSums(ctx, m)
	if err != nil {
		return err
	}
	all, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return err
	}
	for _, s := range all.Applied() {
		if sums[s.Name] != "" {
			continue
		}
		sum, err := sumOf(files, s.Name)
		if err != nil {
			return err
		}
		if _, err := m.DB().ExecContext(ctx, insertSum(s.Name, sum)); err != nil {
			return err
		}
	}
	return nil
}

// changedSince lists the numbers of the migrations that were changed after they ran.
func changedSince(ctx context.Context, m *migrate.Migrator, files fs.FS) ([]string, error) {
	sums, err := recordedSums(ctx, m)
	if err != nil {
		return nil, err
	}
	all, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, s := range all {
		sum, err := sumOf(files, s.Name)
		if err != nil {
			return nil, err
		}
		if s.IsApplied() && sums[s.Name] != "" && sums[s.Name] != sum {
			changed = append(changed, s.Name)
		}
	}
	return changed, nil
}

func recordedSums(ctx context.Context, m *migrate.Migrator) (map[string]string, error) {
	var rows []struct{ Name, Checksum string }
	if err := m.DB().NewSelect().Table("migration_checksums").Scan(ctx, &rows); err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, row := range rows {
		sums[row.Name] = row.Checksum
	}
	return sums, nil
}

// insertSum returns a query. The name and the sum hold only digits and letters.
func insertSum(name, sum string) string {
	return fmt.Sprintf("INSERT INTO migration_checksums (name, checksum) VALUES ('%s', '%s')", name, sum)
}

// sumOf returns the SHA-256 of the file that runs the migration, in hexadecimal. Git may
// have given it the line ends of Windows.
func sumOf(files fs.FS, name string) (string, error) {
	paths, err := fs.Glob(files, name+"_*.up.sql")
	if err != nil || len(paths) != 1 {
		return "", fmt.Errorf("the migration %s has %d files that run it (%w)", name, len(paths), err)
	}
	content, err := fs.ReadFile(files, paths[0])
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
	return hex.EncodeToString(sum[:]), nil
}
