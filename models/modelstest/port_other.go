//go:build !linux

package modelstest

import "net"

// ReservePort returns the address of a free port of 127.0.0.1. Here a connection
// may take it before the server does.
func ReservePort() (address string, release func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return l.Addr().String(), func() error { return nil }, l.Close()
}
