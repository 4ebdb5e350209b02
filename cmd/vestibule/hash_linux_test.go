package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"vestibule/app/apptest"
)

// hasher is the process that hashes for the site.
func (s *site) hasher(t *testing.T) int {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, list := range lists {
		some, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has ended
		}
		children = append(children, strings.Fields(string(some))...)
	}
	if len(children) != 1 {
		t.Fatalf("the site has the children %q", children)
	}
	pid, err := strconv.Atoi(children[0])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestHashProcess looks at the process that hashes, and has it end in every way.
func TestHashProcess(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		path := filepath.Join(t.TempDir(), "vestibule")
		if err := os.Link(program, path); err != nil {
			t.Fatal(err)
		}
		s := serveProgram(t, path, nil, "DATABASE_URL="+database)
		s.signUp(apptest.Anna)
		signsIn := func() {
			t.Helper()
			c := s.caller(t)
			c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
		}
		signsIn()
		first := s.hasher(t)
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", first))
		if err != nil || len(environ) > 0 {
			t.Errorf("it knows %q (%v)", environ, err)
		}
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", first)); err != nil || string(name) != "vestibule-hash\n" {
			t.Errorf("it is called %q (%v)", name, err)
		}
		if group, err := os.ReadFile(fmt.Sprintf("/proc/%d/autogroup", first)); err == nil && !strings.HasSuffix(string(group), " nice 5\n") { // a kernel may have none
			t.Errorf("its session is %q", group)
		}
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", first))
		if err != nil || len(threads) < 2 {
			t.Errorf("its threads are %q (%v)", threads, err)
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread + "/stat")
			if err != nil {
				continue // it has ended
			}
			_, fields, _ := strings.Cut(string(stat), ") ") // proc(5): state is the third
			if nice := strings.Fields(fields)[19-3]; nice != "5" {
				t.Errorf("a thread has niceness %s", nice)
			}
		}

		if err := syscall.Kill(first, syscall.SIGTERM); err != nil { // as to all processes of a service
			t.Fatal(err)
		}
		signsIn()
		if got := s.hasher(t); got != first {
			t.Error("it ends before the site does")
		}
		// It needs no settings, and may be needed while the next version comes.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.cmd.Dir, ".env"), []byte("neither a name nor a value"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		signsIn()
		second := s.hasher(t)
		if second == first {
			t.Error("it lives on")
		}
		s.kill()
		if !waitFor(func() bool { return syscall.Kill(second, 0) != nil }) {
			t.Error("it outlives the site")
		}
	})
}
