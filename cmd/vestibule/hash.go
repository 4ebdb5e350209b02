package main

import (
	"os"
	"os/exec"

	"vestibule/app/password"
)

type hash struct{}

// Run answers a password.Process, on the standard input and output, until that is
// done.
func (hash) Run() error { return password.ServeEngine(os.Stdin, os.Stdout) }

// hashCommand starts program as such a process. It gets no environment: it needs
// none of our secrets.
func hashCommand(program string) *exec.Cmd {
	cmd := exec.Command(program, "hash") // #nosec G204 -- the program that runs already
	cmd.Env = []string{}
	cmd.Stderr = os.Stderr
	return cmd
}
