package worker

import "time"

// SetTimes shortens the times that a test would wait for.
func (p *Process) SetTimes(idleTimeout, retryAfter time.Duration) {
	p.idleTimeout, p.retryAfter = idleTimeout, retryAfter
}

// Running reports whether there is a process.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remote != nil
}
