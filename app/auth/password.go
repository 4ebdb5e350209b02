package auth

import (
	"errors"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/metrics"
	"vestibule/app/password"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// errPersonal is password.ErrPersonal for a person without a username.
const errPersonal password.Problem = "Don't use your own name or email address in the password."

// ApplyPasswordRules applies the rules for a new password of user.
func ApplyPasswordRules(form *forms.Form, pw string, user *models.User) {
	err := password.Check(pw, user.Personal()...)
	if err == password.ErrPersonal && user.Username == "" && !form.Asks("username") {
		err = errPersonal
	}
	if err != nil {
		form.Fail("password", err.Error())
	}
}

// ApplyAllPasswordRules applies the rules for a new password of user, and sets an error in form if
// it is known from a data breach.
func (h Handlers) ApplyAllPasswordRules(c *gin.Context, form *forms.Form, pw string, user *models.User) {
	ApplyPasswordRules(form, pw, user)
	h.FailBreached(c, form)
}

// FailBreached sets an error in form if its new password is known from a data breach. It
// asks a service only about a valid form that was sent, and lets the password pass if the
// service doesn't answer.
func (h Handlers) FailBreached(c *gin.Context, form *forms.Form) {
	pw := form.ValidValue("password")
	if h.Breached == nil || pw == "" || !h.Breached.Offline() && (web.IsCheck(c) || !form.Valid()) {
		return
	}
	known, err := h.Breached.Has(c.Request.Context(), password.Normalize(pw))
	if err != nil {
		web.Current(c).Log().Warn("password not compared with breached ones", "err", err)
	}
	if known {
		form.Fail("password", password.ErrBreached.Error())
	}
}

// OmitConfirmation leaves again, the field that repeats a new password, out of form if the
// site has no such field. Everyone can look at what they typed.
func (h Handlers) OmitConfirmation(form *forms.Form, again *string) {
	if !h.Config.ConfirmPassword {
		form.Omit(again)
	}
}

// authenticate reports whether pw is the password of user. A user without a password,
// such as an unknown one, takes as long as a wrong password.
func (h Handlers) authenticate(c *gin.Context, user *models.User, pw string) (bool, error) {
	match, outdated, err := h.Verify(c, pw, user.PasswordHash)
	if err != nil || !outdated {
		return match, err
	}
	hash, err := h.Hash(c, pw)
	if err == nil {
		err = h.DB.RehashPassword(c.Request.Context(), user, hash)
	}
	if errors.Is(err, models.ErrChanged) { // rehashed by another sign-in, or a new password was set
		fresh, err := h.DB.UserByID(c.Request.Context(), user.ID)
		if err != nil {
			return false, err
		}
		*user = *fresh
		match, _, err = h.Verify(c, pw, user.PasswordHash)
		return match, err
	}
	if err != nil {
		web.Current(c).Log().Warn("password hash not renewed", "err", err) // the next sign-in tries again
	}
	return match, nil
}

// AttemptSignIn reports whether pw is the password of user, for somebody who isn't signed
// in; also that of a disabled user, whom Prove refuses. It reports whether there were too many
// attempts; form then has that error. The caller records a wrong password by RecordRefused.
func (h Handlers) AttemptSignIn(c *gin.Context, form *forms.Form, user *models.User, pw string) (match, limited bool, err error) {
	account, known, err := h.PerAccount(c, "password", user)
	if err != nil {
		return false, false, err
	}
	attempts := []web.Attempt{account}
	if !known { // a known browser counts only for its account, so others at its address can't block it
		attempts = []web.Attempt{web.PerIP(c, "sign-in", h.Config.LimitAddress), account}
	}
	if limited, err := h.Limited(c, form, attempts...); limited || err != nil {
		if limited {
			h.Metrics.SignIn(string(models.FactorPassword), metrics.Limited)
		}
		return false, limited, err
	}
	match, err = h.authenticate(c, user, pw)
	if err != nil {
		h.Refund(c, attempts...)
	}
	if match && !user.Disabled() {
		h.Refund(c, attempts[:len(attempts)-1]...)
		h.ResetAttempts(c, account)
		limited, err = h.Limited(c, form, h.Write(user)) // a session is about to be stored, and more
	}
	return match && !limited, limited, err
}

// CheckIdentity sets an error in form unless the signed-in user confirms who they are, by
// the current password or a passkey. For a user who has neither, and signs in by
// a provider or a mailed code, what Reauthenticate has asked for is enough: its routes must have that. It reports whether
// there were too many attempts; form then has that error instead.
func (h Handlers) CheckIdentity(c *gin.Context, form *forms.Form, identity *view.Identity) (limited bool, err error) {
	if identity.PasskeyAnswer.Empty() && web.Current(c).User.HasPassword() {
		return h.CheckCurrentPassword(c, form, identity.CurrentPassword)
	}
	if form.Excuse("current_password"); !form.Valid() {
		return false, nil
	}
	if identity.PasskeyAnswer.Empty() {
		factors, err := h.Factors(c.Request.Context(), web.Current(c).User)
		if err != nil || h.onlyElsewhere(web.Current(c).User, factors) {
			return false, err
		}
	}
	err = h.confirmByPasskey(c, identity.PasskeyAnswer, func(use func(tx *models.DB) error) error { return use(h.DB) })
	if Refused(form, err) {
		return false, nil
	}
	return false, err
}

// FillIdentity prepares the fields by which the signed-in user confirms who they are.
func (h Handlers) FillIdentity(c *gin.Context, identity *view.Identity) error {
	user := web.Current(c).User
	if user.HasPassword() {
		var err error
		identity.HasPasskey, err = h.hasPasskey(c)
		return err
	}
	factors, err := h.Factors(c.Request.Context(), user)
	identity.HasPasskey, identity.Elsewhere = h.canUsePasskey(factors), h.onlyElsewhere(user, factors)
	return err
}

// provesNothing reports whether a person has neither a password nor a passkey to use here.
func (h Handlers) provesNothing(factors models.Factors) bool {
	return !factors.Password && !h.canUsePasskey(factors)
}

// onlyElsewhere reports whether user can only sign in with a provider or a mailed code.
func (h Handlers) onlyElsewhere(user *models.User, factors models.Factors) bool {
	return h.provesNothing(factors) && (factors.Identities > 0 || user.Verified())
}

// CheckCurrentPassword sets an error in form if the current password is wrong. It
// reports whether there were too many attempts; form then has that error instead. A form
// that has an error already costs no hash.
func (h Handlers) CheckCurrentPassword(c *gin.Context, form *forms.Form, pw string) (limited bool, err error) {
	if !form.Valid() {
		return false, nil
	}
	user := web.Current(c).User
	account, _, err := h.PerAccount(c, "password", user)
	if err != nil {
		return false, err
	}
	if limited, err := h.Limited(c, form, account); limited || err != nil {
		return limited, err
	}
	match, err := h.authenticate(c, user, pw)
	if err != nil {
		h.Refund(c, account)
		return false, err
	}
	if !match {
		h.RecordAttempt(c, models.EventSignInFailed, user) // outside any organization, whatever the page: only the user should see it
		form.Fail("current_password", "That isn't your current password.")
		return false, nil
	}
	h.ResetAttempts(c, account)
	return false, nil
}
