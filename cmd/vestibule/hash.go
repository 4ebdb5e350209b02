package main

import (
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"vestibule/app/password/worker"
)

// hashCommand is the command line on which serve starts a process of its own, not
// for people.
const hashCommand = "hash"

// hashTimeout is how long that process may take with one password. The dearest
// takes seconds on an idle machine, and a request has 30.
const hashTimeout = 15 * time.Second

// hash answers a worker.Process on the standard input and output, until the site
// ends it. It ignores a SIGTERM, which all processes of a service may get: that is
// for the site.
func hash() error {
	signal.Ignore(syscall.SIGTERM)
	_ = os.WriteFile("/proc/self/comm", []byte("vestibule-hash"), 0o600) // for top and the system's log, on Linux
	return worker.Serve(os.Stdin, os.Stdout)
}

// hashProcess starts the program as such a process. It gets no environment, since
// it needs none of our secrets.
func hashProcess(log *slog.Logger) *worker.Process {
	return worker.New(func() *exec.Cmd {
		program, err := os.Executable()
		if err != nil {
			program = os.Args[0]
		}
		path := program
		if runtime.GOOS == "linux" {
			path = "/proc/self/exe" // the same program even after a new version has taken its place
		}
		cmd := exec.Command(path) // #nosec G204 G702 -- the program that runs already
		cmd.Args = []string{program, hashCommand}
		cmd.Env = []string{}
		cmd.Stderr = os.Stderr
		return cmd
	}, hashTimeout, log)
}
