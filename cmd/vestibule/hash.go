package main

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"vestibule/app/password"
)

// hashCommand is the command line on which serve starts a process of its own, not
// for people.
const hashCommand = "hash"

// maxHashing is how long that may take with one password, which is seconds for the
// dearest on an idle machine. A request still has time to ask again.
const maxHashing = 15 * time.Second

// hash answers a password.Process, on the standard input and output, until that is
// done. A SIGTERM, which all processes of a service may get, is for the site.
func hash() error {
	signal.Ignore(syscall.SIGTERM)
	_ = os.WriteFile("/proc/self/comm", []byte("vestibule-hash"), 0o600) // for top and the system's log, on Linux
	return password.ServeEngine(os.Stdin, os.Stdout)
}

// hashProcess starts the program as such a process. It gets no environment: it needs
// none of our secrets.
func hashProcess() (*password.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	path := program
	if runtime.GOOS == "linux" {
		path = "/proc/self/exe" // is there, and the same, even when a new version has taken its place
	}
	return password.NewProcess(func() *exec.Cmd {
		cmd := exec.Command(path) // #nosec G204 -- the program that runs already
		cmd.Args = []string{program, hashCommand}
		cmd.Env = []string{}
		cmd.Stderr = os.Stderr
		return cmd
	}, maxHashing), nil
}
