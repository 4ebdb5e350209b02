package main

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// acceptLogEvery is how often the log says that no connection can be accepted.
const acceptLogEvery = time.Minute

// watchedListener tells the log, and /readyz, that connections can't be accepted, as when
// the process has no file descriptor left.
type watchedListener struct {
	net.Listener
	log *slog.Logger

	mu     sync.Mutex
	err    error // of the last Accept
	said   time.Time
	failed int // since the last line in the log
}

// Accept is that of [net.Listener].
func (l *watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if !errors.Is(err, net.ErrClosed) {
		l.note(err)
	}
	return conn, err
}

func (l *watchedListener) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		if l.err != nil {
			l.log.Info("connections are accepted again")
		}
		l.err = nil
		return
	}
	l.err = err
	l.failed++
	if time.Since(l.said) >= acceptLogEvery {
		l.log.Error("connections can't be accepted", "err", err, "count", l.failed)
		l.said, l.failed = time.Now(), 0
	}
}

// lastError returns the error of the last Accept, or nil if it worked.
func (l *watchedListener) lastError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
