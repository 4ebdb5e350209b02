//go:build linux || darwin || freebsd

package main_test

import (
	"net/http"
	"testing"
)

func TestProfiles(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	s := serve(t, "PPROF_ADDR="+addr)
	for path, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/profile?seconds=1": 200, "/": 404} {
		answer, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, answer.StatusCode, want)
		}
	}
	for host, want := range map[string]int{"localhost:1": 200, "[::1]:6060": 200, "evil.example": 403, "evil.example:6060": 403, "localhost.evil.example": 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/debug/pprof/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("for %s it answers %d, want %d", host, answer.StatusCode, want)
		}
	}
	if got := s.caller(t).get("/debug/pprof/").status; got != http.StatusNotFound {
		t.Errorf("the site shows its profiles: %d", got)
	}
}
