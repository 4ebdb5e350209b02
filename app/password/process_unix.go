//go:build unix

package password

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// niceness is how far the process steps back: a quarter of a core stays for it when
// others want them all, as it is to answer then too.
const niceness = 5

// startInBackground starts cmd in a session of its own: out of reach of the Ctrl-C
// that has the site finish its requests first, and able to stepBack from all.
func startInBackground(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// stepBack gives this process a low priority, which it does not begin with: on a
// busy machine it would take long to start. Linux shares the cores between sessions
// first, by the niceness of each, and regards that of a process within its session
// only (sched(7), autogroup).
func stepBack() {
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness) // of all its threads; on failure it stays an equal
	_ = os.WriteFile("/proc/self/autogroup", strconv.AppendInt(nil, niceness, 10), 0o600)
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
