//go:build !linux

package worker

// prepareHeap does nothing.
func prepareHeap() []byte { return nil }
