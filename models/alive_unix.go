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

// alive looks, before a pooled connection is used again, whether the server has
// ended it meanwhile: after a restart of PostgreSQL each would else fail one
// request. It waits for nothing. On an idle connection whatever there is to
// read, the end or a last message, means that it is of no use any more.
func alive(_ context.Context, cn *pgdriver.Conn) error {
	conn := cn.Conn()
	if err := conn.SetReadDeadline(time.Time{}); err != nil { // that of its last query, after which nothing can be read
		return driver.ErrBadConn
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
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
