package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"vestibule/app/apptest"
	"vestibule/app/password"
	"vestibule/models/modelstest"
)

// TestStormOfSignIns lets a thousand people sign in at once at the default cost
// of a password. The site hashes as many at a time as it has cores, refuses those who
// would wait too long, and stays within its memory.
func TestStormOfSignIns(t *testing.T) {
	modelstest.Soak(t)
	eachDatabase(t, func(t *testing.T, database string) {
		s := serveProgram(t, unraced(t), nil, append(unlimited, "DATABASE_URL="+database, "ARGON2_MEMORY=19456", "ARGON2_TIME=2")...)
		s.signUp(apptest.Anna)
		base := s.peak(t)

		const people = 1000
		var entered, wrong, refused, served atomic.Int64
		var group, pages sync.WaitGroup
		over := make(chan struct{})
		pages.Go(func() {
			for c := s.caller(t); ; served.Add(1) {
				select {
				case <-over:
					return
				default:
					c.wantsStatus(c.get("/"), "/", http.StatusOK)
				}
			}
		})
		for i := range people {
			group.Go(func() {
				p := apptest.Anna
				if i%2 > 0 {
					p.Password = "a wrong password"
				}
				c := s.caller(t)
				defer c.client.CloseIdleConnections()
				switch got := c.signIn(p); {
				case got.status == http.StatusSeeOther && i%2 == 0:
					entered.Add(1)
				case got.status == http.StatusUnprocessableEntity && i%2 > 0:
					wrong.Add(1)
				case got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "" && strings.Contains(got.body, "Very busy"):
					refused.Add(1)
				default:
					t.Errorf("sign-in: %d\n%s", got.status, got.body)
				}
			})
		}
		group.Wait()
		close(over)
		pages.Wait()
		c := s.caller(t)
		c.wants(c.signIn(apptest.Anna), "sign-in after the storm", http.StatusSeeOther)

		peak := s.peak(t)
		most := base + int64(runtime.GOMAXPROCS(0))*int64(password.DefaultParams.Memory)<<10 + 100<<20
		t.Logf("%d sign-ins at once: %d let in, %d wrong, %d asked to come again; %d other pages served; memory peak %d MiB, before %d MiB",
			people, entered.Load(), wrong.Load(), refused.Load(), served.Load(), peak>>20, base>>20)
		if entered.Load() == 0 || wrong.Load() == 0 {
			t.Error("nobody was let in, or nobody was told that the password is wrong")
		}
		if peak > most {
			t.Errorf("the memory peak is %d MiB, want no more than %d", peak>>20, most>>20)
		}
	})
}

// unraced builds the program without the race detector, which multiplies memory.
func unraced(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vestibule")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("the program does not build: %v\n%s", err, out)
	}
	return path
}

// peak is the most memory that the program and the process that hashes for it
// have had so far, in bytes.
func (s *site) peak(t *testing.T) (bytes int64) {
	t.Helper()
	for _, pid := range []int{s.cmd.Process.Pid, s.hasher(t)} {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		var kib int64
		if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
			t.Fatal(err)
		}
		bytes += kib << 10
	}
	return bytes
}
