//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// writability returns a function that waits until f takes bytes without blocking, and
// reports whether it does. A regular file always does.
func writability(f *os.File) func(wait time.Duration) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return func(time.Duration) bool { return true }
	}
	return func(wait time.Duration) bool {
		fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLOUT}} // #nosec G115 -- descriptors are small
		for end := time.Now().Add(wait); ; wait = time.Until(end) {
			n, err := unix.Poll(fds, int(max(0, wait).Milliseconds()))
			if !errors.Is(err, unix.EINTR) {
				return err != nil || n > 0
			}
		}
	}
}

// ignoreSignals keeps SIGPIPE from ending the site when the reader of the log has gone,
// and SIGHUP, by which many ask a service to reload. On a terminal SIGHUP still ends it,
// because it says that the terminal was closed.
func ignoreSignals() {
	signal.Ignore(syscall.SIGPIPE)
	if !onTerminal() {
		signal.Ignore(syscall.SIGHUP)
	}
}
