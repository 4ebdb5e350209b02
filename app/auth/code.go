package auth

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"vestibule/app/forms"
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

// useCode uses up a code of an app or a recovery code of user, in the transaction of what
// it is for. It returns errWrongCode if it is neither.
func (h Handlers) useCode(c *gin.Context, tx *models.DB, user *models.User, typed string) error {
	ctx := c.Request.Context()
	var err error
	if codeFactor(typed) == models.FactorCode {
		err = tx.UseAuthenticator(ctx, user, func(a *models.Authenticator) (int64, bool, error) {
			secret, err := h.Secrets.Open(a.Secret, a.KeyID, AuthenticatorContext(a))
			if err != nil {
				return 0, false, err
			}
			return MatchCode(string(secret), typed, time.Now())
		})
	} else if err = tx.UseRecoveryCode(ctx, user, typed); err == nil {
		err = recordOwn(c, tx, models.EventRecoveryCodeUsed, user, models.EventDetail{})
	}
	if errors.Is(err, models.ErrNotFound) {
		return errWrongCode
	}
	return err
}

// attemptCode calls use, which uses up the code in the field of form. It reports whether
// the code was right, or there were too many attempts; form has the error. Attempts count
// for the account, whatever process gets them, and apart from those at the password.
func (h Handlers) attemptCode(c *gin.Context, form *forms.Form, field string, user *models.User, use func() error) (right, limited bool, err error) {
	attempt, _, err := h.PerAccount(c, "security code", user)
	if err != nil {
		return false, false, err
	}
	if limited, err := h.Limited(c, form, attempt); limited || err != nil {
		return false, limited, err
	}
	err = use()
	switch {
	case errors.Is(err, errWrongCode):
		h.RecordAttempt(c, models.EventCodeFailed, user)
		form.Fail(field, "That code is wrong, or was used before.")
		return false, false, nil
	case err != nil:
		h.Refund(c, attempt)
		return false, false, err
	}
	h.ResetAttempts(c, attempt)
	return true, false, nil
}
