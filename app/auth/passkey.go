package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/device"
	"vestibule/app/forms"
	"vestibule/app/metrics"
	"vestibule/app/passkey"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// PasskeyOwner returns user with their passkeys.
func (h Handlers) PasskeyOwner(ctx context.Context, user *models.User) (*passkey.Owner, error) {
	handle, err := h.DB.PasskeyHandle(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	passkeys, err := h.DB.Passkeys(ctx, user.ID)
	return &passkey.Owner{User: user, Handle: handle, Passkeys: passkeys}, err
}

// isPasskeyOf reports whether an answer names user, without checking it.
func (h Handlers) isPasskeyOf(c *gin.Context, user *models.User, sent view.PasskeyAnswer) bool {
	assertion, err := passkey.ParseAssertion(sent.Credential)
	if err != nil {
		return false
	}
	owner, err := h.DB.UserByPasskeyHandle(c.Request.Context(), assertion.Handle())
	return err == nil && owner.ID == user.ID
}

// canUsePasskey reports whether somebody with these factors can use a passkey here.
func (h Handlers) canUsePasskey(factors models.Factors) bool {
	return h.Passkeys != nil && factors.Passkeys > 0
}

// hasPasskey reports whether the signed-in user has a passkey.
func (h Handlers) hasPasskey(c *gin.Context) (bool, error) {
	if h.Passkeys == nil {
		return false, nil
	}
	return h.DB.HasPasskey(c.Request.Context(), web.Current(c).User.ID)
}

// PasskeySignal returns what the password managers of a user should know, or nil if they
// have nothing of the site.
func (h Handlers) PasskeySignal(owner *passkey.Owner) *view.PasskeySignal {
	if h.Passkeys == nil || owner.Handle == nil {
		return nil
	}
	s := &view.PasskeySignal{RP: h.Passkeys.ID(), Handle: encode(owner.Handle), Accepted: []string{}, Name: owner.WebAuthnName(), DisplayName: owner.WebAuthnDisplayName()}
	for _, p := range owner.Passkeys {
		s.Accepted = append(s.Accepted, encode(p.CredentialID))
	}
	return s
}

// SignalOf is PasskeySignal for the signed-in user, or nil if they have no passkey or an
// operator, who has a password manager of their own, uses the site as them.
func (h Handlers) SignalOf(c *gin.Context) (*view.PasskeySignal, error) {
	if web.Current(c).Operator != nil {
		return nil, nil
	}
	if has, err := h.hasPasskey(c); err != nil || !has {
		return nil, err
	}
	owner, err := h.PasskeyOwner(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return nil, err
	}
	return h.PasskeySignal(owner), nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// passkeyProblems say what a browser means by an exception (WebAuthn level 3, 5.1.3 and
// 5.1.4).
var passkeyProblems = map[string]string{
	"NotAllowedError":   "The request was canceled or took too long. Try again when you're ready.",
	"InvalidStateError": "This device or password manager already has a passkey for your account.",
	"NotSupportedError": "This device can't use a passkey here. Try another device or a security key.",
	"ConstraintError":   "This device can't keep a passkey, or has no screen lock. Set one up, or try another device.",
	"OptionsError":      "Something got in the way. Try again in a moment.",
	"SecurityError":     "This page's address isn't the one that passkeys of this site work on.",
}

// Errors of answers that prove nothing.
const (
	passkeyUnscripted = "Passkeys need JavaScript, which is off or didn't load."
	passkeyUnusable   = "Your browser couldn't use a passkey. Try again, or use another device." // #nosec G101 -- a sentence, not a credential
	passkeyRefused    = "This passkey wasn't accepted. Try again."
	passkeyTaken      = "This passkey is already in use."
	passkeyAnothers   = "This passkey is for another account."
	passkeyUnknown    = "We don't know this passkey. It may have been removed. Sign in another way."
	passkeyCopied     = "This passkey was refused, because it may have been copied. Sign in another way, then replace it."
)

// PasskeyRefusal is an error about an answer that proves nothing, for the user to read.
type PasskeyRefusal struct {
	Sentence string
	Unknown  *view.PasskeySignal // about a passkey that the site doesn't know
}

func (r *PasskeyRefusal) Error() string { return r.Sentence }

// Refused reports whether err is a *PasskeyRefusal. If so, it sets form's error.
func Refused(form *forms.Form, err error) bool {
	refusal := new(PasskeyRefusal)
	if !errors.As(err, &refusal) {
		return false
	}
	form.Error = refusal.Sentence
	return true
}

func refusePasskey(sentence string) error {
	return &PasskeyRefusal{Sentence: sentence}
}

// answerOf returns what an authenticator answered, or a *PasskeyRefusal if it didn't.
func answerOf(sent view.PasskeyAnswer) (string, error) {
	switch {
	case sent.Credential != "":
		return sent.Credential, nil
	case sent.Problem == "":
		return "", refusePasskey(passkeyUnscripted)
	case passkeyProblems[sent.Problem] != "":
		return "", refusePasskey(passkeyProblems[sent.Problem])
	}
	return "", refusePasskey(passkeyUnusable)
}

// AsRefusal turns an error about an answer that proves nothing, or a passkey that another
// account has, into a *PasskeyRefusal. It leaves other errors.
func AsRefusal(c *gin.Context, err error) error {
	if taken := new(models.TakenError); errors.As(err, &taken) && taken.Field == "credential" {
		return refusePasskey(passkeyTaken)
	}
	if err == nil || !errors.Is(err, passkey.ErrRefused) && !errors.Is(err, models.ErrNotFound) || errors.Is(err, models.ErrChanged) {
		return err
	}
	web.Current(c).Log().Warn("passkey refused", "err", err)
	return refusePasskey(passkeyRefused)
}

// CheckCreation returns the passkey that an authenticator created for the signed-in user.
// It returns a *PasskeyRefusal if there is none.
func (h Handlers) CheckCreation(c *gin.Context, sent view.PasskeyAnswer) (*models.Passkey, error) {
	return h.checkCreation(c, models.CeremonyAdd, sent, func(string) (*passkey.Owner, error) {
		return h.PasskeyOwner(c.Request.Context(), web.Current(c).User)
	})
}

// checkCreation is CheckCreation for a ceremony of that kind. Owner returns whose passkey
// it is, by the state of the ceremony.
func (h Handlers) checkCreation(c *gin.Context, kind models.CeremonyKind, sent view.PasskeyAnswer, owner func(state string) (*passkey.Owner, error)) (*models.Passkey, error) {
	answer, err := answerOf(sent)
	if err != nil {
		return nil, err
	}
	creation, err := passkey.ParseCreation(answer)
	if err != nil {
		return nil, AsRefusal(c, err)
	}
	ceremony, err := h.takeCeremony(c, kind, creation.Challenge())
	if err != nil {
		return nil, AsRefusal(c, err)
	}
	of, err := owner(ceremony.State)
	if err != nil {
		return nil, err
	}
	p, err := h.Passkeys.FinishCreation(of, ceremony.State, creation)
	if err != nil {
		return nil, AsRefusal(c, err)
	}
	p.Name = passkeyName(c, p, creation)
	return p, nil
}

// passkeyName returns the name of a new passkey until its user chooses another: that of
// its authenticator, as far as is known.
func passkeyName(c *gin.Context, p *models.Passkey, creation *passkey.Creation) string {
	if name := passkey.AuthenticatorName(p.AAGUID); name != "" {
		return name
	}
	switch {
	case creation.Platform():
		return device.Name(c.Request.UserAgent())
	case p.BackupEligible:
		return "Passkey"
	}
	return "Security key"
}

// PasskeySignInOptions tells the script what to ask an authenticator at sign-in.
func (h Handlers) PasskeySignInOptions(c *gin.Context) error {
	if err := h.Attempt(c, web.PerIP(c, "passkey", h.Config.LimitCheck)); err != nil {
		return err
	}
	begun, err := h.Passkeys.BeginSignIn()
	if err != nil {
		return err
	}
	return h.StartCeremony(c, models.CeremonySignIn, begun)
}

// ProvePasskey signs in the user whose passkey signed an answer, who must have the id of
// unless that is zero. A passkey counts as two factors, because authenticators ask for a
// PIN or a finger. It returns a *PasskeyRefusal if nobody may sign in by it. It sets s's
// Factor, Kind and Prepare, and limits the attempts.
func (h Handlers) ProvePasskey(c *gin.Context, sent view.PasskeyAnswer, of uuid.UUID, s Step) (p *Proved, err error) {
	defer func() {
		if errors.As(err, new(*PasskeyRefusal)) {
			h.Metrics.SignIn(string(models.FactorPasskey), metrics.Refused)
		}
	}()
	var user *models.User
	use, err := h.checkAnswer(c, models.CeremonySignIn, sent, func(handle []byte) (_ *models.User, err error) {
		user, err = h.DB.UserByPasskeyHandle(c.Request.Context(), handle)
		return user, err
	})
	switch {
	case err != nil:
		return nil, err
	case of != uuid.Nil && of != user.ID:
		return nil, refusePasskey(passkeyAnothers)
	case user.Disabled():
		h.RecordAttempt(c, models.EventSignInFailed, user)
		return nil, refusePasskey(disabledAccount)
	}
	if err := h.Attempt(c, h.Write(user)); err != nil { // a session is about to be stored, and more
		return nil, err
	}
	s.Factor, s.Kind = models.FactorPasskey, models.EventSignIn
	s.Prepare = func(tx *models.DB) (*models.User, error) {
		return user, tx.UsePasskey(c.Request.Context(), use.Passkey, use.SignCount, use.BackedUp)
	}
	p, err = h.Prove(c, s)
	return p, h.failedUse(c, user, use.Passkey, err)
}

// PasskeyConfirmOptions tells the script what to ask an authenticator of a signed-in user.
func (h Handlers) PasskeyConfirmOptions(c *gin.Context) error {
	owner, err := h.PasskeyOwner(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	if len(owner.Passkeys) == 0 {
		return models.ErrNotFound
	}
	begun, err := h.Passkeys.BeginConfirm(owner)
	if err != nil {
		return err
	}
	return h.StartCeremony(c, models.CeremonyConfirm, begun)
}

// confirmByPasskey calls store if a passkey of the signed-in user signed an answer. It
// returns a *PasskeyRefusal if none did. Store must call use, which may return an error, in
// its transaction.
func (h Handlers) confirmByPasskey(c *gin.Context, sent view.PasskeyAnswer, store func(use func(tx *models.DB) error) error) error {
	user := web.Current(c).User
	use, err := h.checkAnswer(c, models.CeremonyConfirm, sent, func([]byte) (*models.User, error) { return user, nil })
	if err != nil {
		return err
	}
	err = store(func(tx *models.DB) error {
		return tx.UsePasskey(c.Request.Context(), use.Passkey, use.SignCount, use.BackedUp)
	})
	return h.failedUse(c, user, use.Passkey, err)
}

// checkAnswer returns which passkey signed the answer to a ceremony of that kind. Owner
// finds the user by the handle in the answer. It returns a *PasskeyRefusal if the answer
// proves nothing. The caller must call [models.DB.UsePasskey].
func (h Handlers) checkAnswer(c *gin.Context, kind models.CeremonyKind, sent view.PasskeyAnswer, owner func(handle []byte) (*models.User, error)) (*passkey.Use, error) {
	answer, err := answerOf(sent)
	if err != nil {
		return nil, err
	}
	assertion, err := passkey.ParseAssertion(answer)
	if err != nil {
		return nil, AsRefusal(c, err)
	}
	ceremony, err := h.takeCeremony(c, kind, assertion.Challenge())
	if err != nil {
		return nil, AsRefusal(c, err)
	}
	user, err := owner(assertion.Handle())
	if errors.Is(err, models.ErrNotFound) {
		return nil, h.unknownPasskey(assertion)
	}
	if err != nil {
		return nil, err
	}
	all, err := h.PasskeyOwner(c.Request.Context(), user)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all.Passkeys, func(p models.Passkey) bool { return bytes.Equal(p.CredentialID, assertion.CredentialID()) }) {
		return nil, h.unknownPasskey(assertion)
	}
	use, err := h.Passkeys.FinishSignIn(all, ceremony.State, assertion)
	return use, AsRefusal(c, err)
}

// unknownPasskey returns the *PasskeyRefusal for a passkey that the site doesn't know, such
// as one that was removed.
func (h Handlers) unknownPasskey(assertion *passkey.Assertion) error {
	return &PasskeyRefusal{
		Sentence: passkeyUnknown,
		Unknown:  &view.PasskeySignal{RP: h.Passkeys.ID(), Unknown: encode(assertion.CredentialID())},
	}
}

// failedUse turns the error of a passkey p that could not be used into a *PasskeyRefusal, if
// it is about that. If the passkey may have been copied, it records that and tells user.
func (h Handlers) failedUse(c *gin.Context, user *models.User, p *models.Passkey, err error) error {
	if !errors.Is(err, models.ErrPasskeyCopied) {
		return AsRefusal(c, err)
	}
	ctx, cancel := web.Detached(c)
	defer cancel()
	told := h.DB.InTx(ctx, func(tx *models.DB) error {
		if err := tx.TellPasskeyCopied(ctx, user, p); err != nil {
			return err
		}
		return tx.Record(ctx, web.Event(c, uuid.Nil, models.EventPasskeyRefused, user))
	})
	if told != nil {
		return told
	}
	return refusePasskey(passkeyCopied)
}

// StartCeremony stores a ceremony of the request's user, if there is one, and answers the
// page's script with what it asks the authenticator. Only this browser may send the
// answer.
func (h Handlers) StartCeremony(c *gin.Context, kind models.CeremonyKind, begun *passkey.Begun) error {
	ceremony := &models.PasskeyCeremony{Challenge: begun.Challenge, Kind: kind, UserID: userID(c), State: begun.State}
	secret, err := h.DB.StartCeremony(c.Request.Context(), h.Cookie(c, web.PasskeyCookie), ceremony)
	if err != nil {
		return err
	}
	h.SetCookie(c, web.PasskeyCookie, secret, models.CeremonyLife)
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "application/json", begun.Options)
	return nil
}

// takeCeremony ends the ceremony that an authenticator answers. It returns
// models.ErrNotFound if this browser and user have no such ceremony.
func (h Handlers) takeCeremony(c *gin.Context, kind models.CeremonyKind, challenge string) (*models.PasskeyCeremony, error) {
	return h.DB.TakeCeremony(c.Request.Context(), challenge, h.Cookie(c, web.PasskeyCookie), kind, userID(c))
}

// userID returns the id of the request's user, or the zero id for a guest.
func userID(c *gin.Context) uuid.UUID {
	if u := web.Current(c).User; u != nil {
		return u.ID
	}
	return uuid.Nil
}

// NeedsPasskeys is middleware for routes that need a host for which there are passkeys.
func (h Handlers) NeedsPasskeys(*gin.Context) error {
	if h.Passkeys == nil {
		return web.Fail(http.StatusNotFound)
	}
	return nil
}
