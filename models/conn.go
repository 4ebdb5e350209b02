package models

import (
	"context"
	"net"

	"github.com/uptrace/bun/driver/pgdriver"
)

// conn is a network connection to PostgreSQL that closes at its first error,
// such as a timeout. pgdriver keeps a connection on which a prepared statement
// got no answer, and would read the late answer as the one to the next query:
// one person would see what another asked for. No other answer can come out of
// step, as nothing here uses LISTEN or COPY.
type conn struct{ net.Conn }

// Read implements [net.Conn].
func (c conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		_ = c.Close() // err says what went wrong
	}
	return n, err
}

// Write implements [net.Conn].
func (c conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// withClosingConn is a [pgdriver.Option] that dials a conn.
func withClosingConn(config *pgdriver.Config) {
	dial := config.Dialer
	config.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return conn{c}, nil
	}
}
