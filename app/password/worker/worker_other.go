//go:build !unix

package worker

import "os/exec"

// detach does nothing.
func detach(*exec.Cmd) {}
