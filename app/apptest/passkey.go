package apptest

import (
	"net/http"
	"net/url"

	"github.com/descope/virtualwebauthn"

	"vestibule/models"
)

// SecurityKey is an authenticator that holds one passkey. A test changes what it says.
type SecurityKey struct {
	RP   virtualwebauthn.RelyingParty // what it takes the site for
	Says virtualwebauthn.AuthenticatorOptions
	Key  virtualwebauthn.Credential
	// AAGUID is what kind of authenticator it is.
	AAGUID [16]byte
}

// SecurityKey returns a new authenticator for this site's visitor.
func (s *Site) SecurityKey() *SecurityKey {
	s.T.Helper()
	base, err := url.Parse(s.BaseURL)
	if err != nil {
		s.T.Fatal(err)
	}
	return &SecurityKey{
		RP:  virtualwebauthn.RelyingParty{ID: base.Hostname(), Origin: s.BaseURL},
		Key: NewCredential(),
	}
}

// coseLength is the length of a P-256 key in COSE's form.
const coseLength = 77

// NewCredential returns a new key. The library drops leading zeros of a key's numbers,
// which makes one key of 128 invalid, so it tries again.
func NewCredential() virtualwebauthn.Credential {
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == coseLength {
			return c
		}
	}
}

func (a *SecurityKey) device() virtualwebauthn.Authenticator {
	return virtualwebauthn.Authenticator{Options: a.Says, Aaguid: a.AAGUID}
}

// Create answers the options for a new passkey, as a browser does.
func (a *SecurityKey) Create(options *Answer) string {
	options.T.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options.Wants(http.StatusOK).Body)
	if err != nil {
		options.T.Fatal(err)
	}
	a.Says.UserHandle = []byte(o.UserID)
	return virtualwebauthn.CreateAttestationResponse(a.RP, a.device(), a.Key, *o)
}

// Sign answers the options for a sign-in or a confirmation.
func (a *SecurityKey) Sign(options *Answer) string {
	options.T.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options.Wants(http.StatusOK).Body)
	if err != nil {
		options.T.Fatal(err)
	}
	a.Key.Counter++
	return virtualwebauthn.CreateAssertionResponse(a.RP, a.device(), a.Key, *o)
}

// AddPasskey adds the passkey of a to the visitor's account.
func (v *Visitor) AddPasskey(a *SecurityKey, options ...Option) *Answer {
	v.T.Helper()
	answer := a.Create(v.Post("/account/passkeys/options", nil))
	return v.Submit(v.Get("/account/passkeys").Wants(http.StatusOK).Page(), "form#add-passkey", Fill("credential", answer), options...)
}

// SignInWith signs in with the passkey of a.
func (v *Visitor) SignInWith(a *SecurityKey, options ...Option) *Answer {
	v.T.Helper()
	answer := a.Sign(v.Post("/sign-in/passkey", nil))
	return v.Submit(v.Get("/sign-in").Wants(http.StatusOK).Page(), "form#sign-in", Fill("credential", answer), options...)
}

// ConfirmWith confirms who the visitor is, on a page that asks for it, with the passkey of a.
func (v *Visitor) ConfirmWith(page *Answer, a *SecurityKey, options ...Option) *Answer {
	v.T.Helper()
	return v.Submit(page, SudoForm, Fill("sudo_credential", v.Confirmation(a)), options...)
}

// JoinWith signs p up and in without a password, with the passkey of a.
func (v *Visitor) JoinWith(p Person, a *SecurityKey, options ...Option) *Answer {
	v.T.Helper()
	form := With(p.Form(), "password", "", "confirm_password", "")
	form.Set("credential", a.Create(v.Post("/sign-up/passkey", form)))
	return v.Submit(v.Get("/sign-up").Wants(http.StatusOK).Page(), "form#sign-up", form, options...)
}

// Confirmation is what a passkey answers on a form that asks who the visitor is.
func (v *Visitor) Confirmation(a *SecurityKey) string {
	v.T.Helper()
	return a.Sign(v.Post("/account/passkeys/confirm", nil))
}

// Passkeys reads the table.
func (s *Site) Passkeys() (passkeys []models.Passkey) {
	s.T.Helper()
	if err := s.DB.Bun().NewSelect().Model(&passkeys).Order("id").Scan(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	return passkeys
}
