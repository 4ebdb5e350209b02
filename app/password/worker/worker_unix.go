//go:build unix

package worker

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// niceness leaves a quarter of a core to the process when others want them all. On
// a quiet machine a dashboard's p99 in a storm is 5.6 ms with it, 6.1 without.
const niceness = 5

// detach gives cmd a session of its own: out of reach of the Ctrl-C that lets the
// site finish its requests, and a scheduling group that can step back.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// stepBack lowers the priority of this process. Linux shares the cores between
// sessions first, by the niceness of each (sched(7), autogroup).
func stepBack() {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness) // of all threads; on failure it stays an equal
	_ = os.WriteFile("/proc/self/autogroup", strconv.AppendInt(nil, niceness, 10), 0o600)
}
