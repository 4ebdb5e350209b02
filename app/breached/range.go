package breached

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Range asks a service for all known passwords whose SHA-1 begins with the same five
// digits, so that the service doesn't learn which one is meant (k-anonymity).
type Range struct {
	base   *url.URL
	client *http.Client
}

// Limits on an answer of a range service. With padding it has at most 2,000 lines.
const (
	rangeTimeout = 2 * time.Second
	maxRange     = 1 << 20
	prefixDigits = 5
)

// NewRange returns a Range that asks the service at base, to which it adds five digits.
func NewRange(base *url.URL) *Range {
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Range{base, &http.Client{Timeout: rangeTimeout, CheckRedirect: refuse}}
}

// Offline returns false.
func (r *Range) Offline() bool { return false }

// Has reports whether pw is known. It returns an error if the service doesn't answer within
// two seconds, or with something else than a range.
func (r *Range) Has(ctx context.Context, pw string) (bool, error) {
	hash := digest(pw)
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base.JoinPath(hash[:prefixDigits]).String(), nil) // #nosec G125 -- hexadecimal digits
	if err != nil {
		return false, err
	}
	asked.Header.Set("Add-Padding", "true") // so that the size of the answer tells nothing
	asked.Header.Set("User-Agent", "Vestibule")
	answer, err := r.client.Do(asked)
	if err != nil {
		return false, fmt.Errorf("%s doesn't answer: %w", r.base.Host, withoutURL(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s answers %s", r.base.Host, answer.Status)
	}
	found, lines := false, bufio.NewScanner(io.LimitReader(answer.Body, maxRange))
	for lines.Scan() {
		suffix, count, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if !ok || len(suffix) != len(hash)-prefixDigits {
			return false, fmt.Errorf("%s doesn't answer with a range", r.base.Host)
		}
		if strings.EqualFold(suffix, hash[prefixDigits:]) && count != "0" { // padding has 0
			found = true
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("%s doesn't answer with a range: %w", r.base.Host, withoutURL(err))
	}
	return found, nil
}

// withoutURL removes the URL from an error of a client: its last part is of a password.
func withoutURL(err error) error {
	if failed, ok := err.(*url.Error); ok {
		return failed.Err
	}
	return err
}
