package password_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"vestibule/app/password"
)

// serveEngine, in the environment, makes the test's program the other process.
const serveEngine = "SERVE_ENGINE"

func TestMain(m *testing.M) {
	if os.Getenv(serveEngine) == "" {
		os.Exit(m.Run())
	}
	if err := password.ServeEngine(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// processes are those that a password.Process has started.
type processes struct {
	mu      sync.Mutex
	started []*exec.Cmd
}

// newProcess returns a Process that the test ends.
func newProcess(t *testing.T) (*password.Process, *processes) {
	t.Helper()
	ps := new(processes)
	p := password.NewProcess(func() *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
		cmd.Env = []string{serveEngine + "=yes"}
		cmd.Stderr = new(bytes.Buffer)
		ps.mu.Lock()
		defer ps.mu.Unlock()
		ps.started = append(ps.started, cmd)
		return cmd
	}, time.Minute)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		ps.mu.Lock()
		defer ps.mu.Unlock()
		for _, cmd := range ps.started {
			if cmd.ProcessState == nil {
				t.Errorf("process %d still runs", cmd.Process.Pid)
			}
			if said := cmd.Stderr.(*bytes.Buffer).String(); said != "" {
				t.Errorf("process %d said %q", cmd.Process.Pid, said)
			}
		}
	})
	return p, ps
}

// many hashes many passwords at once, and calls meanwhile in between.
func many(t *testing.T, e password.Engine, meanwhile func()) {
	t.Helper()
	params := password.DefaultParams
	params.Iterations = 4 // so that there is a while
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			hash, err := e.Create(fmt.Sprint("password ", i), params)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 2 {
				if match, err := e.Compare(fmt.Sprint("password ", i+j), hash); err != nil || match != (j == 0) {
					t.Errorf("%s: %v (%v)", hash, match, err)
				}
			}
		})
	}
	meanwhile()
	group.Wait()
}

func TestProcess(t *testing.T) {
	t.Parallel()
	p, ps := newProcess(t)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	many(t, p, func() {})
	params := password.DefaultParams
	there, err := p.Create("over there", params)
	if err != nil {
		t.Fatal(err)
	}
	if match, err := password.Here.Compare("over there", there); !match || err != nil {
		t.Errorf("what the process hashed does not match here (%v)", err)
	}
	here, err := password.Here.Create("over here", params)
	if err != nil {
		t.Fatal(err)
	}
	if match, err := p.Compare("over here", here); !match || err != nil {
		t.Errorf("what was hashed here does not match in the process (%v)", err)
	}
	if _, err := p.Compare("anything", "no hash"); err == nil {
		t.Error("no hash compares")
	}
	if len(ps.started) != 1 {
		t.Errorf("%d processes ran", len(ps.started))
	}
}

func TestProcessEnds(t *testing.T) {
	t.Parallel()
	p, ps := newProcess(t)
	many(t, p, func() {
		for started := 0; started == 0; {
			ps.mu.Lock()
			started = len(ps.started)
			ps.mu.Unlock()
		}
		if _, err := p.Compare("anything", "no hash"); err == nil { // it serves by now
			t.Error("no hash compares")
		}
		if err := ps.started[0].Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	if len(ps.started) != 2 {
		t.Errorf("%d processes ran", len(ps.started))
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	many(t, p, func() {})
	if len(ps.started) != 3 {
		t.Errorf("%d processes ran", len(ps.started))
	}
}

func TestProcessDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		program string
		starts  bool
	}{
		"no program":      {"/nowhere", false},
		"another program": {"true", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := password.NewProcess(func() *exec.Cmd { return exec.CommandContext(t.Context(), test.program) }, time.Minute)
			if err := p.Start(); (err == nil) != test.starts || err != nil && !errors.Is(err, password.ErrUnavailable) {
				t.Errorf("start: %v", err)
			}
			if hash, err := p.Create("anything", password.DefaultParams); !errors.Is(err, password.ErrUnavailable) {
				t.Errorf("the hash is %q (%v)", hash, err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
