//go:build unix

package models

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"syscall"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// alive returns driver.ErrBadConn if the server has ended a pooled connection
// since its last use; without it, each would fail one request after a restart of
// PostgreSQL. It never waits. Anything to read on an idle connection, be it the
// end or a last message, makes it useless.
func alive(_ context.Context, cn *pgdriver.Conn) error {
	c := cn.Conn()
	if err := c.SetReadDeadline(time.Time{}); err != nil { // after the deadline of its last query nothing can be read
		return driver.ErrBadConn
	}
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if own, ok := c.(conn); ok {
		c = own.Conn
	}
	socket, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return driver.ErrBadConn
	}
	idle := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		idle = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true
	})
	if err != nil || !idle {
		return driver.ErrBadConn
	}
	return nil
}
