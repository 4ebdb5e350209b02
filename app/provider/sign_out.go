package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// SignOutURL returns the URL at which a person signs out at the provider, which then leads
// to back (OpenID Connect RP-Initiated Logout 1.0). It returns none if the provider has no
// such page.
func (p *Provider) SignOutURL(ctx context.Context, back string) (string, error) {
	o, ok := p.protocol.(*openID)
	if !ok {
		return "", nil
	}
	d, err := o.discover(ctx)
	if err != nil {
		return "", err
	}
	address, err := url.Parse(d.EndSession)
	if base, _, _ := strings.Cut(d.EndSession, "?"); err != nil || !isSecure(base) {
		return "", nil
	}
	query := address.Query()
	query.Set("client_id", p.ClientID)
	query.Set("post_logout_redirect_uri", back)
	address.RawQuery = query.Encode()
	return address.String(), nil
}

// SignedOut says who has signed out at a provider: the subject, on all their devices or in
// one session.
type SignedOut struct {
	Issuer    string
	Subject   string    // may be empty if SessionID isn't
	SessionID string    // empty for all sessions
	Until     time.Time // sessions that began later aren't meant
}

// ReadSignOut checks a token by which a provider says that somebody has signed out (OpenID
// Connect Back-Channel Logout 1.0). It returns ErrRefused if the token proves nothing, and
// ErrUnavailable if that can't be told.
func (p *Provider) ReadSignOut(ctx context.Context, token string) (*SignedOut, error) {
	o, ok := p.protocol.(*openID)
	if !ok {
		return nil, ErrRefused
	}
	d, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	if kind := kindOf(token); kind != "logout+jwt" { // an ID token is signed by the same key
		return nil, fmt.Errorf("%w: the token is a %.60q", ErrRefused, kind)
	}
	t, err := d.verifier.VerifyLogout(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: %.200s", ErrRefused, err.Error())
	}
	var c claims
	if err := t.Claims(&c); err != nil || strings.ReplaceAll(d.Issuer, microsoftTenant, c.Tenant) != t.Issuer || len(t.Audience) != 1 || t.IssuedAt.IsZero() {
		return nil, fmt.Errorf("%w: the claims are wrong", ErrRefused)
	}
	return &SignedOut{Issuer: t.Issuer, Subject: t.Subject, SessionID: t.SessionID, Until: t.IssuedAt.Add(clockSkew)}, nil
}

// kindOf returns what a token says that it is, before its signature is checked.
func kindOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	var kind struct{ Typ string }
	if err != nil || json.Unmarshal(text, &kind) != nil {
		return ""
	}
	return kind.Typ
}
