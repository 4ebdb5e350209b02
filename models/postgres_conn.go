package models

import "net"

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
