//go:build !unix

package main

import (
	"os"
	"time"
)

// writability returns a function that returns true.
func writability(*os.File) func(time.Duration) bool {
	return func(time.Duration) bool { return true }
}

// ignoreSignals does nothing.
func ignoreSignals() {}
