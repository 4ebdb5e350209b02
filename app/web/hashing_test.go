package web

import "testing"

func TestClientQuota(t *testing.T) {
	t.Parallel()
	const most = 3
	var s clientQuota
	var releases []func()
	for range most {
		release, ok := s.acquire("a crowd", most)
		if !ok {
			t.Fatal("a client gets less than its quota")
		}
		releases = append(releases, release)
	}
	for range 2 {
		if _, ok := s.acquire("a crowd", most); ok {
			t.Error("a client gets more than its quota")
		}
	}
	release, ok := s.acquire("someone else", most)
	if !ok {
		t.Error("one client has used the quota of another")
	} else {
		release()
	}
	releases[0]()
	if _, ok := s.acquire("a crowd", most); !ok {
		t.Error("what was released is lost")
	}
	releases[1]()
	releases[2]()
	if len(s.taken) != 1 || s.taken["a crowd"] != 1 {
		t.Errorf("taken is %v", s.taken)
	}
}
