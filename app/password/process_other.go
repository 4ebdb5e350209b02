//go:build !unix

package password

import (
	"os"
	"os/exec"
)

// startInBackground starts cmd, at the priority of the site.
func startInBackground(cmd *exec.Cmd) error { return cmd.Start() }

// stepBack does nothing.
func stepBack() {}

// polled returns f.
func polled(f *os.File) *os.File { return f }
