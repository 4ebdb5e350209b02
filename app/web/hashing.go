package web

import (
	"context"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/password"
	"vestibule/models"
)

// clientQuota limits how many slots each client holds.
type clientQuota struct {
	mu    sync.Mutex
	taken map[string]int
}

// share is how many slots a client may hold.
type share struct {
	client string
	most   int // or fair
}

// fair is a share that leaves slots of the first share to others: four times as many as
// are free. A client alone gets four fifths, and two get four ninths each.
const fair = -1

// acquire takes a slot of each share, unless one of them has none left. If ok, the
// caller must call release.
func (s *clientQuota) acquire(shares ...share) (release func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, share := range shares {
		most := share.most
		if most == fair {
			most = 4 * (shares[0].most - s.taken[shares[0].client])
		}
		if s.taken[share.client] >= most {
			return nil, false
		}
	}
	if s.taken == nil {
		s.taken = map[string]int{}
	}
	for _, share := range shares {
		s.taken[share.client]++
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, share := range shares {
			if s.taken[share.client]--; s.taken[share.client] == 0 {
				delete(s.taken, share.client)
			}
		}
	}, true
}

// acquireSlot takes a slot in the hasher's queue. Guests may hold half of the slots and
// signed-in users the other half, so neither can block the other. In each half, an
// address gets a fair share, so a few can't block the others, and an account two slots.
// It returns password.ErrBusy if they are taken.
func (k *Kit) acquireSlot(c *gin.Context) (release func(), err error) {
	half := max(1, k.Hasher.Slots()/2)
	shares := []share{{"guests", half}, {PerIP(c, "guests", models.Limit{}).key, fair}}
	if u := Current(c).User; u != nil {
		shares = []share{{"users", half}, {PerIP(c, "users", models.Limit{}).key, fair}, {"user " + u.ID.String(), 2}}
	}
	release, ok := k.hashing.acquire(shares...)
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
	ctx, end := k.span(c.Request.Context(), "hash password")
	defer end()
	return k.Hasher.Hash(ctx, pw)
}

// Verify compares pw with hash, as [password.Hasher.Verify] does, in a slot of the
// request's address.
func (k *Kit) Verify(c *gin.Context, pw, hash string) (match, outdated bool, err error) {
	release, err := k.acquireSlot(c)
	if err != nil {
		return false, false, err
	}
	defer release()
	ctx, end := k.span(c.Request.Context(), "hash password")
	defer end()
	return k.Hasher.Verify(ctx, pw, hash)
}

// maxScoringWait is how long a password waits to be scored. By then, the person has moved on.
const maxScoringWait = 3 * time.Second

// AcquireScoring waits until a password may be scored, because at most half the cores score at
// once. If ok, the caller must call release; otherwise the wait took too long.
func (k *Kit) AcquireScoring(ctx context.Context) (release func(), ok bool) {
	ctx, cancel := context.WithTimeout(ctx, maxScoringWait)
	defer cancel()
	select {
	case k.scoring <- struct{}{}:
		return func() { <-k.scoring }, true
	case <-ctx.Done():
		return nil, false
	}
}
