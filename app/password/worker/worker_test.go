//go:build unix

package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app/password"
	"vestibule/app/password/worker"
)

// serveWorker, in the environment, makes the test's program the other process.
const serveWorker = "SERVE_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(serveWorker) == "" {
		os.Exit(m.Run())
	}
	if err := worker.Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// fixture is a worker.Process with what it logs and starts.
type fixture struct {
	*testing.T
	*worker.Process

	mu      sync.Mutex
	log     bytes.Buffer
	command func() *exec.Cmd
	started []*exec.Cmd
}

// newProcess returns a Process that starts what command returns, or the test's
// program if that is nil. When the test ends, it ends too.
func newProcess(t *testing.T, timeout time.Duration, command func() *exec.Cmd) *fixture {
	t.Helper()
	f := &fixture{T: t, command: command}
	if command == nil {
		f.command = f.serves
	}
	f.Process = worker.New(func() *exec.Cmd {
		f.mu.Lock()
		defer f.mu.Unlock()
		cmd := f.command()
		f.started = append(f.started, cmd)
		return cmd
	}, timeout, slog.New(slog.NewTextHandler(f, nil)))
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		for _, cmd := range f.started {
			if cmd.Process != nil && cmd.ProcessState == nil {
				t.Errorf("process %d still runs", cmd.Process.Pid)
			}
		}
	})
	return f
}

// serves is a command that serves.
func (f *fixture) serves() *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(f.Context()), os.Args[0])
	cmd.Env = []string{serveWorker + "=yes"}
	cmd.Stderr = os.Stderr
	return cmd
}

// Write takes a line of the log.
func (f *fixture) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Write(line)
}

// logged returns the lines so far.
func (f *fixture) logged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Split(strings.TrimSuffix(f.log.String(), "\n"), "\n")[:strings.Count(f.log.String(), "\n")]
}

// wantsStarted compares how many processes were started.
func (f *fixture) wantsStarted(want int) {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.started) != want {
		f.Errorf("%d processes were started, want %d", len(f.started), want)
	}
}

// hashesMany hashes many passwords at once, and calls meanwhile in between.
func (f *fixture) hashesMany(meanwhile func()) {
	f.Helper()
	params := password.DefaultParams
	params.Iterations = 4 // so that it takes a while
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			hash, err := f.Create(fmt.Sprint("password ", i), params)
			if err != nil {
				f.Error(err)
				return
			}
			for j := range 2 {
				if match, err := f.Compare(fmt.Sprint("password ", i+j), hash); err != nil || match != (j == 0) {
					f.Errorf("%s: %v (%v)", hash, match, err)
				}
			}
		})
	}
	meanwhile()
	group.Wait()
}

func TestProcess(t *testing.T) {
	t.Parallel()
	f := newProcess(t, time.Minute, nil)
	f.hashesMany(func() {})
	params := password.DefaultParams
	there, err := f.Create("over there", params)
	if err != nil {
		t.Fatal(err)
	}
	if match, err := password.Here.Compare("over there", there); !match || err != nil {
		t.Errorf("the hash of the process does not match here (%v)", err)
	}
	here, err := password.Here.Create("over here", params)
	if err != nil {
		t.Fatal(err)
	}
	if match, err := f.Compare("over here", here); !match || err != nil {
		t.Errorf("a hash made here does not match in the process (%v)", err)
	}
	if _, err := f.Compare("anything", "no hash"); err == nil {
		t.Error("no hash compares")
	}
	f.wantsStarted(1)
	if lines := f.logged(); len(lines) > 0 {
		t.Errorf("it logged %q", lines)
	}
}

// TestProcessIsReplaced kills the process at work, and closes it.
func TestProcessIsReplaced(t *testing.T) {
	t.Parallel()
	f := newProcess(t, time.Minute, nil)
	if _, err := f.Compare("anything", "no hash"); err == nil { // it serves by now
		t.Error("no hash compares")
	}
	f.hashesMany(func() {
		if err := f.started[0].Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	f.wantsStarted(2)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	f.hashesMany(func() {})
	f.wantsStarted(3)
	if lines := f.logged(); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "died") || !strings.Contains(lines[0], "signal: killed") {
		t.Errorf("it logged %q, want one line that says how the process died", lines)
	}
}

// TestProcessFails has processes that never answer: passwords are hashed all the
// same, with one line in the log, and no process is started for each of them.
func TestProcessFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command func(*fixture) *exec.Cmd
		timeout time.Duration
		starts  int
		says    string
	}{
		"no such program": {command: func(f *fixture) *exec.Cmd {
			return exec.CommandContext(f.Context(), "/nowhere")
		}, starts: 1, says: "no such file"},
		"ends at once": {command: func(f *fixture) *exec.Cmd {
			return exec.CommandContext(f.Context(), "false")
		}, starts: 2, says: "exit status 1"},
		"hangs": {command: func(f *fixture) *exec.Cmd {
			return exec.CommandContext(f.Context(), "sleep", "1000")
		}, timeout: 100 * time.Millisecond, starts: 1, says: "signal: killed"},
		"too little address space": {command: func(f *fixture) *exec.Cmd {
			cmd := f.serves()
			cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "ulimit -v 50000; exec " + os.Args[0]}
			cmd.Stderr = nil // it says much
			return cmd
		}, starts: 2, says: "err="}, // by its exit or, with the race detector, a signal
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.timeout == 0 {
				test.timeout = time.Minute
			}
			var f *fixture
			f = newProcess(t, test.timeout, func() *exec.Cmd { return test.command(f) })
			hash, err := f.Create("anything", password.DefaultParams)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if match, err := f.Compare("anything", hash); !match || err != nil {
					t.Errorf("%s: %v (%v)", hash, match, err)
				}
			}
			if _, err := f.Compare("anything", "no hash"); err == nil {
				t.Error("no hash compares")
			}
			f.hashesMany(func() {})
			f.wantsStarted(test.starts)
			if lines := f.logged(); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], test.says) {
				t.Errorf("it logged %q", lines)
			}
		})
	}
}

// TestProcessRecovers has a process that fails, and later one that serves.
func TestProcessRecovers(t *testing.T) {
	t.Parallel()
	var f *fixture
	f = newProcess(t, time.Minute, func() *exec.Cmd {
		if len(f.started) < 4 {
			return exec.CommandContext(f.Context(), "false")
		}
		return f.serves()
	})
	f.SetTimes(time.Minute, 0)
	for range 4 {
		if _, err := f.Create("anything", password.DefaultParams); err != nil {
			t.Fatal(err)
		}
	}
	f.wantsStarted(5)
	if lines := f.logged(); len(lines) != 2 || !strings.Contains(lines[1], "works again") {
		t.Errorf("it logged %q", lines)
	}
}

// TestProcessIsIdle waits for the end of a process that has nothing to do.
func TestProcessIsIdle(t *testing.T) {
	t.Parallel()
	f := newProcess(t, time.Minute, nil)
	f.hashesMany(func() {})
	f.SetTimes(time.Millisecond, 0)
	if _, err := f.Compare("anything", "no hash"); err == nil {
		t.Error("no hash compares")
	}
	for deadline := time.Now().Add(time.Minute); f.Running(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it still runs")
		}
	}
	f.SetTimes(time.Minute, 0)
	f.hashesMany(func() {})
	f.wantsStarted(2)
	if lines := f.logged(); len(lines) > 0 {
		t.Errorf("it logged %q", lines)
	}
}
