package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// maxAnswer is the largest answer of a provider that is read, in bytes.
const maxAnswer = 1 << 20

// newHTTP returns a client that waits for at most timeout, reads at most maxAnswer, and
// follows no redirect: a secret goes nowhere else.
func newHTTP(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		Transport:     limited{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// withHTTP makes the libraries use such a client.
func withHTTP(ctx context.Context, timeout time.Duration) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, newHTTP(timeout))
}

// limited fails answers that are larger than maxAnswer.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
	}
	return response, err
}

// getJSON asks for what a token gives access to.
func getJSON(ctx context.Context, client *http.Client, address string, token *oauth2.Token, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	token.SetAuthHeader(r)
	response, err := client.Do(r) // #nosec G704 -- the operator's setting names the provider
	if err != nil {
		return connectionError(err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode >= 500:
		return fmt.Errorf("%w: %s answers %s", ErrUnavailable, r.URL.Path, response.Status)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: %s answers %s", ErrRefused, r.URL.Path, response.Status)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return connectionError(err)
	}
	if json.Unmarshal(body, into) != nil {
		return errors.Join(ErrRefused, fmt.Errorf("the answer of %s can't be read", r.URL.Path))
	}
	return nil
}
