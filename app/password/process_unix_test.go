//go:build unix

package password_test

import (
	"syscall"
	"testing"
	"time"

	"vestibule/app/password"
)

// TestProcessHangs has processes that live and do not answer.
func TestProcessHangs(t *testing.T) {
	t.Parallel()
	p, ps := newProcess(t, 5*time.Second)
	hash, err := p.Create("over there", password.DefaultParams)
	if err != nil {
		t.Fatal(err)
	}
	hang := func(process int) {
		t.Helper()
		if err := ps.started[process].Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	hang(0)
	if match, err := p.Compare("over there", hash); !match || err != nil {
		t.Errorf("what the first hashed does not match in the second (%v)", err)
	}
	if len(ps.started) != 2 {
		t.Fatalf("%d processes ran", len(ps.started))
	}
	hang(1)
	if err := p.Close(); err == nil {
		t.Error("it ends of itself")
	}
}
