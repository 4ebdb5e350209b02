package password

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/argon2id"
)

// cheap keeps the tests fast; it is far too weak for real passwords.
var cheap = argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

func newHasher(t testing.TB, params argon2id.Params, workers, queue int) *Hasher {
	t.Helper()
	h, err := NewHasher(Here, params, workers, queue)
	if err != nil {
		t.Fatalf("NewHasher: %v", err)
	}
	return h
}

func mustHash(t testing.TB, h *Hasher, pw string) string {
	t.Helper()
	hash, err := h.Hash(t.Context(), pw)
	if err != nil {
		t.Fatalf("Hash: %v", err)
	}
	return hash
}

func TestNewHasherParams(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*argon2id.Params)
		ok     bool
	}{
		"default":             {func(*argon2id.Params) {}, true},
		"no iterations":       {func(p *argon2id.Params) { p.Iterations = 0 }, false},
		"no lanes":            {func(p *argon2id.Params) { p.Parallelism = 0 }, false},
		"most memory":         {func(p *argon2id.Params) { p.Memory = MaxMemory + 1 }, false},
		"too many iterations": {func(p *argon2id.Params) { p.Iterations = MaxIterations + 1 }, false},
		"too many lanes":      {func(p *argon2id.Params) { p.Parallelism = MaxParallelism + 1 }, false},
		"short salt":          {func(p *argon2id.Params) { p.SaltLength = 7 }, false},
		"short key":           {func(p *argon2id.Params) { p.KeyLength = 15 }, false},
		"huge key":            {func(p *argon2id.Params) { p.KeyLength = 1 << 31 }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params := DefaultParams
			tt.change(&params)
			if _, err := NewHasher(Here, params, 0, 0); (err == nil) != tt.ok {
				t.Errorf("NewHasher(%+v): error %v, want ok %v", params, err, tt.ok)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 0, 0)
	long := strings.Repeat("x", MaxLength)
	tests := map[string]struct {
		set, given string
		match      bool
	}{
		"same":                         {"correct horse", "correct horse", true},
		"wrong":                        {"correct horse", "correct house", false},
		"other case":                   {"correct horse", "Correct horse", false},
		"surrounding space":            {"correct horse", "correct horse ", false},
		"empty given":                  {"correct horse", "", false},
		"decomposed for composed":      {"caf\u00e9 au lait", "cafe\u0301 au lait", true},
		"composed for decomposed":      {"cafe\u0301 au lait", "caf\u00e9 au lait", true},
		"compatibility form differs":   {"o\ufb03ce hours", "office hours", false}, // NFC, not NFKC
		"the last character matters":   {long, long[1:] + "y", false},
		"no truncation at 72 (bcrypt)": {long, long[:72], false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			match, outdated, err := h.Verify(t.Context(), tt.given, mustHash(t, h, tt.set))
			if match != tt.match || outdated || err != nil {
				t.Errorf("Verify = %v, %v, %v; want %v, false, nil", match, outdated, err, tt.match)
			}
		})
	}
}

func TestHashFormat(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 0, 0)
	first, second := mustHash(t, h, "correct horse"), mustHash(t, h, "correct horse")
	if want := "$argon2id$v=19$m=64,t=1,p=1$"; !strings.HasPrefix(first, want) {
		t.Errorf("Hash = %q, want prefix %q", first, want)
	}
	if first == second {
		t.Error("two hashes of one password are equal: the salt is not random")
	}
	if _, salt, key, err := argon2id.DecodeHash(first); err != nil || len(salt) < 16 || len(key) < 32 {
		t.Errorf("the salt has %d bytes and the hash %d (%v), want 16 and 32", len(salt), len(key), err)
	}
}

func TestVerifyUnknownUser(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 1)
	for _, pw := range []string{"", "correct horse"} {
		match, outdated, err := h.Verify(t.Context(), pw, "")
		if match || outdated || err != nil {
			t.Errorf("Verify(%q, no hash) = %v, %v, %v; want false, false, nil", pw, match, outdated, err)
		}
	}
}

// counting is an engine that records with which parameters it computes.
type counting struct {
	Engine
	computed []argon2id.Params
}

func (e *counting) Compare(pw, hash string) (bool, error) {
	params, _, _, err := argon2id.DecodeHash(hash)
	if err == nil {
		e.computed = append(e.computed, *params)
	}
	return e.Engine.Compare(pw, hash)
}

// TestSameWork compares what is computed for a user with a hash of each cost, and for
// nobody, after the configured cost has changed.
func TestSameWork(t *testing.T) {
	t.Parallel()
	dear := cheap
	dear.Iterations = 3
	hashes := map[string]string{
		"cheap":  mustHash(t, newHasher(t, cheap, 0, 0), "correct horse"),
		"dear":   mustHash(t, newHasher(t, dear, 0, 0), "correct horse"),
		"nobody": "",
	}
	for name, configured := range map[string]argon2id.Params{"raised": dear, "lowered": cheap} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := &counting{Engine: Here}
			h, err := NewHasher(engine, configured, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			h.Expect([]string{hashes["cheap"], "no hash", hashes["dear"], hashes["cheap"]})
			for who, hash := range hashes {
				for _, pw := range []string{"correct horse", "wrong"} {
					engine.computed = nil
					match, outdated, err := h.Verify(t.Context(), pw, hash)
					if err != nil || match != (pw == "correct horse" && hash != "") || outdated != (match && who == "cheap" && name == "raised") {
						t.Errorf("Verify(%q, %s) = %v, %v, %v", pw, who, match, outdated, err)
					}
					if got := engine.computed; len(got) != 2 || !slices.Contains(got, cheap) || !slices.Contains(got, dear) {
						t.Errorf("%q for %s computes %v, want one hash of each cost", pw, who, got)
					}
				}
			}
			h.Expect(nil) // nobody has an older hash any more
			engine.computed = nil
			if _, _, err := h.Verify(t.Context(), "wrong", ""); err != nil || !slices.Equal(engine.computed, []argon2id.Params{configured}) {
				t.Errorf("without older hashes, it computes %v (%v)", engine.computed, err)
			}
		})
	}
}

func TestVerifyOutdated(t *testing.T) {
	t.Parallel()
	current := argon2id.Params{Memory: 128, Iterations: 2, Parallelism: 2, SaltLength: 16, KeyLength: 32}
	h := newHasher(t, current, 0, 0)
	tests := map[string]struct {
		change   func(*argon2id.Params)
		outdated bool
	}{
		"same":             {func(*argon2id.Params) {}, false},
		"less memory":      {func(p *argon2id.Params) { p.Memory-- }, true},
		"more memory":      {func(p *argon2id.Params) { p.Memory++ }, false},
		"fewer iterations": {func(p *argon2id.Params) { p.Iterations-- }, true},
		"more iterations":  {func(p *argon2id.Params) { p.Iterations++ }, false},
		"fewer lanes":      {func(p *argon2id.Params) { p.Parallelism-- }, true},
		"more lanes":       {func(p *argon2id.Params) { p.Parallelism++ }, false},
		"shorter salt":     {func(p *argon2id.Params) { p.SaltLength-- }, true},
		"shorter key":      {func(p *argon2id.Params) { p.KeyLength-- }, true},
		"longer key":       {func(p *argon2id.Params) { p.KeyLength++ }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			params := current
			tt.change(&params)
			hash := mustHash(t, newHasher(t, params, 0, 0), "correct horse")

			match, outdated, err := h.Verify(t.Context(), "correct horse", hash)
			if !match || outdated != tt.outdated || err != nil {
				t.Errorf("Verify = %v, %v, %v; want true, %v, nil", match, outdated, err, tt.outdated)
			}
			match, outdated, err = h.Verify(t.Context(), "wrong", hash)
			if match || outdated || err != nil {
				t.Errorf("Verify(wrong) = %v, %v, %v; want false, false, nil", match, outdated, err)
			}
		})
	}
}

const (
	salt = "c29tZXNhbHRzb21lc2FsdA"
	key  = "RdescudvJCsgt3ub+b+dWRWJTmaaJObG0Wmn0nGqrZM"
)

var malformed = map[string]string{
	"text":             "hunter2",
	"bcrypt":           "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
	"argon2i":          "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key,
	"old version":      "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
	"no parameters":    "$argon2id$v=19$$" + salt + "$" + key,
	"no key":           "$argon2id$v=19$m=64,t=1,p=1$" + salt,
	"empty key":        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
	"short key":        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$c29tZXNhbHQ",
	"empty salt":       "$argon2id$v=19$m=64,t=1,p=1$$" + key,
	"padded":           "$argon2id$v=19$m=64,t=1,p=1$" + salt + "==$" + key + "=",
	"not base64":       "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$?" + key,
	"long key":         "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("AAAA", 22),
	"4 GiB":            "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key,
	"4 TiB":            "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key,
	"memory overflow":  "$argon2id$v=19$m=4294967296,t=1,p=1$" + salt + "$" + key,
	"memory negative":  "$argon2id$v=19$m=-64,t=1,p=1$" + salt + "$" + key,
	"no iterations":    "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key,
	"endless":          "$argon2id$v=19$m=64,t=4294967295,p=1$" + salt + "$" + key,
	"no lanes":         "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
	"255 lanes":        "$argon2id$v=19$m=64,t=1,p=255$" + salt + "$" + key,
	"lanes overflow":   "$argon2id$v=19$m=64,t=1,p=257$" + salt + "$" + key,
	"trailing segment": "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "$",
}

func TestVerifyMalformed(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 0, 0)
	for name, hash := range malformed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			match, outdated, err := h.Verify(t.Context(), "hunter2", hash)
			if match || outdated || err == nil {
				t.Errorf("Verify = %v, %v, %v; want false, false, an error", match, outdated, err)
			}
		})
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, cheap, 1, 1)
		hash := mustHash(t, h, "correct horse")

		release, err := h.acquire(t.Context()) // the only worker
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		wait := func(ctx context.Context) {
			match, _, err := h.Verify(ctx, "correct horse", hash)
			if match != (err == nil) {
				t.Errorf("Verify = %v, %v", match, err)
			}
			waiting <- err
		}

		ctx, cancel := context.WithCancel(t.Context())
		go wait(ctx) // the only place in the queue
		synctest.Wait()
		if _, err := h.Hash(t.Context(), "correct horse"); !errors.Is(err, ErrBusy) {
			t.Errorf("Hash with a full queue: %v, want ErrBusy", err)
		}
		if _, _, err := h.Verify(t.Context(), "correct horse", ""); !errors.Is(err, ErrBusy) {
			t.Errorf("Verify with a full queue: %v, want ErrBusy", err)
		}

		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("Verify whose context ended: %v, want context.Canceled", err)
		}

		go wait(t.Context()) // the place is free again
		synctest.Wait()
		release()
		if err := <-waiting; err != nil {
			t.Errorf("Verify after a worker got free: %v", err)
		}
		mustHash(t, h, "nothing is left behind")
	})
}

// slow is an engine that takes a minute.
type slow struct{ Engine }

func (e slow) Create(pw string, params argon2id.Params) (string, error) {
	time.Sleep(time.Minute)
	return e.Engine.Create(pw, params)
}

func (e slow) Compare(pw, hash string) (bool, error) {
	time.Sleep(time.Minute)
	return e.Engine.Compare(pw, hash)
}

// TestTimeIsUp has the time end before a hash has its turn, and before it is done.
func TestTimeIsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := NewHasher(slow{Here}, cheap, 1, 4)
		if err != nil {
			t.Fatal(err)
		}
		hash := mustHash(t, h, "correct horse")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if hash, err := h.Hash(ctx, "correct horse"); !errors.Is(err, ErrBusy) || hash != "" {
					t.Errorf("Hash = %q, %v, want ErrBusy", hash, err)
				}
			})
			group.Go(func() {
				if match, _, err := h.Verify(ctx, "correct horse", hash); !errors.Is(err, ErrBusy) || match {
					t.Errorf("Verify = %v, %v, want ErrBusy", match, err)
				}
			})
		}
		group.Wait()
	})
}

func TestContextAlreadyEnded(t *testing.T) {
	t.Parallel()
	h := newHasher(t, cheap, 1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "correct horse"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash: %v, want context.Canceled", err)
	}
	if _, _, err := h.Verify(ctx, "correct horse", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify: %v, want context.Canceled", err)
	}
}

func FuzzVerify(f *testing.F) {
	h := newHasher(f, cheap, 0, 0)
	f.Add("correct horse", "")
	f.Add("correct horse", mustHash(f, h, "correct horse"))
	for _, hash := range malformed {
		f.Add("hunter2", hash)
	}
	f.Fuzz(func(t *testing.T, pw, hash string) {
		if p, _, _, err := argon2id.DecodeHash(hash); err == nil &&
			validate(*p) == nil && (p.Memory > 1024 || p.Iterations > 4) {
			t.Skip("valid, but slow")
		}
		match, outdated, err := h.Verify(t.Context(), pw, hash)
		if match && (hash == "" || err != nil) || outdated && !match {
			t.Errorf("Verify(%q, %q) = %v, %v, %v", pw, hash, match, outdated, err)
		}
		if hash == "" && err != nil {
			t.Errorf("unknown user: %v", err)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	h := newHasher(b, DefaultParams, 0, 0)
	b.ReportAllocs()
	for b.Loop() {
		mustHash(b, h, "correct horse battery staple")
	}
}
