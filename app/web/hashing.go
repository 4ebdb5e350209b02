package web

import (
	"sync"

	"github.com/gin-gonic/gin"

	"vestibule/app/password"
	"vestibule/models"
)

// clientQuota limits how many slots each client holds.
type clientQuota struct {
	mu    sync.Mutex
	taken map[string]int
}

// acquire takes a slot for who, unless who has most already. If ok, the caller must
// call release.
func (s *clientQuota) acquire(who string, most int) (release func(), ok bool) {
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

// acquireSlot takes a slot in the hasher's queue. One address may hold half of them, so
// no client alone can block sign-ins. It returns password.ErrBusy if they are taken.
func (k *Kit) acquireSlot(c *gin.Context) (release func(), err error) {
	release, ok := k.hashing.acquire(PerIP(c, "hash", models.Limit{}).key, max(1, k.Hasher.Places()/2))
	if !ok {
		return nil, password.ErrBusy
	}
	return release, nil
}

// Hash hashes pw in a slot of the request's address. It returns the errors of
// [password.Hasher.Hash], and password.ErrBusy if the address has no slot left.
func (k *Kit) Hash(c *gin.Context, pw string) (string, error) {
	release, err := k.acquireSlot(c)
	if err != nil {
		return "", err
	}
	defer release()
	return k.Hasher.Hash(c.Request.Context(), pw)
}

// Verify compares pw with hash, as [password.Hasher.Verify] does, in a slot of the
// request's address.
func (k *Kit) Verify(c *gin.Context, pw, hash string) (match, outdated bool, err error) {
	release, err := k.acquireSlot(c)
	if err != nil {
		return false, false, err
	}
	defer release()
	return k.Hasher.Verify(c.Request.Context(), pw, hash)
}

// AcquireScoring reports whether a password may be scored now: at most half the cores
// score at once. If so, the caller must call release.
func (k *Kit) AcquireScoring() (release func(), ok bool) {
	select {
	case k.scoring <- struct{}{}:
		return func() { <-k.scoring }, true
	default:
		return nil, false
	}
}
