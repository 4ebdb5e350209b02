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
	if got := s.caller(t).get("/debug/pprof/").status; got != http.StatusNotFound {
		t.Errorf("the site shows its profiles: %d", got)
	}
}
