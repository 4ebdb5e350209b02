package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/password"
	"vestibule/models"
)

func TestClientQuota(t *testing.T) {
	t.Parallel()
	const most = 3
	var s clientQuota
	var releases []func()
	for range most {
		release, ok := s.acquire(share{"a crowd", most})
		if !ok {
			t.Fatal("a client gets less than its quota")
		}
		releases = append(releases, release)
	}
	for range 2 {
		if _, ok := s.acquire(share{"a crowd", most}); ok {
			t.Error("a client gets more than its quota")
		}
	}
	release, ok := s.acquire(share{"someone else", most})
	if !ok {
		t.Error("one client has used the quota of another")
	} else {
		release()
	}
	if _, ok := s.acquire(share{"a newcomer", most}, share{"a crowd", most}); ok {
		t.Error("a client gets more than the quota of its group")
	}
	releases[0]()
	if _, ok := s.acquire(share{"a crowd", most}); !ok {
		t.Error("what was released is lost")
	}
	releases[1]()
	releases[2]()
	if len(s.taken) != 1 || s.taken["a crowd"] != 1 {
		t.Errorf("taken is %v", s.taken)
	}
}

// TestHashingSlots has accounts at two addresses, or strangers at as many, take every
// slot that they get. Others still get one, signed in or not.
func TestHashingSlots(t *testing.T) {
	t.Parallel()
	accounts := make([]*models.User, 28)
	for i := range accounts {
		accounts[i] = &models.User{ID: uuid.New()}
	}
	for name, attackers := range map[string][]*models.User{"accounts": accounts, "strangers": make([]*models.User, 28)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hasher, err := password.NewHasher(password.Here, password.DefaultParams, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			k := &Kit{Hasher: hasher}
			acquire := func(user *models.User, address string) error {
				c, _ := gin.CreateTestContext(httptest.NewRecorder())
				c.Request = httptest.NewRequest(http.MethodPost, "/", nil)
				c.Request.RemoteAddr = address + ":1234"
				c.Set(requestKey{}, &Request{User: user})
				_, err := k.acquireSlot(c)
				return err
			}
			taken := 0
			for range hasher.Slots() {
				for i, user := range attackers {
					if acquire(user, fmt.Sprint("192.0.2.", 1+i%2)) == nil {
						taken++
					}
				}
			}
			if half := hasher.Slots() / 2; taken < half/2 || taken > half-3 {
				t.Errorf("they hold %d of %d slots", taken, half)
			}
			for range 3 {
				if err := acquire(nil, "198.51.100.7"); err != nil {
					t.Errorf("a stranger elsewhere: %v", err)
				}
				if err := acquire(&models.User{ID: uuid.New()}, "198.51.100.7"); err != nil {
					t.Errorf("a user elsewhere: %v", err)
				}
			}
		})
	}
}

// held returns how many slots a client holds.
func (s *clientQuota) held(client string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken[client]
}

// TestScoringWaitsItsTurn takes the only slot. Another password waits for it, unless its
// sender goes away.
func TestScoringWaitsItsTurn(t *testing.T) {
	t.Parallel()
	k := &Kit{scoring: make(chan struct{}, 1)}
	release, ok := k.AcquireScoring(t.Context())
	if !ok {
		t.Fatal("the first has to wait")
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, ok := k.AcquireScoring(gone); ok {
		t.Error("two are scored at once")
	}
	waits := make(chan bool)
	go func() {
		next, ok := k.AcquireScoring(t.Context())
		if ok {
			next()
		}
		waits <- ok
	}()
	release()
	if !<-waits {
		t.Error("what was released is lost")
	}
}
