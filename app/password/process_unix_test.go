//go:build unix

package password_test

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"vestibule/app/password"
)

// TestProcessHangs has processes that live and do not answer.
func TestProcessHangs(t *testing.T) {
	t.Parallel()
	var started []*exec.Cmd
	p := password.NewProcess(func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "sleep", "1000")
		started = append(started, cmd)
		return cmd
	}, 100*time.Millisecond)
	if hash, err := p.Create("anything", password.DefaultParams); !errors.Is(err, password.ErrUnavailable) {
		t.Errorf("the hash is %q (%v)", hash, err)
	}
	if len(started) != 2 {
		t.Errorf("%d processes ran", len(started))
	}
	for _, cmd := range started {
		if cmd.ProcessState == nil {
			t.Errorf("process %d still runs", cmd.Process.Pid)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
