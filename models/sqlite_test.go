package models_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestSQLiteFileIsPrivate opens files in a folder that everybody can read.
func TestSQLiteFileIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such rights here")
	}
	for name, test := range map[string]struct{ before, after os.FileMode }{
		"new":                  {0, 0o600},
		"readable by all":      {0o644, 0o600},
		"writable by all":      {0o666, 0o600},
		"readable by a group":  {0o640, 0o640},
		"readable by its own ": {0o600, 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- as a folder that existed
				t.Fatal(err)
			}
			path := filepath.Join(dir, "vestibule.db")
			if test.before != 0 {
				if err := os.WriteFile(path, nil, test.before); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path, test.before); err != nil { // regardless of the umask
					t.Fatal(err)
				}
			}
			db := modelstest.Open(t, "sqlite:"+path)
			if _, err := migrations.Up(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{path, path + "-wal", path + "-shm"} {
				info, err := os.Stat(file)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode().Perm(); got != test.after {
					t.Errorf("%s has mode %o, want %o", filepath.Base(file), got, test.after)
				}
			}
		})
	}
}

// TestDeletedPeopleLeaveTheFile reads the bytes of the files after a deletion and a purge.
func TestDeletedPeopleLeaveTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vestibule.db")
	db := modelstest.Open(t, "sqlite:"+path)
	if _, err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	other := modelstest.Open(t, "sqlite:"+path) // keeps the write-ahead log in place
	newUser(t, other, "other.person")
	anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "ben.jones")
	for _, u := range []*models.User{anna, ben} {
		u.LastName = "Zuvok" + u.Username
		if err := db.UpdateProfile(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // on pages of their own
			o := &models.Organization{Name: strings.Repeat(u.LastName+" ", 500), Slug: fmt.Sprint(u.Username[:3], i)}
			if err := db.CreateOrganization(t.Context(), o, u); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.DeleteUser(t.Context(), anna); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Purge(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + "-wal"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(content, []byte("Zuvokanna")); n > 0 {
			t.Errorf("%s holds a deleted person %d times", filepath.Base(file), n)
		}
		if file == path && !bytes.Contains(content, []byte("Zuvokben")) {
			t.Error("it holds nobody")
		}
	}
	newUser(t, db, "carol.jones") // the pool works
}
