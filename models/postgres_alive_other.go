//go:build !unix

package models

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// alive returns driver.ErrBadConn if conn has closed the connection. It can't
// look further without waiting, as alive_unix.go does.
func alive(_ context.Context, cn *pgdriver.Conn) error {
	if err := cn.Conn().SetReadDeadline(time.Time{}); err != nil {
		return driver.ErrBadConn
	}
	return nil
}
