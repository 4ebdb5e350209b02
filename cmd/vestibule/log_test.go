package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes keeps what each call of Write got.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

// TestGatherer looks at what is written, and when.
func TestGatherer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got writes
		g := &batchWriter{out: &got}
		wants := func(want ...string) {
			t.Helper()
			synctest.Wait()
			g.mu.Lock()
			defer g.mu.Unlock()
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("%q was written, want %q", got, want)
			}
			got = nil
		}
		say := func(line string) {
			t.Helper()
			if n, err := g.Write([]byte(line)); n != len(line) || err != nil {
				t.Errorf("Write returned %d, %v", n, err)
			}
		}
		say("1\n")
		wants("1\n")
		say("2\n")
		say("3\n")
		wants()
		time.Sleep(logPause)
		wants("2\n3\n")
		say("4\n") // amid the next pause
		wants()
		time.Sleep(logPause)
		wants("4\n")
		time.Sleep(2 * logPause)
		wants()
		say("5\n")
		wants("5\n")

		long := strings.Repeat("x", logLimit-2) + "\n"
		say(long)
		wants()
		say("6\n")
		wants(long + "6\n")

		say("7\n")
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		wants("7\n")
		say("8\n")
		say("9\n")
		wants("8\n", "9\n")
	})
}

// TestGathererTogether has several write at once: each line arrives whole, once
// and in its writer's order.
func TestGathererTogether(t *testing.T) {
	t.Parallel()
	const writers, lines = 8, 2000
	var out bytes.Buffer // which the batchWriter guards
	g := &batchWriter{out: &out}
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range lines {
				if _, err := fmt.Fprintf(g, "%d %d\n", w, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	var next [writers]int
	for line := range strings.Lines(out.String()) {
		var w, n int
		if _, err := fmt.Sscanf(line, "%d %d\n", &w, &n); err != nil || next[w] != n {
			t.Fatalf("the line %q came, of which %d is the next (%v)", line, next[w], err)
		}
		next[w]++
	}
	for w, n := range next {
		if n != lines {
			t.Errorf("%d lines came of writer %d, want %d", n, w, lines)
		}
	}
}
