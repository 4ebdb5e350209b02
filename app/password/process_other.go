//go:build !unix

package password

import "os/exec"

// startInBackground starts cmd, at the priority of the site.
func startInBackground(cmd *exec.Cmd) error { return cmd.Start() }
