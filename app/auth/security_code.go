package auth

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"vestibule/app/device"
	"vestibule/app/forms"
	"vestibule/app/metrics"
	"vestibule/app/web"
	"vestibule/models"
)

// The codes of apps, by RFC 6238 as every app understands it.
const (
	codeDigits = otp.DigitsSix
	codePeriod = 30 // seconds
	codeDrift  = 1  // steps by which the app's clock may be off
)

// errWrongCode means that a code is wrong, or was used before.
var errWrongCode = errors.New("wrong security code")

// MatchCode reports whether typed is a code for secret at t, and returns its step.
func MatchCode(secret, typed string, t time.Time) (step int64, ok bool, err error) {
	typed = strings.ReplaceAll(typed, " ", "")
	now := t.Unix() / codePeriod
	for step = now - codeDrift; step <= now+codeDrift; step++ {
		code, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1}) // #nosec G115 -- time is past 1970
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(code), []byte(typed)) == 1 {
			return step, true, nil
		}
	}
	return 0, false, nil
}

// AuthenticatorContext binds the encrypted secret of an app to its row.
func AuthenticatorContext(a *models.Authenticator) string {
	return "authenticator " + a.ID.String() + " of " + a.UserID.String()
}

// codeFactor returns whether typed is the code of an app or a recovery code, by its
// length.
func codeFactor(typed string) models.Factor {
	if len(strings.ReplaceAll(typed, " ", "")) <= codeDigits.Length() {
		return models.FactorCode
	}
	return models.FactorRecoveryCode
}

// codeUse returns what uses up typed, the code of an app or a recovery code of user, in
// the transaction of what it is for. It hashes a recovery code, so call it before. Either
// returns errWrongCode if typed is no code.
func (h Handlers) codeUse(c *gin.Context, user *models.User, typed string) (use func(tx *models.DB) error, err error) {
	if codeFactor(typed) == models.FactorCode {
		return func(tx *models.DB) error { return asWrongCode(h.useAppCode(c, tx, user, typed)) }, nil
	}
	code, err := h.recoveryCode(c, user, typed)
	if err != nil {
		return nil, err
	}
	return func(tx *models.DB) error {
		if err := tx.UseRecoveryCode(c.Request.Context(), user, code); err != nil {
			return asWrongCode(err)
		}
		return RecordOwn(c, tx, models.EventRecoveryCodeUsed, user, models.EventDetail{})
	}, nil
}

func asWrongCode(err error) error {
	if errors.Is(err, models.ErrNotFound) {
		return errWrongCode
	}
	return err
}

func (h Handlers) useAppCode(c *gin.Context, tx *models.DB, user *models.User, typed string) error {
	return tx.UseAuthenticator(c.Request.Context(), user, func(a *models.Authenticator) (int64, bool, error) {
		secret, err := h.Secrets.Open(a.Secret, a.KeyID, AuthenticatorContext(a))
		if err != nil {
			return 0, false, err
		}
		return MatchCode(string(secret), typed, time.Now())
	})
}

// recoveryCode finds the recovery code of user that typed is. It hashes as much if there
// is none, so that the time tells nothing.
func (h Handlers) recoveryCode(c *gin.Context, user *models.User, typed string) (*models.RecoveryCode, error) {
	code, err := h.DB.RecoveryCode(c.Request.Context(), user.ID, typed)
	found := err == nil
	if !found && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	hash := ""
	if found {
		hash = code.PasswordHash()
	}
	match, _, err := h.Verify(c, models.NormalizeRecoveryCode(typed), hash)
	if err == nil && !match && (!found || hash != "") {
		err = errWrongCode
	}
	return code, err
}

// attemptCode calls prove with what uses up the code typed into the field of form. It
// reports whether the code was right, or there were too many attempts; form has the error.
// Attempts count for the account, whatever process gets them, and apart from those at the
// password.
func (h Handlers) attemptCode(c *gin.Context, form *forms.Form, field, typed string, user *models.User, prove func(use func(tx *models.DB) error) error) (right, limited bool, err error) {
	attempt, _, err := h.PerAccount(c, "security code", user)
	if err != nil {
		return false, false, err
	}
	err = h.Attempt(c, attempt)
	if early := new(models.ThrottledError); errors.As(err, &early) && early.First {
		h.tellCodesFailed(c, user)
	}
	if limited, err := web.FailLimited(c, form, err); limited || err != nil {
		if limited {
			h.Metrics.SignIn(string(codeFactor(typed)), metrics.Limited)
		}
		return false, limited, err
	}
	use, err := h.codeUse(c, user, typed)
	if err == nil {
		err = prove(use)
	}
	switch {
	case errors.Is(err, errWrongCode):
		h.RecordRefused(c, codeFactor(typed), models.EventCodeFailed, user)
		form.Fail(field, "That code is wrong, or was used before.")
		return false, false, nil
	case err != nil:
		h.Refund(c, attempt)
		return false, false, err
	}
	h.ResetAttempts(c, attempt)
	return true, false, nil
}

// codesFailedLimit keeps somebody who goes on guessing from filling a mailbox.
var codesFailedLimit = models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: 24 * time.Hour}

// tellCodesFailed tells user by mail that somebody knows their password, but not the codes
// (ASVS 5.0, 6.3.5). It is called once for each wait.
func (h Handlers) tellCodesFailed(c *gin.Context, user *models.User) {
	ctx, cancel := web.Detached(c)
	defer cancel()
	err := h.DB.Attempt(ctx, "mail about codes to "+user.ID.String(), codesFailedLimit)
	if errors.As(err, new(*models.ThrottledError)) {
		return
	}
	if err == nil {
		client := web.ThisDevice(c)
		err = h.DB.TellCodesFailed(ctx, user, models.MailDetail{Browser: device.Name(client.UserAgent), IP: client.IP, When: time.Now().UTC()})
	}
	if err != nil {
		web.Current(c).Log().Error("user not told of wrong codes", "err", err)
	}
}
