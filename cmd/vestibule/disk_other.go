//go:build !(linux || darwin || freebsd)

package main

import "errors"

// freeSpace returns an error: only other systems tell.
func freeSpace(string) (uint64, error) {
	return 0, errors.New("the free space can't be read on this system")
}
