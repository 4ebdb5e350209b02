package apptest

import (
	"slices"
	"strings"
	"sync"

	"github.com/alexedwards/argon2id"

	"vestibule/app/password"
)

// Hashes is a [password.Engine] in this process that records what it computes.
type Hashes struct {
	mu  sync.Mutex
	all []string // the parameters, as in a PHC string
}

// Create implements [password.Engine].
func (h *Hashes) Create(pw string, params argon2id.Params) (string, error) {
	hash, err := password.Here.Create(pw, params)
	h.record(hash)
	return hash, err
}

// Compare implements [password.Engine].
func (h *Hashes) Compare(pw, hash string) (bool, error) {
	h.record(hash)
	return password.Here.Compare(pw, hash)
}

func (h *Hashes) record(hash string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if parts := strings.Split(hash, "$"); len(parts) > 3 {
		h.all = append(h.all, parts[3])
	}
}

// During returns the parameters of each hash that f causes, sorted.
func (h *Hashes) During(f func()) []string {
	h.mu.Lock()
	h.all = nil
	h.mu.Unlock()
	f()
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.all))
}
