//go:build unix

package password

import (
	"os/exec"
	"syscall"
)

// niceness is how far the process steps back, of 19.
const niceness = 10

// startInBackground starts cmd at a low priority, and out of reach of the Ctrl-C
// that has the site finish its requests first.
func startInBackground(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, niceness) // of all its threads; else it is an equal
	return nil
}
