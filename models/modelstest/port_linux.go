package modelstest

import (
	"errors"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// ReservePort returns the address of a free port of 127.0.0.1 for a server that
// comes and goes. Until it is released the system gives the port to no
// connection, whose rest would keep the server from coming back; it may be
// listened on, and where nobody does, connections are refused.
func ReservePort() (address string, release func() error, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	release = func() error { return unix.Close(fd) }
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), // as servers do: two such may share a port if one does not listen
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
	); err != nil {
		return "", nil, errors.Join(err, release())
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return "", nil, errors.Join(err, release())
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*unix.SockaddrInet4).Port)), release, nil
}
