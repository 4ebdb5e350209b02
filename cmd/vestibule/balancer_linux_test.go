package main_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vestibule/models/modelstest"
)

// balancer is HAProxy in front of several processes of the program, which share
// one PostgreSQL: a site as it is when one process is not enough.
type balancer struct {
	site // as people reach it
	door *net.TCPListener

	settings  []string // of each process
	processes []*site
}

// balance serves the site by so many processes, which all start at the same
// moment, on a database without tables.
func balance(t *testing.T, processes int, settings ...string) *balancer {
	t.Helper()
	door, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{door: door}
	b.t, b.url = t, "http://"+door.Addr().String()
	b.settings = append([]string{"DATABASE_URL=" + modelstest.EmptyPostgreSQL(t), "BASE_URL=" + b.url, "TRUSTED_PROXIES=127.0.0.1"}, settings...)
	for range processes {
		b.processes = append(b.processes, start(t, program, freeAddr(t), nil, b.settings...))
	}
	for _, s := range b.processes {
		s.waits()
	}
	b.open()
	return b
}

// again starts the program anew in place of a process that has ended.
func (b *balancer) again(i int) {
	b.t.Helper()
	addr := strings.TrimPrefix(b.processes[i].url, "http://")
	b.processes[i] = start(b.t, program, addr, nil, b.settings...)
	b.processes[i].waits()
}

// open starts HAProxy. A request that reached no process goes to another; one
// that may have had an effect is not sent twice.
func (b *balancer) open() {
	b.t.Helper()
	config := `
global
	maxconn 500
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	timeout check 20s
	option forwardfor
	option redispatch 1
	retries 5
	option http-server-close
frontend door
	bind fd@3
	default_backend processes
backend processes
	balance roundrobin
	option httpchk GET /readyz
`
	for i, s := range b.processes {
		config += fmt.Sprintf("\tserver process%d %s check inter 100ms\n", i, strings.TrimPrefix(s.url, "http://"))
	}
	path := filepath.Join(b.t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		b.t.Fatal(err)
	}
	door, err := b.door.File()
	if err != nil {
		b.t.Fatal(err)
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		haproxy = "/usr/sbin/haproxy" // not on everybody's path
	}
	cmd := exec.Command(haproxy, "-db", "-f", path)
	cmd.ExtraFiles = []*os.File{door} // no other process can take the port meanwhile
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		b.t.Fatalf("HAProxy (make deps installs it): %v", err)
	}
	_ = b.door.Close() // HAProxy has it
	_ = door.Close()
	b.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // whatever it says: it is over
		if b.t.Failed() {
			b.t.Logf("HAProxy says:\n%s", log.String())
		}
	})
	c := b.caller(b.t)
	if !waitFor(func() bool { return c.get("/healthz").status == 200 }) {
		b.t.Fatalf("HAProxy does not serve:\n%s", log.String())
	}
}

// from has c's requests come from another address of this machine, and say that
// they come from a third.
func (c *caller) from(ip, said string) *caller {
	c.client.Transport = &forger{said, &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext}}
	return c
}

// forger adds to requests an address that they do not come from.
type forger struct {
	said string
	http.RoundTripper
}

func (f *forger) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.said)
	return f.RoundTripper.RoundTrip(r)
}

// at is c, with its cookies, at one process.
func (c *caller) at(s *site) *caller { return &caller{c.t, s, c.client} }
