//go:build unix

package worker

import (
	"os/exec"
	"syscall"
)

// detach runs cmd in its own session, which Ctrl-C doesn't reach, so the site can
// finish its requests. Linux also shares the cores between sessions (sched(7),
// autogroup), so hashes can't take those of the pages.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
