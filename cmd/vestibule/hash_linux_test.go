package main_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"vestibule/app/apptest"
)

// children are the processes that the site has started.
func (s *site) children() (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.cmd.Process.Pid))
	for _, list := range lists {
		some, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has ended
		}
		for _, field := range strings.Fields(string(some)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// hasher is the process that hashes for the site.
func (s *site) hasher(t *testing.T) int {
	t.Helper()
	pids := s.children()
	if len(pids) != 1 {
		t.Fatalf("the site has the children %d", pids)
	}
	return pids[0]
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

// TestHashProcessDiesAgainAndAgain ends each process that hashes as soon as there
// is one: nobody notices but the operator.
func TestHashProcessDiesAgainAndAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := serve(t, append(unlimited, "DATABASE_URL="+database)...)
		s.signUp(apptest.Anna)
		ctx, cancel := context.WithCancel(t.Context())
		var killer sync.WaitGroup
		killer.Go(func() {
			for ctx.Err() == nil {
				for _, pid := range s.children() {
					_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
				}
			}
		})
		defer killer.Wait()
		defer cancel()
		const said = "the process that hashes passwords fails"
		if !waitFor(func() bool {
			c := s.caller(t)
			c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
			return s.log.contains(said)
		}) {
			t.Error("the log says nothing")
		}
		cancel()
		killer.Wait()
		for range 3 { // no process is started for them
			c := s.caller(t)
			c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
		}
		if pids := s.children(); len(pids) > 0 {
			t.Errorf("the processes %d run", pids)
		}
		if n := strings.Count(s.log.String(), said); n != 1 {
			t.Errorf("the log says it %d times", n)
		}
	})
}
