//go:build linux || darwin || freebsd

package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// patience bounds every wait for something that is sure to come. It is long
// because it costs nothing where all is well.
const patience = time.Minute

// program is the path of the built vestibule.
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vestibule-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // TestRefusals runs it as another user
		panic(err)
	}
	program = filepath.Join(dir, "vestibule")
	if err := build(".", program); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer closeChromium()
	return m.Run()
}

// build builds the program in dir, with the race detector if the tests have it.
func build(dir, path string) error {
	args := []string{"build", "-trimpath", "-tags", "nomsgpack", "-gcflags=../../templates/...=-l", "-o", path}
	if raced() {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = dir
	if !raced() { // the race detector needs cgo
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the program does not build: %w\n%s", err, out)
	}
	return nil
}

// raced reports whether the tests have the race detector.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// command is the program with no settings but these, in a folder of its own.
func command(t *testing.T, settings []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"ARGON2_MEMORY=7168", "ARGON2_TIME=5", "PATH=" + os.Getenv("PATH")}, settings...)
	return cmd
}

// eachDatabase runs test in parallel on SQLite and on PostgreSQL, with the URL
// of a fresh database.
func eachDatabase(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Parallel()
	modelstest.EachEmptyURL(t, test)
}

// site is the program as it serves.
type site struct {
	t       *testing.T
	url     string // where, without a slash at the end
	cmd     *exec.Cmd
	log     lockedBuffer
	exited  chan struct{} // closed when the process has ended
	told    sync.Once     // to stop
	stopped sync.Once
	mayFail bool // the test breaks something, so the log may have errors

	mayCrash bool // the process that hashes may end with a stack trace
}

// serve starts the program with these settings and waits until it serves. At the
// end of the test it stops it, and looks through its log.
func serve(t *testing.T, settings ...string) *site {
	t.Helper()
	return serveBy(t, nil, settings...)
}

// serveBy is serve with arguments on the command line.
func serveBy(t *testing.T, args []string, settings ...string) *site {
	t.Helper()
	return serveProgram(t, program, args, settings...)
}

// serveProgram is serveBy of another build of the program.
func serveProgram(t *testing.T, path string, args []string, settings ...string) *site {
	t.Helper()
	s := start(t, path, freeAddr(t), args, settings...)
	s.waits()
	return s
}

// start starts the program and does not wait.
func start(t *testing.T, path, addr string, args []string, settings ...string) *site {
	t.Helper()
	s := &site{t: t, url: "http://" + addr, exited: make(chan struct{})}
	s.cmd = command(t, append([]string{"ADDR=" + addr}, settings...), args...)
	s.cmd.Path = path
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // stop looks at the state
		close(s.exited)
	}()
	return s
}

// waits waits until the program serves, and looks after it until the test ends.
func (s *site) waits() {
	s.t.Helper()
	s.t.Cleanup(s.stop)
	if !waitFor(func() bool { return s.ended() || s.log.contains("vestibule is ready") }) || s.ended() {
		s.t.Fatalf("the program does not serve:\n%s", s.log.String())
	}
}

// stop ends the program as an operator does. It has to go in order, and to have
// logged nothing bad.
func (s *site) stop() {
	s.t.Helper()
	s.stopped.Do(func() {
		s.terminate()
		select {
		case <-s.exited:
		case <-time.After(patience):
			_ = s.cmd.Process.Kill()
			<-s.exited
			s.t.Error("the program does not stop on SIGTERM")
		}
		if code := s.cmd.ProcessState.ExitCode(); code != 0 {
			s.t.Errorf("the program ended with %s", s.cmd.ProcessState)
		}
		s.wantsCleanLog()
		if s.t.Failed() {
			s.t.Logf("the log:\n%s", s.log.String())
		}
	})
}

// kill ends the program as a crash of the machine does.
func (s *site) kill() {
	s.t.Helper()
	s.stopped.Do(func() {
		if err := s.cmd.Process.Kill(); err != nil {
			s.t.Error(err)
		}
		<-s.exited
		s.wantsCleanLog()
	})
}

// wantsCleanLog looks through the log for what must never be in it.
func (s *site) wantsCleanLog() {
	s.t.Helper()
	bad := []string{"status=500", `"status":500`, "DATA RACE"}
	if !s.mayCrash {
		bad = append(bad, "panic", "goroutine ")
	}
	if !s.mayFail {
		bad = append(bad, "level=ERROR", `"level":"ERROR"`)
	}
	for _, bad := range bad {
		if s.log.contains(bad) {
			s.t.Errorf("the log has %q", bad)
		}
	}
}

// terminate tells the program to stop, once: a second signal would end it at once.
func (s *site) terminate() {
	s.told.Do(func() { _ = s.cmd.Process.Signal(syscall.SIGTERM) }) // stop sees if it has ended before
}

func (s *site) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// annaKing is Anna as she may change her name.
var annaKing = func(p apptest.Person) apptest.Person { p.Last = "King"; return p }(apptest.Anna)

// signUp gives p an account, past the browser.
func (s *site) signUp(p apptest.Person) {
	s.t.Helper()
	stay := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := stay.PostForm(s.url+"/sign-up", p.Form())
	if err != nil {
		s.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("%s could not sign up: %s", p.Username, answer.Status)
	}
}

// waitFor waits until ready says so, and returns false when it never does.
func waitFor(ready func() bool) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ready() {
			return true
		}
	}
	return ready()
}

// freeAddr is an address of its own for the test to listen on, or not.
func freeAddr(t *testing.T) string {
	t.Helper()
	addr, release, err := modelstest.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
	return addr
}

// lockedBuffer collects what a process writes while the test reads it.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (b *lockedBuffer) contains(s string) bool { return strings.Contains(b.String(), s) }
