//go:build linux || darwin || freebsd

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// order tells an attacker what to send: one request after another on each of
// Workers connections, or at a Rate on as many of them as that takes.
type order struct {
	Method, URL string
	Header      http.Header
	Body        string          // "{n}" in it becomes a different number in each request
	First       int64           // the number before the first
	Targets     []vegeta.Target // sent in turn instead of Method, URL, Header and Body
	Once        bool            // send each target only once
	Rate        int             // requests a second; 0 means as many as possible
	Workers     int
	Addresses   int // how many loopback addresses send the load; 0 means 1
	For         time.Duration
	Want        []int // statuses that count as success
}

// outcome is what an attacker measured.
type outcome struct {
	Took      time.Duration   // from the first request to the last answer
	Latencies []time.Duration // one for each request
	Statuses  map[int]int     // the number of answers by status
	Failures  map[string]int
	CPU       time.Duration // used by the attacker's process since its start
}

func (o *outcome) add(other outcome) {
	o.Took += other.Took
	o.Latencies = append(o.Latencies, other.Latencies...)
	o.CPU += other.CPU
	if o.Statuses == nil {
		o.Statuses = map[int]int{}
	}
	for status, n := range other.Statuses {
		o.Statuses[status] += n
	}
}

func (o *outcome) perSecond() float64 {
	if o.Took == 0 {
		return 0
	}
	return float64(len(o.Latencies)) / o.Took.Seconds()
}

// percentile returns the latency that a share p of all requests did not exceed.
func (o *outcome) percentile(p float64) time.Duration {
	if len(o.Latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(o.Latencies))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// attack runs an order in a separate process, to keep its CPU and memory apart from
// the server's.
func attack(ctx context.Context, o order) (outcome, error) {
	var seen outcome
	if err := self(ctx, "attack", o, &seen); err != nil {
		return seen, err
	}
	if len(seen.Failures) > 0 {
		return seen, fmt.Errorf("%s %s: unwanted answers: %v", o.Method, o.URL, seen.Failures)
	}
	return seen, nil
}

// attacker runs in the process that attack starts.
func attacker(in io.Reader, out io.Writer) error {
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	var n atomic.Int64
	n.Store(o.First)
	target := func(t *vegeta.Target) error {
		t.Method, t.URL, t.Header = o.Method, o.URL, o.Header
		if o.Body != "" {
			t.Body = []byte(strings.ReplaceAll(o.Body, "{n}", strconv.FormatInt(n.Add(1), 10)))
		}
		return nil
	}
	if len(o.Targets) > 0 {
		target = vegeta.NewStaticTargeter(o.Targets...)
	}
	if o.Once {
		target = func(t *vegeta.Target) error {
			i := n.Add(1) - o.First
			if i > int64(len(o.Targets)) {
				return vegeta.ErrNoTargets
			}
			*t = o.Targets[i-1]
			return nil
		}
	}
	workers := uint64(o.Workers) // #nosec G115 -- a small number
	client := http.Client{Timeout: vegeta.DefaultTimeout, Transport: &http.Transport{DialContext: dialFrom(o.Addresses)}}
	a := vegeta.NewAttacker(vegeta.Client(&client), vegeta.Workers(workers), vegeta.MaxWorkers(workers),
		vegeta.Connections(o.Workers), vegeta.Redirects(vegeta.NoFollow), vegeta.HTTP2(false))
	seen := outcome{Statuses: map[int]int{}, Failures: map[string]int{}}
	start := time.Now()
	for r := range a.Attack(target, vegeta.Rate{Freq: o.Rate, Per: time.Second}, o.For, "") {
		if r.Error == vegeta.ErrNoTargets.Error() {
			continue
		}
		if !slices.Contains(o.Want, int(r.Code)) {
			seen.Failures[strings.TrimSpace(strconv.Itoa(int(r.Code))+" "+r.Error)]++
		}
		seen.Statuses[int(r.Code)]++
		seen.Latencies = append(seen.Latencies, r.Latency)
	}
	seen.Took, seen.CPU = time.Since(start), ownCPU()
	return json.NewEncoder(out).Encode(seen)
}

// dialFrom connects from that many loopback addresses in turn, or from one on a
// system that has no others.
func dialFrom(addresses int) func(ctx context.Context, network, addr string) (net.Conn, error) {
	var n atomic.Uint32
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addresses > 1 {
			last := n.Add(1)%uint32(addresses) + 1                                           // #nosec G115 -- a small number
			from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(last))}} // #nosec G115 -- at most addresses
			conn, err := from.DialContext(ctx, network, addr)
			if !errors.Is(err, syscall.EADDRNOTAVAIL) {
				return conn, err
			}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

// ownCPU returns the CPU time that this process has used.
func ownCPU() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
