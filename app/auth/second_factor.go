package auth

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/layouts"
)

// newSecondFactor returns the form that asks for what is missing in s: a code, a recovery
// code or a passkey.
func (h Handlers) newSecondFactor(c *gin.Context, s *models.SignIn) (*view.SecondFactor, error) {
	factors, err := h.Factors(c.Request.Context(), s.User)
	if err != nil {
		return nil, err
	}
	recovery := view.WithRecovery(c.Request.URL.Query())
	form := forms.New(&view.SecondFactor{Recovery: recovery, Factors: factors, CanRecover: h.Config.RecoveryWait > 0})
	if form.AsksCode() && !factors.NoTrust {
		form.TrustedFor = h.Config.TrustBrowser
	}
	if form.Focus = &form.Code; recovery {
		form.Focus = &form.RecoveryCode
	}
	form.Check = func() {
		if !form.PasskeyAnswer.Empty() {
			return
		}
		switch form.Recovery = form.RecoveryCode != "" || form.Recovery && form.Code == ""; {
		case form.Code != "" || form.RecoveryCode != "":
		case form.Recovery:
			form.Fail("recovery_code", "Enter a recovery code.")
		case form.AsksCode():
			form.Fail("code", "Enter the code from your app.")
		default:
			form.Error = usePasskey
		}
	}
	return form, nil
}

// usePasskey is for a form that was sent without a passkey, and nothing else is enough.
const usePasskey = "Use your passkey to continue."

// ShowSecondFactor asks for the factor that is missing after the password or a mailed
// link.
func (h Handlers) ShowSecondFactor(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	s, err := h.waiting(c)
	if err != nil {
		return h.signInEnded(c, err)
	}
	form, err := h.newSecondFactor(c, s)
	if err != nil {
		return err
	}
	return h.renderSecondFactor(c, http.StatusOK, form, s)
}

func (h Handlers) renderSecondFactor(c *gin.Context, status int, form *view.SecondFactor, s *models.SignIn) error {
	c.Header("Cache-Control", "no-store")
	form.Code, form.RecoveryCode = "", "" // of no use again
	f := h.Frame(c, status)
	return web.Render(c, f, view.SecondFactorPage(f, form, s.User), view.SecondFactorForm(f, form))
}

// SecondFactor starts the session if the code is right.
func (h Handlers) SecondFactor(c *gin.Context) error {
	s, err := h.waiting(c)
	if err != nil {
		return h.signInEnded(c, err)
	}
	form, err := h.newSecondFactor(c, s)
	if err != nil {
		return err
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderSecondFactor(c, http.StatusUnprocessableEntity, form, s)
	}
	if !form.PasskeyAnswer.Empty() {
		return h.secondFactorByPasskey(c, form, s)
	}
	field := "code"
	if form.Code == "" {
		field = "recovery_code"
	}
	p, limited, err := h.proveCode(c, &form.Form, field, cmp.Or(form.Code, form.RecoveryCode), s, form.Trust != "" && form.TrustedFor > 0)
	switch {
	case err != nil:
		return h.signInEnded(c, err)
	case limited:
		return h.renderSecondFactor(c, http.StatusTooManyRequests, form, s)
	case p == nil:
		return h.renderSecondFactor(c, http.StatusUnprocessableEntity, form, s)
	}
	return h.FinishSignIn(c, p, "signed-in", c.Query("next"))
}

// secondFactorByPasskey is SecondFactor for a form that was sent with a passkey, which
// alone is enough.
func (h Handlers) secondFactorByPasskey(c *gin.Context, form *view.SecondFactor, s *models.SignIn) error {
	p, err := h.ProvePasskey(c, form.PasskeyAnswer, s.UserID, Step{Quietly: s.Proved(models.FactorEmail), Waiting: s})
	if Refused(&form.Form, err) {
		return h.renderSecondFactor(c, http.StatusUnprocessableEntity, form, s)
	}
	if err != nil {
		return h.signInEnded(c, err)
	}
	return h.FinishSignIn(c, p, "signed-in", c.Query("next"))
}

// proveCode is [Handlers.Prove] for the code in a field of form, after the steps of s. It returns nil
// if the code is wrong, or limited; form has the error.
func (h Handlers) proveCode(c *gin.Context, form *forms.Form, field, typed string, s *models.SignIn, trust bool) (p *Proved, limited bool, err error) {
	right, limited, err := h.attemptCode(c, form, field, typed, s.User, func(use func(tx *models.DB) error) (err error) {
		p, err = h.Prove(c, Step{
			Factor:  codeFactor(typed),
			Kind:    models.EventSignIn,
			Quietly: s.Proved(models.FactorEmail), // a mail has told of the new password
			Waiting: s,
			Trust:   trust,
			Prepare: func(tx *models.DB) (*models.User, error) { return s.User, use(tx) },
		})
		return err
	})
	if !right {
		return nil, limited, err
	}
	return p, false, nil
}

// signInEnded leads on if err says that no sign-in waits: to the page that the user wanted
// if they have signed in from another tab, or else back to sign-in.
func (h Handlers) signInEnded(c *gin.Context, err error) error {
	next := web.LocalPath(c.Query("next"))
	switch {
	case !errors.Is(err, models.ErrNotFound):
		return err
	case web.Current(c).User != nil:
		return web.Redirect(c, next)
	}
	return h.RedirectWith(c, "sign-in-ended", layouts.WithNext("/sign-in", next))
}
