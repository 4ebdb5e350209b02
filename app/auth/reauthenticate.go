package auth

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/components"
)

// reauthenticationWindow is how long after the user last proved who they are sensitive
// pages open without that.
const reauthenticationWindow = 15 * time.Minute

// What happens after the proof.
const (
	thenOpen = "open" // open the page with empty fields
	thenSend = "send" // send the kept fields
)

// Reauthenticate is middleware for sensitive pages. If the user proved who they are too
// long ago, it asks for the password in place of the page, and for a code if they have a
// second factor. Then it continues the same request. Hidden fields keep what was typed,
// except passwords.
func (h Handlers) Reauthenticate(c *gin.Context) error { return h.reauthenticate(c, false, false) }

// ReauthenticateForButton is Reauthenticate for a button by itself, which has no space for
// the form.
func (h Handlers) ReauthenticateForButton(c *gin.Context) error {
	return h.reauthenticate(c, true, false)
}

// reauthenticate asks for the password or a passkey. Under htmx it replaces the form, or
// with wholePage the whole content of the page. With stepUp it asks however recent the last
// proof is.
func (h Handlers) reauthenticate(c *gin.Context, wholePage, stepUp bool) error {
	r := web.Current(c)
	if r.Operator != nil {
		return web.ClosedToOperators()
	}
	if !stepUp && time.Since(r.Session.AuthenticatedAt) < reauthenticationWindow {
		return confirmed(c, forms.New(new(view.Reauthenticate)))
	}
	factors, err := h.Factors(c.Request.Context(), r.User)
	if err != nil {
		return err
	}
	elsewhere, err := h.ownProviders(c, factors)
	if err != nil {
		return err
	}
	q := &question{factors: factors, elsewhere: elsewhere, mailed: h.confirmsByMail(r.User, factors), stepUp: stepUp, then: thenOpen}
	q.wholePage = wholePage || q.leadsAway() // by buttons that are forms of their own
	form := q.newForm(c)
	if c.Request.Method == http.MethodGet {
		return h.ask(c, http.StatusForbidden, q, form)
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	q.keepTyped(c, form)
	asked, answered := form.Sudo != "", !form.PasskeyAnswer().Empty()
	if !asked && !answered && (form.CurrentPassword == "" || form.SecondFactor) {
		return h.ask(c, http.StatusForbidden, q, q.newForm(c))
	}
	if q.leadsAway() && !answered {
		form = q.newForm(c)
		form.Error = "First confirm it's you in the other tab."
		return h.ask(c, http.StatusForbidden, q, form)
	}
	prove := h.proveAgain
	if answered {
		prove = h.proveAgainByPasskey
	}
	switch proved, limited, err := prove(c, form); {
	case err != nil:
		return err
	case limited:
		return h.ask(c, http.StatusTooManyRequests, q, form)
	case !proved:
		return h.ask(c, http.StatusForbidden, q, form)
	}
	r.Reauthenticated = asked
	if asked && q.then != thenSend {
		return web.Redirect(c, ownPath(c))
	}
	return nil
}

// question replaces a page until the user has proved who they are.
type question struct {
	factors   models.Factors
	elsewhere []components.Provider // that can prove it
	mailed    bool                  // a mailed code can
	wholePage bool
	stepUp    bool
	then      string        // what happens after the proof
	kept      []forms.Field // what was typed on the page
}

// leadsAway reports whether the proof is on another page.
func (q *question) leadsAway() bool { return q.mailed || len(q.elsewhere) > 0 }

func (q *question) newForm(c *gin.Context) *view.Reauthenticate {
	form := forms.New(&view.Reauthenticate{Action: ownPath(c), StepUp: q.stepUp, SecondFactor: q.factors.SecondFactor(), Codes: q.factors.Codes()})
	form.Check = func() {
		switch {
		case !form.SecondFactor || !form.PasskeyAnswer().Empty():
		case !form.Codes:
			form.Error = usePasskey
		case form.CurrentCode == "":
			form.Fail("current_code", "Enter a security code.")
		}
	}
	return form
}

// keepTyped keeps what was typed on the page, and decides what happens after the proof.
func (q *question) keepTyped(c *gin.Context, form *view.Reauthenticate) {
	if q.then = form.Sudo; q.then == "" {
		q.then = thenSend
	}
	var passwords []string
	q.kept, passwords = web.Typed(c)
	if slices.ContainsFunc(passwords, func(name string) bool { return name != "current_password" }) {
		q.then = thenOpen // passwords aren't sent back, so the user must type it again
	}
}

// ask answers the request with q.
func (h Handlers) ask(c *gin.Context, status int, q *question, form *view.Reauthenticate) error {
	c.Abort()
	form.Focus, form.Sudo, form.CurrentCode = &form.CurrentPassword, q.then, ""
	form.Passkeys = h.canUsePasskey(q.factors)
	form.Providers, form.Mailed, form.Apart = q.elsewhere, q.mailed, c.Request.Method != http.MethodGet
	f := h.Frame(c, status)
	if f.Next = "/account/security"; !form.Apart {
		f.Next = c.Request.URL.RequestURI()
	}
	fragment := view.ReauthenticateForm(f, form, q.kept)
	if q.wholePage && web.IsHTMX(c) {
		web.Retarget(c, "#main")
		fragment = view.ReauthenticateCard(f, form, q.kept)
	}
	return web.Render(c, f, view.ReauthenticatePage(f, form, q.kept), fragment)
}

// ownPath returns the path of the request with its query, which may say where the page
// leads.
func ownPath(c *gin.Context) string { return web.LocalPath(c.Request.URL.RequestURI()) }

// ownProviders returns the providers by which the signed-in user can confirm who they are,
// if they have no password.
func (h Handlers) ownProviders(c *gin.Context, factors models.Factors) ([]components.Provider, error) {
	if factors.Password || factors.Identities == 0 {
		return nil, nil
	}
	identities, err := h.DB.Identities(c.Request.Context(), web.Current(c).User.ID)
	return slices.DeleteFunc(h.ProviderButtons(), func(p components.Provider) bool {
		return !slices.ContainsFunc(identities, func(i models.Identity) bool { return i.Provider == p.Name })
	}), err
}

// confirmsByMail reports whether a mailed code confirms who user is: they have neither a
// password nor a passkey.
func (h Handlers) confirmsByMail(user *models.User, factors models.Factors) bool {
	return user.Verified() && h.provesNothing(factors)
}

// proveAgain checks what the user has typed into form. It reports whether that proves who
// they are, or there were too many attempts; otherwise form has the errors.
func (h Handlers) proveAgain(c *gin.Context, form *view.Reauthenticate) (proved, limited bool, err error) {
	if limited, err := h.CheckCurrentPassword(c, &form.Form, form.CurrentPassword); limited || err != nil || !form.Valid() {
		return false, limited, err
	}
	if !form.SecondFactor {
		return true, false, h.reauthenticated(c, "", func(*models.DB) error { return nil })
	}
	return h.attemptCode(c, &form.Form, web.CurrentCodeField, form.CurrentCode, web.Current(c).User, func(use func(tx *models.DB) error) error {
		return h.reauthenticated(c, codeFactor(form.CurrentCode), use)
	})
}

// proveAgainByPasskey is proveAgain for a form that was sent with a passkey.
func (h Handlers) proveAgainByPasskey(c *gin.Context, form *view.Reauthenticate) (proved, limited bool, err error) {
	form.Excuse("current_password", "current_code")
	err = h.confirmByPasskey(c, form.PasskeyAnswer(), func(use func(tx *models.DB) error) error {
		return h.reauthenticated(c, models.FactorPasskey, use)
	})
	if Refused(&form.Form, err) {
		return false, false, nil
	}
	return err == nil, false, err
}

// reauthenticated records that the user has just proved who they are, with a second factor
// unless that is empty, and so renews the token. What prove writes is stored with that.
func (h Handlers) reauthenticated(c *gin.Context, second models.Factor, prove func(tx *models.DB) error) error {
	r := web.Current(c)
	var token string
	err := h.DB.InTx(c.Request.Context(), func(tx *models.DB) (err error) {
		if err := prove(tx); err != nil {
			return err
		}
		if token, err = tx.RenewSession(c.Request.Context(), r.Session); err != nil {
			return err
		}
		if second != "" {
			if err := tx.Strengthen(c.Request.Context(), r.Session, second); err != nil {
				return err
			}
		}
		return web.RecordIn(c, tx, uuid.Nil, models.EventReauthenticated, r.User)
	})
	if err == nil && token != "" { // otherwise another request's answer has it
		h.SetSessionCookie(c, token, r.Session)
	}
	return err
}

// confirmed continues a request that needs no password. Its form may ask for one still, if
// another tab has confirmed it meanwhile.
func confirmed(c *gin.Context, form *view.Reauthenticate) error {
	if c.Request.Method == http.MethodGet {
		return nil
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	web.Current(c).Reauthenticated = form.Sudo != ""
	if form.Sudo == thenOpen {
		return web.Redirect(c, ownPath(c))
	}
	return nil
}
