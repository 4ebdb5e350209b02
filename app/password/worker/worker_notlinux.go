//go:build !linux

package worker

// useHugePages does nothing.
func useHugePages() {}
