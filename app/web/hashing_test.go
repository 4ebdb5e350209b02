package web

import "testing"

func TestShares(t *testing.T) {
	t.Parallel()
	const most = 3
	var s clientQuota
	var back []func()
	for range most {
		giveBack, ok := s.acquire("a crowd", most)
		if !ok {
			t.Fatal("a share is smaller than it should be")
		}
		back = append(back, giveBack)
	}
	for range 2 {
		if _, ok := s.acquire("a crowd", most); ok {
			t.Error("a share is larger than it should be")
		}
	}
	giveBack, ok := s.acquire("someone else", most)
	if !ok {
		t.Error("one has the share of another")
	} else {
		giveBack()
	}
	back[0]()
	if _, ok := s.acquire("a crowd", most); !ok {
		t.Error("what was given back is lost")
	}
	back[1]()
	back[2]()
	if len(s.taken) != 1 || s.taken["a crowd"] != 1 {
		t.Errorf("taken is %v", s.taken)
	}
}
