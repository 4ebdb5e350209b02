//go:build !linux

package password

// inHugePages does nothing.
func inHugePages([]byte) {}
