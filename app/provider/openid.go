package provider

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// clockSkew is how far apart the clocks of the site and of a provider may be.
const clockSkew = time.Minute

// openID is the protocol of OpenID Connect Core 1.0 and Discovery 1.0.
type openID struct {
	Config
	template oauth2.Config // without endpoints

	found   atomic.Pointer[discovery]
	finding singleflight.Group
}

func newOpenID(config Config, template oauth2.Config) *openID {
	return &openID{Config: config, template: template}
}

// discovery is what a provider says about itself.
type discovery struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	at       time.Time

	Issuer      string   `json:"issuer"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	NamesIssuer bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	JWKS        string   `json:"jwks_uri"`
	EndSession  string   `json:"end_session_endpoint"`
}

// discoveryLife is how long the site believes what a provider says about itself. Its keys
// are read again sooner if one is missing.
const discoveryLife = time.Hour

// discover returns what the provider says about itself. It asks at the first call, so that
// a provider that is down doesn't keep the site from starting.
func (o *openID) discover(ctx context.Context) (*discovery, error) {
	known := o.found.Load()
	if known != nil && time.Since(known.at) < discoveryLife {
		return known, nil
	}
	asked := o.finding.DoChan("", func() (any, error) {
		d, err := o.fetch(context.WithoutCancel(ctx)) // others wait for it too
		if err == nil {
			o.found.Store(d)
		}
		return d, err
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	case result := <-asked:
		if result.Err == nil {
			return result.Val.(*discovery), nil
		}
		if known != nil { // what it said before
			return known, nil
		}
		return nil, result.Err
	}
}

func (o *openID) fetch(ctx context.Context) (*discovery, error) {
	ctx = withHTTP(ctx, o.Timeout)
	expected, tenants := o.issuer()
	if tenants {
		ctx = oidc.InsecureIssuerURLContext(ctx, expected)
	}
	provider, err := oidc.NewProvider(ctx, o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %.200s", ErrUnavailable, err.Error())
	}
	d := &discovery{provider: provider, at: time.Now()}
	if err := provider.Claims(d); err != nil {
		return nil, fmt.Errorf("%w: its discovery can't be read", ErrUnavailable)
	}
	if d.Issuer != expected {
		return nil, fmt.Errorf("%w: its discovery is that of %.200q", ErrRefused, d.Issuer)
	}
	for _, address := range []string{provider.Endpoint().AuthURL, provider.Endpoint().TokenURL, d.JWKS} {
		if base, _, _ := strings.Cut(address, "?"); !isSecure(base) {
			return nil, fmt.Errorf("%w: its discovery has the address %.200q", ErrRefused, address)
		}
	}
	d.verifier = provider.VerifierContext(ctx, &oidc.Config{
		ClientID:        o.ClientID,
		SkipIssuerCheck: tenants, // checked by accepts
		Now:             func() time.Time { return time.Now().Add(-clockSkew) },
	})
	return d, nil
}

// microsoftTenant stands for the id of a tenant in Microsoft's issuers.
const microsoftTenant = "{tenantid}"

// issuer returns the issuer that the provider's discovery must name. Microsoft's says that
// each tenant has an issuer of its own, if the site admits several.
func (o *openID) issuer() (expected string, tenants bool) {
	for _, several := range []string{"common", "organizations"} {
		if o.Issuer == "https://login.microsoftonline.com/"+several+"/v2.0" {
			return "https://login.microsoftonline.com/" + microsoftTenant + "/v2.0", true
		}
	}
	return o.Issuer, false
}

func (o *openID) client(ctx context.Context) (*oauth2.Config, error) {
	d, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	client := o.template
	client.Endpoint = d.provider.Endpoint()
	// Not by trying, which some providers take for an attack.
	client.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if len(d.AuthMethods) > 0 && !slices.Contains(d.AuthMethods, "client_secret_basic") {
		client.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &client, nil
}

// checkIssuer refuses the answer of another provider (RFC 9207).
func (o *openID) checkIssuer(ctx context.Context, answer url.Values) error {
	d, err := o.discover(ctx)
	if err != nil {
		return err
	}
	issuer, named := answer.Get("iss"), answer.Has("iss")
	before, after, tenants := strings.Cut(d.Issuer, microsoftTenant)
	switch {
	case !named && !d.NamesIssuer:
		return nil
	case issuer == d.Issuer, tenants && strings.HasPrefix(issuer, before) && strings.HasSuffix(issuer, after):
		return nil
	}
	return fmt.Errorf("%w: the answer is that of %.200q", ErrRefused, issuer)
}

// claims are what an ID token, or the answer of the userinfo endpoint, says.
type claims struct {
	Subject           string    `json:"sub"`
	Email             string    `json:"email"`
	EmailVerified     looseBool `json:"email_verified"`
	GivenName         string    `json:"given_name"`
	FamilyName        string    `json:"family_name"`
	Name              string    `json:"name"`
	PreferredUsername string    `json:"preferred_username"`
	Party             string    `json:"azp"`
	Tenant            string    `json:"tid"` // Microsoft's
	Session           string    `json:"sid"`
	AuthTime          int64     `json:"auth_time"`
}

// looseBool is true, also as a string, which Apple sends.
type looseBool bool

func (b *looseBool) UnmarshalJSON(text []byte) error {
	*b = looseBool(bytes.Equal(bytes.Trim(text, `"`), []byte("true")))
	return nil
}

func (o *openID) person(ctx context.Context, token *oauth2.Token, r Request) (*Person, error) {
	d, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %.200s", ErrRefused, err.Error())
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return nil, fmt.Errorf("%w: the claims can't be read", ErrRefused)
	}
	if err := o.check(d, id, &c, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil {
		return nil, fmt.Errorf("%w: the access token is another one", ErrRefused)
	}
	if c.Email == "" && d.provider.UserInfoEndpoint() != "" {
		info, err := d.provider.UserInfo(withHTTP(ctx, o.Timeout), oauth2.StaticTokenSource(token))
		if err != nil {
			return nil, connectionError(err)
		}
		if info.Subject != id.Subject { // OpenID Connect Core 1.0, 5.3.2
			return nil, fmt.Errorf("%w: the userinfo is that of another subject", ErrRefused)
		}
		if err := info.Claims(&c); err != nil {
			return nil, fmt.Errorf("%w: the userinfo can't be read", ErrRefused)
		}
	}
	person := &Person{
		Issuer: id.Issuer, Subject: id.Subject,
		Email: c.Email, EmailVerified: bool(c.EmailVerified),
		FirstName: c.GivenName, LastName: c.FamilyName,
		Username:  c.PreferredUsername,
		SessionID: c.Session,
	}
	if person.FirstName == "" && person.LastName == "" {
		person.FirstName, person.LastName = splitName(c.Name)
	}
	return person, nil
}

// check returns what is wrong with an ID token whose signature, audience and time are right
// (OpenID Connect Core 1.0, 3.1.3.7).
func (o *openID) check(d *discovery, id *oidc.IDToken, c *claims, r Request) error {
	switch {
	case strings.ReplaceAll(d.Issuer, microsoftTenant, c.Tenant) != id.Issuer:
		return fmt.Errorf("the issuer is %.200q", id.Issuer)
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(r.Nonce)) != 1:
		return errors.New("the nonce is another one")
	case cmp.Or(c.Party, o.ClientID) != o.ClientID, len(id.Audience) > 1 && c.Party == "":
		return errors.New("the token is for another client")
	case c.AuthTime != 0 && !r.Since.IsZero() && time.Unix(c.AuthTime, 0).Before(r.Since.Add(-clockSkew)):
		return errors.New("the person didn't sign in again")
	}
	return nil
}

// appleName returns the name that Apple sends beside its first answer. Nobody signs it, so
// it only fills in a form.
func (p *Provider) appleName(answer url.Values) (first, last string) {
	if p.Name != appleName {
		return "", ""
	}
	var user struct {
		Name struct{ FirstName, LastName string }
	}
	if json.Unmarshal([]byte(answer.Get("user")), &user) != nil {
		return "", ""
	}
	return user.Name.FirstName, user.Name.LastName
}
