package app

import (
	"sync"

	"github.com/gin-gonic/gin"

	"vestibule/app/password"
	"vestibule/models"
)

// clientQuota counts what each of many has of something.
type clientQuota struct {
	mu    sync.Mutex
	taken map[string]int
}

// acquire takes one more for who, unless that has most already. The caller must call
// giveBack when ok.
func (s *clientQuota) acquire(who string, most int) (giveBack func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[who] >= most {
		return nil, false
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	s.taken[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.taken[who]--; s.taken[who] == 0 {
			delete(s.taken, who)
		}
	}, true
}

// acquireSlot takes a acquireSlot in the queue of the hasher, of which one address may have
// half, so that nobody alone keeps all others from signing in. It returns
// password.ErrBusy when they are taken.
func (a *App) acquireSlot(c *gin.Context) (leave func(), err error) {
	leave, ok := a.hashing.acquire(perIP(c, "hash", models.Limit{}).key, max(1, a.hasher.Places()/2))
	if !ok {
		return nil, password.ErrBusy
	}
	return leave, nil
}

// hash is the hasher's Hash for the request's address.
func (a *App) hash(c *gin.Context, pw string) (string, error) {
	leave, err := a.acquireSlot(c)
	if err != nil {
		return "", err
	}
	defer leave()
	return a.hasher.Hash(c.Request.Context(), pw)
}

// verify is the hasher's Verify for the request's address.
func (a *App) verify(c *gin.Context, pw, hash string) (match, outdated bool, err error) {
	leave, err := a.acquireSlot(c)
	if err != nil {
		return false, false, err
	}
	defer leave()
	return a.hasher.Verify(c.Request.Context(), pw, hash)
}
