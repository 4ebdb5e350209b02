//go:build !linux

package worker

// prepareHeap does nothing.
func prepareHeap() []byte { return nil }

// hasMemory returns true: elsewhere the address space is rarely limited.
func hasMemory(uint32) bool { return true }
