package password

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// Engine computes Argon2id hashes, as PHC strings. Those of this package are safe
// for concurrent use.
type Engine interface {
	// Create returns a hash of pw with a new salt.
	Create(pw string, params argon2id.Params) (hash string, err error)
	// Compare reports whether hash is one of pw.
	Compare(pw, hash string) (match bool, err error)
}

// ErrUnavailable reports that the process of a [Process] does not start, or does
// not answer.
var ErrUnavailable = errors.New("password: the process that hashes is unavailable")

// Here is the Engine in this process: for commands that hash one password, and
// for tests.
var Here Engine = here{}

type here struct{}

func (here) Create(pw string, params argon2id.Params) (string, error) {
	return argon2id.CreateHash(pw, &params)
}

func (here) Compare(pw, hash string) (bool, error) {
	return argon2id.ComparePasswordAndHash(pw, hash)
}

// Process is an Engine in another process, of low priority once it has started.
// When everybody signs in at once, the system gives the cores to pages first; and
// the memory of the hashes, which is garbage at once, does not have the collector
// look through the heap of the site ten times a second.
type Process struct {
	command  func() *exec.Cmd
	patience time.Duration

	mu     sync.Mutex
	remote *remote // nil when the process does not run
}

// remote is a process that runs.
type remote struct {
	*rpc.Client
	kill func() error
}

// NewProcess returns an Engine that starts a process by command when it has
// something to compute and none runs. The process is to call [ServeEngine]. One
// that does not answer for as long as patience is killed.
func NewProcess(command func() *exec.Cmd, patience time.Duration) *Process {
	return &Process{command: command, patience: patience}
}

// Start starts the process, unless it runs, and does not wait until it can compute.
func (p *Process) Start() error {
	if _, err := p.running(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Close ends the process, after what it computes at the moment.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote == nil {
		return nil
	}
	remote := p.remote
	p.remote = nil
	defer p.limit(remote)()
	return remote.Close()
}

// limit kills the process, which ends each call to it, if it is not stopped while
// patience lasts.
func (p *Process) limit(remote *remote) (stop func() bool) {
	return time.AfterFunc(p.patience, func() { _ = remote.kill() }).Stop
}

// Create is that of [Engine]. It fails with [ErrUnavailable] too.
func (p *Process) Create(pw string, params argon2id.Params) (hash string, err error) {
	err = p.call("Engine.Create", Job{Password: pw, Params: params}, &hash)
	return hash, err
}

// Compare is that of [Engine]. It fails with [ErrUnavailable] too.
func (p *Process) Compare(pw, hash string) (match bool, err error) {
	err = p.call("Engine.Compare", Job{Password: pw, Hash: hash}, &match)
	return match, err
}

// call asks the process, and a new one when that one ends before it answers.
func (p *Process) call(method string, job Job, result any) error {
	for try := 1; ; try++ {
		remote, err := p.running()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		stop := p.limit(remote)
		err = remote.Call(method, job, result)
		stop()
		var answered rpc.ServerError
		if err == nil || errors.As(err, &answered) {
			return err
		}
		p.forget(remote)
		if try == 2 {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

// running returns the connection to the process, which it starts if need be.
func (p *Process) running() (*remote, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote != nil {
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
	if err := startInBackground(cmd); err != nil {
		return nil, err
	}
	p.remote = &remote{rpc.NewClient(pipes{out, in, cmd.Wait}), cmd.Process.Kill}
	return p.remote, nil
}

// forget leaves a connection of which the process has ended.
func (p *Process) forget(remote *remote) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote == remote {
		p.remote = nil
		defer p.limit(remote)()
		_ = remote.Close() // it says how the process ended, which is no news
	}
}

// pipes are both ends of a connection to a process.
type pipes struct {
	io.Reader
	io.WriteCloser
	wait func() error // for the end of the process
}

func (p pipes) Close() error { return errors.Join(p.WriteCloser.Close(), p.wait()) }

// Job is what a [Process] asks the other process to compute.
type Job struct {
	Password string
	Params   argon2id.Params // for a new hash
	Hash     string          // to compare with
}

// ServeEngine computes here what a [Process] asks on in, and answers on out, until
// in ends. The process is to have no other work.
func ServeEngine(in, out *os.File) error {
	s, server := new(service), rpc.NewServer()
	if err := server.RegisterName("Engine", s); err != nil {
		return err
	}
	reserve := makeRoom()
	defer runtime.KeepAlive(reserve)
	s.rest = time.AfterFunc(restAfter, debug.FreeOSMemory)
	stepBack()
	server.ServeConn(pipes{polled(in), out, func() error { return nil }})
	return nil
}

// makeRoom prepares the heap for hashes. What it returns is to be kept.
func makeRoom() (reserve []byte) {
	// The collector would follow the few, large hashes up and down, and return
	// memory to the system that is wanted back in the same moment. So it runs when
	// service says so, and keeps a tenth more than is in use: of the reserve too,
	// which nobody touches, so that it takes no memory.
	debug.SetGCPercent(-1)
	const size = 256 << 20
	room, reserve := make([]byte, size), make([]byte, size)
	// Nobody has touched the room either. When it is free, hashes take its place.
	inHugePages(room)
	runtime.GC()
	return reserve
}

// service is the other end of a Process.
type service struct {
	rest *time.Timer

	mu      sync.Mutex
	garbage int64 // in bytes, what hashes took since the last collection
}

// Create is the remote end of [Process.Create].
func (s *service) Create(job Job, hash *string) (err error) {
	s.collect(job.Params)
	*hash, err = Here.Create(job.Password, job.Params)
	return err
}

// Compare is the remote end of [Process.Compare].
func (s *service) Compare(job Job, match *bool) (err error) {
	params, _, _, err := argon2id.DecodeHash(job.Hash)
	if err != nil {
		return err
	}
	s.collect(*params)
	*match, err = Here.Compare(job.Password, job.Hash)
	return err
}

// enough garbage, in bytes, is worth a collection; after a rest, all memory goes
// back to the system.
const (
	enough    = 64 << 20
	restAfter = time.Minute
)

// collect frees the memory of past hashes before that of the next is taken. Others
// wait meanwhile, else they would take more.
func (s *service) collect(next argon2id.Params) {
	s.rest.Reset(restAfter)
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(next.Memory) << 10
	s.garbage += size
	if s.garbage > enough {
		s.garbage = size
		runtime.GC()
	}
}
