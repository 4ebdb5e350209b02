// Package breached checks new passwords against those exposed in data breaches, with an
// offline filter or a range service (ASVS 5.0, 6.2.12).
package breached

import (
	"context"
	"crypto/sha1" // #nosec G505 -- the public lists are of SHA-1
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Checker checks whether passwords were exposed in data breaches. It is safe for concurrent
// use.
type Checker interface {
	// Has reports whether pw, in its normal form, was exposed.
	Has(ctx context.Context, pw string) (bool, error)
	// Offline reports whether Has works without a service. Then it may be called as a person types.
	Offline() bool
}

// Open returns the Checker that the setting BREACHED_PASSWORDS names: the file of a
// [Filter], or the https URL of a [Range]. It returns nil if source is empty, and an error
// if it names neither.
func Open(source string) (Checker, error) {
	switch u, err := url.Parse(source); {
	case source == "":
		return nil, nil
	case err == nil && strings.Contains(source, "://"):
		if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") || u.Host == "" || u.RawQuery != "" {
			return nil, errors.New("a range service needs an https URL such as https://api.pwnedpasswords.com/range/")
		}
		return NewRange(u), nil
	}
	f, err := OpenFilter(source)
	if err != nil {
		return nil, fmt.Errorf("%w; vestibule breached build makes one", err)
	}
	return f, nil
}

// digest returns the SHA-1 of pw as the lists have it, in upper case.
func digest(pw string) string {
	sum := sha1.Sum([]byte(pw)) // #nosec G401 -- the public lists are of SHA-1
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
