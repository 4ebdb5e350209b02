package modelstest

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestReservePort has a server come and go at a reserved port, which no connection
// may take.
func TestReservePort(t *testing.T) {
	t.Parallel()
	address, release, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	from, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	through := net.Dialer{LocalAddr: from}
	for range 2 {
		if _, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("without a server: %v", err)
		}
		if _, err := through.Dial("tcp", other.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("a connection takes the port: %v", err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		l.Close()
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}
