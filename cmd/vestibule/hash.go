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

// hashCommand is the internal command that serve runs in a separate process.
const hashCommand = "hash"

// hashTimeout is how long that process may take for one password. The most expensive
// parameters take seconds on an idle machine, and a request has 30.
const hashTimeout = 15 * time.Second

// hash answers a worker.Process on standard input and output until the site ends it.
// It ignores SIGTERM and what the site ignores, which a supervisor may send to every
// process of a service: the site needs it to finish its requests.
func hash() error {
	ignoreSignals()
	signal.Ignore(syscall.SIGTERM)
	_ = os.WriteFile("/proc/self/comm", []byte("vestibule-hash"), 0o600) // the name in top and the system log, on Linux
	return worker.Serve(os.Stdin, os.Stdout)
}

// hashProcess returns a Process that runs this program's hash command. Its environment
// is empty because it needs none of the secrets there.
func hashProcess(log *slog.Logger) *worker.Process {
	return worker.New(func() *exec.Cmd {
		program, err := os.Executable()
		if err != nil {
			program = os.Args[0]
		}
		path := program
		if runtime.GOOS == "linux" {
			path = "/proc/self/exe" // this program, even after an update replaced the file
		}
		cmd := exec.Command(path) // #nosec G204 G702 -- this program itself
		cmd.Args = []string{program, hashCommand}
		cmd.Env = []string{}
		cmd.Stderr = os.Stderr
		return cmd
	}, hashTimeout, log)
}
