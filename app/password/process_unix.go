//go:build unix

package password

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// niceness is how far the process steps back: a tenth of a core stays for it when
// others want them all, as it is to start and to answer then too.
const niceness = 10

// startInBackground starts cmd at a low priority, and out of reach of the Ctrl-C
// that has the site finish its requests first. It gets a session of its own:
// Linux shares the cores between sessions first, by the niceness of each, and
// regards that of a process within its session only (sched(7), autogroup).
func startInBackground(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = syscall.Setpriority(syscall.PRIO_PGRP, cmd.Process.Pid, niceness) // of all its threads; else it is an equal
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid), strconv.AppendInt(nil, niceness, 10), 0o600)
	return nil
}

// polled returns f such that who reads waits in the poller of the runtime. One
// who waits in the system keeps a processor from the hashes, for up to 20 ms,
// until the scheduler takes it back.
func polled(f *os.File) *os.File {
	fd := f.Fd()
	if syscall.SetNonblock(int(fd), true) != nil {
		return f
	}
	return os.NewFile(fd, f.Name())
}
