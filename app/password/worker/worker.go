// Package worker hashes passwords in a separate process, which serve starts. You can
// skip it on a first reading: to the rest of the program it is a [password.Engine] like
// [password.Here].
//
// It pays off when many users sign in at once. The system then gives the cores to pages
// first, and the site's garbage collector doesn't run for 19 MiB a password. Measured
// on two cores, compared with hashing in the site's own process:
//
//	                                    SQLite             PostgreSQL
//	dashboard's p99 in such a storm     4.7, not 46 ms     6.5, not 66 ms
//	memory growth, 1,000 sign-ins       122, not 287 MiB   119, not 245 MiB
package worker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"vestibule/app/password"
)

// Process is a [password.Engine] in another process. If that process fails, it hashes
// in this one, so sign-ins still work.
type Process struct {
	command func() *exec.Cmd
	timeout time.Duration
	log     *slog.Logger

	idleTimeout time.Duration // the process ends after this long without a password
	retryAfter  time.Duration // how long to wait after a failure before starting another process
	idle        *time.Timer

	mu      sync.Mutex
	calls   int       // waiting for an answer
	remote  *remote   // nil while no process runs
	failing bool      // since the last answer
	retryAt time.Time // start no process before
}

// remote is a running process.
type remote struct {
	*rpc.Client
	kill func() error
}

// New returns an Engine that runs command when a password needs a process and none
// runs, and ends it after a minute without passwords. The process must call [Serve]. It
// is killed if a password takes longer than timeout.
func New(command func() *exec.Cmd, timeout time.Duration, log *slog.Logger) *Process {
	p := &Process{command: command, timeout: timeout, log: log, idleTimeout: time.Minute, retryAfter: time.Minute}
	p.idle = time.AfterFunc(p.idleTimeout, p.endIfIdle)
	return p
}

// Create is that of [password.Engine]. It returns [password.ErrNoMemory] if the process
// fails and there isn't enough memory here.
func (p *Process) Create(pw string, params argon2id.Params) (hash string, err error) {
	answered, err := p.call("Engine.Create", Job{Password: pw, Params: params}, &hash)
	if !answered {
		if !hasMemory(params.Memory) {
			return "", password.ErrNoMemory
		}
		return password.Here.Create(pw, params)
	}
	return hash, err
}

// Compare is that of [password.Engine]. Its errors are those of Create.
func (p *Process) Compare(pw, hash string) (match bool, err error) {
	answered, err := p.call("Engine.Compare", Job{Password: pw, Hash: hash}, &match)
	if !answered {
		if params, _, _, err := argon2id.DecodeHash(hash); err == nil && !hasMemory(params.Memory) {
			return false, password.ErrNoMemory
		}
		return password.Here.Compare(pw, hash)
	}
	return match, err
}

// Close ends the process after its current passwords.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end()
}

// end is Close for a caller that holds the mutex.
func (p *Process) end() error {
	if p.remote == nil {
		return nil
	}
	defer p.killAfterTimeout(p.remote)()
	err := p.remote.Close()
	p.remote = nil
	return err
}

// count adds n to the calls waiting for an answer. At 0 the process becomes idle.
func (p *Process) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls += n; p.calls == 0 {
		p.idle.Reset(p.idleTimeout)
	}
}

func (p *Process) endIfIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == 0 {
		_ = p.end()
	}
}

// call reports whether the process answered, and returns the error in the answer. It
// replaces a process that has died once.
func (p *Process) call(method string, job Job, result any) (answered bool, err error) {
	p.count(1)
	defer p.count(-1)
	var death error // of a process that another replaces
	for range 2 {
		var r *remote
		if r, err = p.running(); r == nil {
			break
		}
		stop := p.killAfterTimeout(r)
		err = r.Call(method, job, result)
		inTime := stop()
		var failed rpc.ServerError
		if err == nil || errors.As(err, &failed) {
			p.recovered()
			if death != nil {
				p.log.Warn("the process that hashes passwords died, and another replaced it", "err", death)
			}
			return true, err
		}
		death = p.discard(r)
		err = errors.Join(err, death)
		if !inTime {
			err = errors.Join(fmt.Errorf("no answer in %s", p.timeout), err)
			break // another one would take as long
		}
	}
	if err != nil {
		p.failed(err)
	}
	return false, nil
}

// killAfterTimeout kills the process after timeout, which ends every call to it, unless
// it is stopped first.
func (p *Process) killAfterTimeout(r *remote) (stop func() bool) {
	return time.AfterFunc(p.timeout, func() { _ = r.kill() }).Stop
}

// running returns the process, starting it if needed, or nil if it is too early to
// start another.
func (p *Process) running() (*remote, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote != nil || time.Now().Before(p.retryAt) {
		return p.remote, nil
	}
	cmd := p.command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.remote = &remote{rpc.NewClient(pipes{out, in, cmd.Wait}), cmd.Process.Kill}
	return p.remote, nil
}

// discard ends a failed process, and returns how it ended.
func (p *Process) discard(r *remote) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote != r {
		return nil // another call did
	}
	p.remote = nil
	_ = r.kill()
	return r.Close()
}

// failed records that passwords are now hashed in this process, and logs it once.
func (p *Process) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retryAt = time.Now().Add(p.retryAfter)
	if !p.failing {
		p.failing = true
		p.log.Warn("the process that hashes passwords fails: hashing in this one", "err", err)
	}
}

// recovered records that the process answers again.
func (p *Process) recovered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing {
		p.failing, p.retryAt = false, time.Time{}
		p.log.Info("the process that hashes passwords works again")
	}
}

// pipes are both ends of a connection to a process.
type pipes struct {
	io.Reader
	io.WriteCloser
	wait func() error // for the end of the process
}

func (p pipes) Close() error { return errors.Join(p.WriteCloser.Close(), p.wait()) }

// Job is a password to hash or, if there is a hash, to compare with it.
type Job struct {
	Password string
	Params   argon2id.Params
	Hash     string
}

// Serve hashes the passwords that a [Process] sends on in, and answers on out,
// until in ends. The process must have no other work.
func Serve(in io.Reader, out io.WriteCloser) error {
	server := rpc.NewServer()
	if err := server.RegisterName("Engine", engine{}); err != nil {
		return err
	}
	defer runtime.KeepAlive(prepareHeap())
	server.ServeConn(pipes{in, out, func() error { return nil }})
	return nil
}

// engine is the other end of a Process. It runs the garbage collector before each hash,
// which then reuses the memory of earlier ones: 42 MiB at the peak, not 99.
type engine struct{}

// Create answers [Process.Create].
func (engine) Create(job Job, hash *string) (err error) {
	runtime.GC()
	*hash, err = password.Here.Create(job.Password, job.Params)
	return err
}

// Compare answers [Process.Compare].
func (engine) Compare(job Job, match *bool) (err error) {
	runtime.GC()
	*match, err = password.Here.Compare(job.Password, job.Hash)
	return err
}
