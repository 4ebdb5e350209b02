// Package password hashes passwords with Argon2id, decides which passwords
// may be chosen and estimates how strong they are.
package password

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// DefaultParams is the Argon2id configuration the OWASP Password Storage Cheat
// Sheet recommends for servers: 19 MiB (Memory is in KiB), 2 passes, 1 lane.
// Salt and key are the 16 and 32 bytes of RFC 9106, section 4.
var DefaultParams = argon2id.Params{
	Memory:      19 * 1024,
	Iterations:  2,
	Parallelism: 1,
	SaltLength:  16,
	KeyLength:   32,
}

// Engine computes Argon2id hashes, as PHC strings. It is safe for concurrent use.
type Engine interface {
	// Create returns a hash of pw with a new salt.
	Create(pw string, params argon2id.Params) (hash string, err error)
	// Compare reports whether hash is one of pw.
	Compare(pw, hash string) (match bool, err error)
}

// Here is the Engine in this process.
var Here Engine = here{}

type here struct{}

func (here) Create(pw string, params argon2id.Params) (string, error) {
	return argon2id.CreateHash(pw, &params)
}

func (here) Compare(pw, hash string) (bool, error) {
	return argon2id.ComparePasswordAndHash(pw, hash)
}

// ErrBusy means that the queue for hashing was full or used up the caller's time. The
// caller may try again later.
var ErrBusy = errors.New("password: too many passwords are being hashed")

// ErrNoMemory means that the memory for a hash can't be had.
var ErrNoMemory = errors.New("password: not enough memory to hash")

// Upper limits for parameters. A stored hash sets the cost of verifying it, so without
// them one bad row in the database could take all memory. They allow every OWASP
// configuration.
const (
	MaxMemory      = 256 * 1024 // in KiB
	MaxIterations  = 16
	MaxParallelism = 16
)

// Normalize returns pw in Unicode NFC, so that a letter typed on one keyboard as
// a base and a combining mark equals the precomposed one from another (NIST SP
// 800-63B-4, section 3.1.1.2).
func Normalize(pw string) string {
	return norm.NFC.String(pw)
}

// Hasher hashes and verifies passwords, a few at a time: each computation takes
// params.Memory KiB, so a burst of logins must not run all at once. It is safe
// for concurrent use.
type Hasher struct {
	engine  Engine
	params  argon2id.Params
	callers chan struct{} // holds one token per caller, running or waiting
	running chan struct{} // holds one token per computation
	waited  func(time.Duration)

	mu     sync.Mutex
	decoys []decoy // one for each set of parameters that stored hashes have
}

// maxDecoys limits how many hashes verifying one password computes.
const maxDecoys = 8

// decoy is a hash that matches no password: its key is random.
type decoy struct {
	params argon2id.Params
	hash   string
}

// NewHasher returns a Hasher that has engine run at most workers computations at
// once (0: one per CPU) and lets at most queue callers wait (0: 64 per worker).
// It fails if params are out of range.
func NewHasher(engine Engine, params argon2id.Params, workers, queue int) (*Hasher, error) {
	if err := validate(params); err != nil {
		return nil, err
	}
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if queue <= 0 {
		queue = 64 * workers
	}
	return &Hasher{
		engine:  engine,
		params:  params,
		decoys:  []decoy{newDecoy(params)},
		callers: make(chan struct{}, workers+queue),
		running: make(chan struct{}, workers),
	}, nil
}

// Expect tells h which parameters stored hashes have, by an example of each. After the
// configured parameters have changed, [Hasher.Verify] needs it to take as long for an
// unknown user as for one with an older hash. It skips invalid hashes.
func (h *Hasher) Expect(examples []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.decoys = []decoy{newDecoy(h.params)}
	for _, hash := range examples {
		if params, _, _, err := argon2id.DecodeHash(hash); err == nil && validate(*params) == nil {
			h.expect(*params)
		}
	}
}

// expect adds a decoy with params, unless there is one, for a caller that holds the
// mutex.
func (h *Hasher) expect(params argon2id.Params) {
	known := slices.ContainsFunc(h.decoys, func(d decoy) bool { return d.params == params })
	if !known && len(h.decoys) < maxDecoys {
		h.decoys = append(h.decoys, newDecoy(params))
	}
}

func newDecoy(params argon2id.Params) decoy {
	random := func(length uint32) string {
		bits := make([]byte, length)
		_, _ = rand.Read(bits) // never fails
		return base64.RawStdEncoding.EncodeToString(bits)
	}
	return decoy{params, fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		params.Memory, params.Iterations, params.Parallelism, random(params.SaltLength), random(params.KeyLength))}
}

// OnWait makes h tell how long each caller waited for its turn. Call it before the first.
func (h *Hasher) OnWait(waited func(time.Duration)) { h.waited = waited }

// Load returns how many passwords are being hashed now, and how many wait.
func (h *Hasher) Load() (running, waiting int) {
	running = len(h.running)
	return running, max(0, len(h.callers)-running)
}

// Slots returns the maximum number of callers, running and waiting.
func (h *Hasher) Slots() int { return cap(h.callers) }

// Hash returns the hash of pw as a PHC string. It fails with [ErrBusy] or, if
// ctx is canceled before its turn comes, with ctx.Err().
func (h *Hasher) Hash(ctx context.Context, pw string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	hash, err := h.engine.Create(Normalize(pw), h.params)
	if err == nil {
		err = late(ctx)
	}
	if err != nil {
		return "", err
	}
	return hash, nil
}

// Verify reports whether pw is the password of hash and, if so, whether the hash
// is outdated: made with weaker parameters than the current ones. The caller should
// then store a new one.
//
// An empty hash stands for an unknown user and never matches. The response time must not
// reveal who has an account (ASVS 5.0, 6.3.8), so Verify computes the same hashes for
// everyone: one for each set of parameters in the stored hashes. At most one of them is
// the user's.
//
// It fails like [Hasher.Hash], and if hash is malformed or its parameters are
// out of range.
func (h *Hasher) Verify(ctx context.Context, pw, hash string) (match, outdated bool, err error) {
	stored := new(argon2id.Params)
	if hash != "" {
		if stored, _, _, err = argon2id.DecodeHash(hash); err != nil {
			return false, false, fmt.Errorf("password: stored hash: %w", err)
		}
		if err := validate(*stored); err != nil {
			return false, false, err
		}
	}
	release, err := h.acquire(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	for _, candidate := range h.candidates(*stored, hash) {
		equal, err := h.engine.Compare(Normalize(pw), candidate)
		if err == nil {
			err = late(ctx)
		}
		if err != nil {
			return false, false, err
		}
		match = match || equal && candidate == hash
	}
	return match, match && weaker(*stored, h.params), nil
}

// candidates returns the hashes to compute: the decoys, with hash in place of the one
// with its parameters.
func (h *Hasher) candidates(params argon2id.Params, hash string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if hash != "" {
		h.expect(params) // from now on, another process may have changed them
	}
	placed := hash == ""
	var all []string
	for _, d := range h.decoys {
		if d.params == params && !placed {
			d.hash, placed = hash, true
		}
		all = append(all, d.hash)
	}
	if !placed {
		all = append(all, hash)
	}
	return all
}

// acquire waits for a free worker. The caller must call release when done.
func (h *Hasher) acquire(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case h.callers <- struct{}{}:
	default:
		return nil, ErrBusy
	}
	start := time.Now()
	select {
	case h.running <- struct{}{}:
		if h.waited != nil {
			h.waited(time.Since(start))
		}
		return func() { <-h.running; <-h.callers }, nil
	case <-ctx.Done():
		<-h.callers
		if err := late(ctx); err != nil {
			return nil, err
		}
		return nil, ctx.Err()
	}
}

// late returns ErrBusy if the caller's time is up, because hashing took all of it.
func late(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrBusy
	}
	return nil
}

// validate rejects parameters that make argon2 panic (no pass, no lane), exceed the
// limits above, or give an empty key, which any password matches.
func validate(p argon2id.Params) error {
	if p.Memory > MaxMemory ||
		p.Iterations < 1 || p.Iterations > MaxIterations ||
		p.Parallelism < 1 || p.Parallelism > MaxParallelism ||
		p.SaltLength < 8 || p.SaltLength > 64 ||
		p.KeyLength < 16 || p.KeyLength > 64 {
		return fmt.Errorf("password: argon2id parameters out of range: %+v", p)
	}
	return nil
}

// weaker reports whether any parameter of p is below that of current.
func weaker(p, current argon2id.Params) bool {
	return p.Memory < current.Memory ||
		p.Iterations < current.Iterations ||
		p.Parallelism < current.Parallelism ||
		p.SaltLength < current.SaltLength ||
		p.KeyLength < current.KeyLength
}
