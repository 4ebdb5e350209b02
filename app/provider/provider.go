// Package provider signs people in by the accounts that they have elsewhere: with OpenID
// Connect, or on GitHub with OAuth 2. It knows no page.
package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Errors of providers and of their answers. Others wrap them.
var (
	ErrCanceled    = errors.New("the person canceled")
	ErrUnavailable = errors.New("the provider can't be reached, or has a fault")
	ErrRefused     = errors.New("the provider refused, or its answer proves nothing")
)

// Provider is where people have an account. It is safe for concurrent use.
type Provider struct {
	Config
	protocol protocol
}

// protocol is what providers differ in.
type protocol interface {
	// client returns how to speak to the provider.
	client(ctx context.Context) (*oauth2.Config, error)
	// checkIssuer returns an error if the answer comes from another provider.
	checkIssuer(ctx context.Context, answer url.Values) error
	// person returns whom a token is about, if it answers r.
	person(ctx context.Context, token *oauth2.Token, r Request) (*Person, error)
}

// New returns a provider whose answers come to callback, a URL of the site. The config
// must be complete.
func New(config Config, callback string) *Provider {
	p := &Provider{Config: config}
	template := oauth2.Config{ClientID: config.ClientID, ClientSecret: config.ClientSecret, Scopes: config.Scopes, RedirectURL: callback}
	if config.gitHub() {
		p.protocol = newGitHub(config, template)
	} else {
		p.protocol = newOpenID(config, template)
	}
	return p
}

// Request is what the answer of a provider is checked against. State, nonce and verifier
// are random and count once.
type Request struct {
	State    string
	Nonce    string    // comes back in the ID token
	Verifier string    // proves that the code is ours (PKCE, RFC 7636)
	Since    time.Time // when the person must have signed in at the provider, if that says so; zero for any time
}

// NewVerifier returns a verifier for a Request.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// Person is somebody in the words of a provider. Issuer and Subject say who it is, and
// nothing else does.
type Person struct {
	Issuer, Subject string

	Email         string
	EmailVerified bool // the provider says that it is theirs

	FirstName, LastName string
	Username            string // at the provider
	SessionID           string // of the provider; may be empty
}

// maxTime is how long the questions to a provider take that follow its answer.
const maxTime = 15 * time.Second

// Begin returns the URL of the provider at which a person signs in.
func (p *Provider) Begin(ctx context.Context, r Request) (string, error) {
	client, err := p.protocol.client(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(r.Verifier)}
	if !p.gitHub() {
		options = append(options, oauth2.SetAuthURLParam("nonce", r.Nonce))
	}
	if p.PostsAnswer() {
		options = append(options, oauth2.SetAuthURLParam("response_mode", "form_post"))
	}
	if !r.Since.IsZero() {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return client.AuthCodeURL(r.State, options...), nil
}

// Finish returns who signed in at the provider, by the parameters of its answer to r. It
// returns ErrCanceled, ErrUnavailable or ErrRefused if nobody did.
func (p *Provider) Finish(ctx context.Context, r Request, answer url.Values) (*Person, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	if err := p.protocol.checkIssuer(ctx, answer); err != nil {
		return nil, err
	}
	if err := answerError(answer.Get("error")); err != nil {
		return nil, err
	}
	client, err := p.protocol.client(ctx)
	if err != nil {
		return nil, err
	}
	token, err := client.Exchange(withHTTP(ctx, p.Timeout), answer.Get("code"), oauth2.VerifierOption(r.Verifier))
	if err != nil {
		return nil, exchangeError(err)
	}
	person, err := p.protocol.person(ctx, token, r)
	if err != nil {
		return nil, err
	}
	const maxSubject = 255 // OpenID Connect Core 1.0, 2
	if person.Subject == "" || len(person.Subject) > maxSubject {
		return nil, fmt.Errorf("%w: the subject has %d characters", ErrRefused, len(person.Subject))
	}
	if person.FirstName == "" {
		person.FirstName, person.LastName = p.appleName(answer)
	}
	return person, nil
}

// answerError returns the error that the code in an answer stands for (RFC 6749, 4.1.2.1).
func answerError(code string) error {
	switch code {
	case "":
		return nil
	case "access_denied", "user_cancelled_authorize": // the latter is Apple's
		return ErrCanceled
	case "server_error", "temporarily_unavailable":
		return fmt.Errorf("%w: %s", ErrUnavailable, code)
	}
	return fmt.Errorf("%w: it says %.60q", ErrRefused, code)
}

// exchangeError returns the error of a code that gave no token, without what the provider
// has written.
func exchangeError(err error) error {
	failed := new(oauth2.RetrieveError)
	switch {
	case !errors.As(err, &failed):
		return connectionError(err)
	case failed.Response.StatusCode >= 500:
		return fmt.Errorf("%w: the token endpoint answers %s", ErrUnavailable, failed.Response.Status)
	}
	return fmt.Errorf("%w: the token endpoint answers %s, %.60q", ErrRefused, failed.Response.Status, failed.ErrorCode)
}

// connectionError tells an answer that can't be read from one that never came.
func connectionError(err error) error {
	if errors.As(err, new(*url.Error)) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %.200s", ErrUnavailable, err.Error())
	}
	return fmt.Errorf("%w: %.200s", ErrRefused, err.Error())
}
