package main_test

import (
	"debug/elf"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vestibule/app/apptest"
)

// TestProgramIsStatic reads the program as make build and its README build it.
func TestProgramIsStatic(t *testing.T) {
	t.Parallel()
	const command = "CGO_ENABLED=0 go build -trimpath -tags nomsgpack -gcflags='./templates/...=-l' -ldflags='-s -w' -o bin/vestibule ./cmd/vestibule"
	if !strings.Contains(readDocument(t, "cmd/vestibule/README.md"), command) {
		t.Errorf("README doesn't say %s", command)
	}
	if !strings.Contains(strings.ReplaceAll(readDocument(t, "Makefile"), "$(GO)", "go"), command) {
		t.Errorf("make build doesn't run %s", command)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if raced() {
		t.Skip("the race detector needs a C library")
	}
	var size uint64 // in the file, without what -s and -w leave out
	for _, p := range file.Progs {
		switch p.Type {
		case elf.PT_INTERP:
			t.Error("the program needs a dynamic linker")
		case elf.PT_LOAD:
			size += p.Filesz
		}
	}
	if size < 20e6 || size > 40e6 {
		t.Errorf("the program has %.1f MB, want at most 40", float64(size)/1e6)
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("the program needs %s (%v)", libraries, err)
	}
}

// TestHangup sends SIGHUP, as who wants a service to reload.
func TestHangup(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := serve(t, "DATABASE_URL="+database)
		s.signUp(apptest.Anna)
		for range 3 {
			if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(s.hasher(t), syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		c := s.caller(t)
		c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
	})
}

// TestLogNobodyReads fills the pipe that the log goes to, reads it again, and closes it.
func TestLogNobodyReads(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	addr := freeAddr(t)
	cmd := command(t, []string{"ADDR=" + addr})
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Kill() // it may have ended
		<-exited
	}()
	client := http.Client{Timeout: patience}
	asks := func() bool {
		answer, err := client.Get("http://" + addr + "/sign-in")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err == nil && answer.StatusCode == http.StatusOK
	}
	if !waitFor(asks) {
		t.Fatal("the program does not serve")
	}
	const requests = 2000 // more lines than a pipe holds
	for range requests {
		if !asks() {
			t.Fatal("a full log stops the site")
		}
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		text := make([]byte, 64<<10)
		for {
			n, err := r.Read(text)
			lines <- string(text[:n])
			if err != nil {
				return
			}
		}
	}()
	var log strings.Builder
	for deadline := time.After(patience); !strings.Contains(log.String(), "log lines were lost"); {
		asks()
		select {
		case text := <-lines:
			log.WriteString(text)
		case <-deadline:
			t.Fatal("the log doesn't say that lines are lost")
		case <-time.After(10 * time.Millisecond):
		}
	}
	go func() { // let the reader end
		for range lines {
		}
	}()
	r.Close()
	for range 100 {
		if !asks() {
			t.Fatal("a log without a reader ends the site")
		}
	}
}

// TestOutOfFileDescriptors takes all descriptors, so that no connection is accepted.
func TestOutOfFileDescriptors(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.mayFail = true
	kept := s.caller(t) // its connection stays
	kept.wantsStatus(kept.get("/readyz"), "/readyz", http.StatusOK)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: before.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	limit(uint64(len(open)))
	var visitors []net.Conn
	defer func() {
		for _, v := range visitors {
			v.Close()
		}
	}()
	const said = "connections can't be accepted"
	if !waitFor(func() bool {
		if v, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://")); err == nil {
			visitors = append(visitors, v)
		}
		return s.log.contains(said)
	}) {
		t.Fatal("the log says nothing")
	}
	if !waitFor(func() bool { return kept.get("/readyz").status == http.StatusServiceUnavailable }) {
		t.Error("it stays ready")
	}
	limit(before.Cur)
	if !waitFor(func() bool { c := s.caller(t); return c.get("/readyz").status == http.StatusOK }) {
		t.Error("it does not become ready again")
	}
	if n := strings.Count(s.log.String(), said); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
}

// TestLittleAddressSpace leaves no room for a hash: sign-ins are refused, /readyz says so,
// and the site lives.
func TestLittleAddressSpace(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		if raced() {
			t.Skip("the race detector takes much address space")
		}
		s := serve(t, append(unlimited, "DATABASE_URL="+database, "ARGON2_MEMORY=65536")...)
		s.mayFail, s.mayCrash = true, true
		s.signUp(apptest.Anna)
		if err := syscall.Kill(s.hasher(t), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, size, _ := strings.Cut(string(status), "VmSize:")
		var kib uint64
		if _, err := fmt.Sscanf(size, "%d", &kib); err != nil {
			t.Fatal(err)
		}
		limit := func(bytes uint64) {
			t.Helper()
			if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
				t.Fatal(err)
			}
		}
		limit((kib + 144<<10) << 10) // Go's heap may grow by an arena of 64 MiB or two
		c := s.caller(t)
		c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusServiceUnavailable)
		for range 3 {
			c.wantsStatus(c.get("/sign-in"), "/sign-in", http.StatusOK)
			if !waitFor(func() bool { return s.caller(t).get("/readyz").status == http.StatusServiceUnavailable }) {
				t.Error("it stays ready")
			}
		}
		limit(unix.RLIM_INFINITY)
		if !waitFor(func() bool { return s.caller(t).get("/readyz").status == http.StatusOK }) {
			t.Error("it does not become ready again")
		}
		c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
	})
}
