// Package passkey checks what authenticators answer (WebAuthn level 3), by the library
// go-webauthn. It knows no page and stores nothing.
package passkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"vestibule/models"
)

// ErrRefused means that an answer proves nothing: it is broken, or signed by another key,
// for another site or another challenge, or without the user's PIN or finger.
var ErrRefused = errors.New("the answer of the authenticator is refused")

// RelyingParty is the site, as authenticators know it.
type RelyingParty struct{ config *webauthn.WebAuthn }

// NewRelyingParty returns the site at baseURL, whose host is the id in each passkey.
// Pages at the origins in related may use its passkeys, too. It returns nil if the host
// is an IP address or no domain name, for which there are no passkeys.
func NewRelyingParty(baseURL string, related []string) (*RelyingParty, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, err
	}
	if protocol.ValidateRPID(base.Hostname()) != nil {
		return nil, nil
	}
	config, err := webauthn.New(&webauthn.Config{
		RPID:          base.Hostname(),
		RPDisplayName: "Vestibule",
		RPOrigins:     append([]string{baseURL}, related...),
		// What the device is made of is no business of the site.
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification:   protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: models.CeremonyLife},
			Registration: webauthn.TimeoutConfig{Timeout: models.CeremonyLife},
		},
		// Some password managers answer more than they were asked.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, err
	}
	if _, err := config.RelatedOrigins(); err != nil && len(related) > 0 {
		return nil, err
	}
	return &RelyingParty{config}, nil
}

// ID returns the site's id in each passkey.
func (rp *RelyingParty) ID() string { return rp.config.Config.RPID }

// RelatedOrigins returns what browsers read at /.well-known/webauthn (WebAuthn level 3,
// 5.11).
func (rp *RelyingParty) RelatedOrigins() ([]byte, error) {
	related, err := rp.config.RelatedOrigins()
	if err != nil {
		return nil, err
	}
	return json.Marshal(related)
}

// Owner is a user with their passkeys.
type Owner struct {
	User     *models.User
	Handle   []byte
	Passkeys []models.Passkey
}

// WebAuthnID returns the handle.
func (o *Owner) WebAuthnID() []byte { return o.Handle }

// WebAuthnName returns what authenticators list the passkey by.
func (o *Owner) WebAuthnName() string { return o.User.Login() }

// WebAuthnDisplayName returns the full name.
func (o *Owner) WebAuthnDisplayName() string { return o.User.FullName() }

// WebAuthnCredentials returns the passkeys in the library's form.
func (o *Owner) WebAuthnCredentials() []webauthn.Credential {
	credentials := make([]webauthn.Credential, len(o.Passkeys))
	for i, p := range o.Passkeys {
		credentials[i] = webauthn.Credential{
			ID:            p.CredentialID,
			PublicKey:     p.PublicKey,
			Transport:     transports(p.Transports),
			Flags:         webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: p.BackupEligible, BackupState: p.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID[:], SignCount: p.SignCount},
		}
	}
	return credentials
}

func transports(s string) (all []protocol.AuthenticatorTransport) {
	for _, name := range strings.Fields(s) {
		all = append(all, protocol.AuthenticatorTransport(name))
	}
	return all
}

// Begun is a ceremony that has begun: Options for the browser, and what to keep for the
// answer.
type Begun struct {
	Options   []byte // JSON
	Challenge string
	State     string
}

func begun(options any, session *webauthn.SessionData, err error) (*Begun, error) {
	if err != nil {
		return nil, err
	}
	b := &Begun{Challenge: session.Challenge}
	state, err := json.Marshal(session)
	if err != nil {
		return nil, err
	}
	b.State = string(state)
	b.Options, err = json.Marshal(options)
	return b, err
}

// BeginCreation begins to create a passkey for o, on an authenticator that has none yet.
func (rp *RelyingParty) BeginCreation(o *Owner) (*Begun, error) {
	exclude := make([]protocol.CredentialDescriptor, len(o.Passkeys))
	for i, credential := range o.WebAuthnCredentials() {
		exclude[i] = credential.Descriptor()
	}
	creation, session, err := rp.config.BeginRegistration(o, webauthn.WithExclusions(exclude))
	if err != nil {
		return nil, err
	}
	return begun(creation.Response, session, nil)
}

// FinishCreation returns the passkey in an answer. It returns ErrRefused if the answer is
// not that of an authenticator that began with state for o.
func (rp *RelyingParty) FinishCreation(o *Owner, state string, answer *Creation) (*models.Passkey, error) {
	session, err := sessionIn(state)
	if err != nil {
		return nil, err
	}
	c, err := rp.config.CreateCredential(o, *session, answer.parsed)
	if err != nil {
		return nil, refused(err)
	}
	aaguid, err := uuid.FromBytes(c.Authenticator.AAGUID)
	if err != nil {
		return nil, refused(err)
	}
	var names []string
	for _, t := range c.Transport {
		if len(names) < maxTransports && len(t) <= maxTransports {
			names = append(names, string(t))
		}
	}
	return &models.Passkey{
		CredentialID:   c.ID,
		PublicKey:      c.PublicKey,
		AAGUID:         aaguid,
		SignCount:      c.Authenticator.SignCount,
		Transports:     strings.Join(names, " "),
		BackupEligible: c.Flags.BackupEligible,
		BackedUp:       c.Flags.BackupState,
	}, nil
}

// maxTransports limits the number of transports, and the length of each.
const maxTransports = 16

// BeginSignIn begins to sign in whoever has a passkey of the site.
func (rp *RelyingParty) BeginSignIn() (*Begun, error) {
	assertion, session, err := rp.config.BeginDiscoverableLogin()
	if err != nil {
		return nil, err
	}
	return begun(assertion.Response, session, nil)
}

// BeginConfirm begins to ask for a passkey of o, who must have one.
func (rp *RelyingParty) BeginConfirm(o *Owner) (*Begun, error) {
	assertion, session, err := rp.config.BeginLogin(o)
	if err != nil {
		return nil, err
	}
	return begun(assertion.Response, session, nil)
}

// Use is a passkey that has signed.
type Use struct {
	Passkey   *models.Passkey
	SignCount uint32
	BackedUp  bool
}

// FinishSignIn returns which passkey of o signed the answer to a challenge. It returns
// ErrRefused if none did. It doesn't compare signature counters: that is done by
// [models.DB.UsePasskey].
func (rp *RelyingParty) FinishSignIn(o *Owner, state string, answer *Assertion) (*Use, error) {
	session, err := sessionIn(state)
	if err != nil {
		return nil, err
	}
	if len(session.UserID) == 0 {
		find := func(_, _ []byte) (webauthn.User, error) { return o, nil }
		_, _, err = rp.config.ValidatePasskeyLogin(find, *session, answer.parsed)
	} else {
		_, err = rp.config.ValidateLogin(o, *session, answer.parsed)
	}
	if err != nil {
		return nil, refused(err)
	}
	data := answer.parsed.Response.AuthenticatorData
	for i := range o.Passkeys {
		if p := &o.Passkeys[i]; string(p.CredentialID) == string(answer.parsed.RawID) {
			return &Use{p, data.Counter, data.Flags.HasBackupState()}, nil
		}
	}
	return nil, ErrRefused
}

func sessionIn(state string) (*webauthn.SessionData, error) {
	session := new(webauthn.SessionData)
	return session, json.Unmarshal([]byte(state), session)
}

// HandleIn returns the handle in the state of a ceremony.
func HandleIn(state string) ([]byte, error) {
	session, err := sessionIn(state)
	return session.UserID, err
}

// Creation is an answer with a new passkey.
type Creation struct {
	parsed *protocol.ParsedCredentialCreationData
}

// ParseCreation reads an answer, in the form of PublicKeyCredential.toJSON. It returns
// ErrRefused if it is broken.
func ParseCreation(answer string) (*Creation, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, refused(err)
	}
	return &Creation{parsed}, nil
}

// Challenge returns the challenge that is answered.
func (c *Creation) Challenge() string { return c.parsed.Response.CollectedClientData.Challenge }

// Platform reports whether the authenticator is part of the user's device.
func (c *Creation) Platform() bool { return c.parsed.AuthenticatorAttachment == protocol.Platform }

// Assertion is an answer that is signed by a passkey.
type Assertion struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// ParseAssertion is ParseCreation for an Assertion.
func ParseAssertion(answer string) (*Assertion, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, refused(err)
	}
	return &Assertion{parsed}, nil
}

// Challenge returns the challenge that is answered.
func (a *Assertion) Challenge() string { return a.parsed.Response.CollectedClientData.Challenge }

// Handle returns the handle of the account that the passkey is for.
func (a *Assertion) Handle() []byte { return a.parsed.Response.UserHandle }

// CredentialID returns the id of the passkey.
func (a *Assertion) CredentialID() []byte { return a.parsed.RawID }

// maxDetail limits what the log says about an answer, which may repeat it.
const maxDetail = 200

// refused returns ErrRefused with what the library says about it.
func refused(err error) error {
	detail := err.Error()
	if e := new(protocol.Error); errors.As(err, &e) {
		detail = strings.TrimSpace(e.Details + " " + e.DevInfo)
	}
	return fmt.Errorf("%w: %s", ErrRefused, detail[:min(len(detail), maxDetail)])
}
