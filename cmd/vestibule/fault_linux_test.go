package main_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// TestDiskFull fills the disk under SQLite: what reads goes on, what writes is
// refused whole, and there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(t *testing.T, s *site, dir string) (free func()){
		"no space":    fillDisk,
		"files limit": limitFiles,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if name == "no space" {
				dir = smallDisk(t)
			}
			database := "sqlite:" + filepath.Join(dir, "test.db")
			office := apptest.StartMailServer(t)
			s := serve(t, append(unlimited, "DATABASE_URL="+database, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com")...)
			s.mayFail = true
			member := s.caller(t)
			member.wants(member.post("/sign-up", apptest.Anna.Form()), "sign-up", http.StatusSeeOther)

			users, refused := 1, 0
			signUp := func(n int) {
				c := s.caller(t)
				got := c.post("/sign-up", apptest.Nth(n).Form())
				c.wants(got, "sign-up", http.StatusSeeOther, http.StatusServiceUnavailable)
				if got.status == http.StatusSeeOther {
					users++
				} else {
					refused++
				}
			}
			free := fill(t, s, dir)
			for n := 0; refused < 5 && n < 200; n++ { // the last blocks take some more
				signUp(n)
			}
			if refused == 0 {
				t.Fatal("the disk is not full")
			}
			for _, path := range []string{"/dashboard", "/account", "/account/sessions", "/account/activity"} {
				member.wantsStatus(member.get(path), path, http.StatusOK)
			}
			probe := s.caller(t)
			for _, path := range []string{"/", "/sign-in", "/sign-up", "/healthz"} {
				probe.wantsStatus(probe.get(path), path, http.StatusOK)
			}
			member.wants(member.post("/account", annaKing.Form()), "/account", http.StatusServiceUnavailable, http.StatusSeeOther)
			if !waitFor(func() bool { return probe.get("/readyz").status == http.StatusServiceUnavailable }) {
				t.Error("it stays ready")
			}

			free()
			if !waitFor(func() bool { return probe.get("/readyz").status == http.StatusOK }) {
				t.Error("it does not become ready again")
			}
			for n := range 20 {
				before := users
				signUp(1000 + n)
				if users != before+1 {
					t.Error("there is room again, and no sign-up")
				}
			}
			member.wants(member.post("/account", annaKing.Form()), "/account", http.StatusSeeOther)
			s.stop()

			db := modelstest.Open(t, database)
			var sound string
			if err := db.Bun().NewRaw("PRAGMA integrity_check").Scan(t.Context(), &sound); err != nil || sound != "ok" {
				t.Errorf("the file is %q (%v)", sound, err)
			}
			stored := len(wholeUsers(t, db, office))
			if stored < users || stored > users+refused { // a user may have been stored, and then no session
				t.Errorf("%d users are stored, %d were told so and %d refused", stored, users, refused)
			}
			t.Logf("%d sign-ups told of, %d refused, %d users stored", users, refused, stored)
		})
	}
}

// smallDisk is a file system of a few megabytes. Where the test may not mount
// one, a folder is as good: TestDiskFull then limits the files in it.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("vestibule", dir, "tmpfs", 0, "size=6m"); err != nil {
		return dir
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// room is what the full disk still takes, so that it is full amid a sign-up.
const room = 64 << 10

// fillDisk writes a file that takes what is left.
func fillDisk(t *testing.T, s *site, dir string) (free func()) {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type != unix.TMPFS_MAGIC || fs.Blocks*uint64(fs.Bsize) > 16<<20 {
		return limitFiles(t, s, dir)
	}
	file := filepath.Join(dir, "filler")
	err := os.WriteFile(file, bytes.Repeat([]byte("x"), 16<<20), 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk does not fill: %v", err)
	}
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, info.Size()-room)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// limitFiles lets no file of the program grow much beyond the largest of now.
func limitFiles(t *testing.T, s *site, dir string) (free func()) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var largest int64
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	set := func(limit uint64) {
		if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(uint64(largest) + room)
	return func() { set(unix.RLIM_INFINITY) }
}
