package auth

import (
	"errors"
	"net/http"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
)

// A form that was drawn for a user acts for nobody else. If their session has ended, or
// someone else has signed in from another tab, the site asks what to do in place of the
// page, and then goes on with what was typed. Without JavaScript, hidden fields keep
// that, except passwords. Under htmx a dialog asks, and the page below it keeps it all.

// SameUser is middleware for all forms. It refuses one that was drawn for another user
// than the one who is signed in now. A form that names nobody, such as a program's,
// passes. It also signs in those whom it or SignedInOnly has asked to.
func (h Handlers) SameUser(c *gin.Context) error {
	if err := web.ReadForm(c); err != nil {
		return err
	}
	if c.Request.PostForm.Has(web.LoginField) {
		return h.signInAgain(c)
	}
	owner := components.ParseOwner(c.Request.PostForm.Get(components.OwnerField))
	if user := web.Current(c).User; user == nil || owner.ID == uuid.Nil || owner.ID == user.ID {
		return nil
	}
	if web.IsCheck(c) {
		web.AnswerSilently(c, http.StatusConflict)
		return nil
	}
	return h.askOwner(c, owner)
}

// SignedInOnly is middleware that asks a guest to sign in: in place of the page if they
// send a form, otherwise on the sign-in page, which leads back.
func (h Handlers) SignedInOnly(c *gin.Context) error {
	if web.Current(c).User != nil {
		return nil
	}
	if web.IsCheck(c) {
		web.AnswerSilently(c, http.StatusForbidden)
		return nil
	}
	owner := components.ParseOwner(c.Request.PostForm.Get(components.OwnerField))
	typed, passwords := web.Typed(c)
	if web.IsHTMX(c) || owner.ID != uuid.Nil || len(typed)+len(passwords) > 0 {
		return h.askPassword(c, http.StatusForbidden, h.newSignInAgain(owner), owner)
	}
	c.Header("Cache-Control", "no-store")
	if web.Current(c).Expired {
		h.Flash(c, "expired")
	}
	return web.Redirect(c, layouts.WithNext("/sign-in", web.Origin(c)))
}

// SignedInAgain tells the page below the dialog to send its request again. SameUser has
// signed the user in.
func (h Handlers) SignedInAgain(c *gin.Context) error {
	c.Header("HX-Trigger", "signed-in")
	c.Status(http.StatusNoContent)
	return nil
}

func (h Handlers) newSignInAgain(owner components.Owner) *view.SignInAgain {
	form := forms.New(&view.SignInAgain{Login: owner.Login, For: owner.String(), Passkeys: h.Passkeys != nil, Providers: len(h.Providers) > 0})
	h.nameLogin(&form.Form, &form.Login)
	if form.Focus = &form.Login; form.Login != "" {
		form.Focus = &form.Password
	}
	return form
}

// signInAgain signs in whoever was asked to, and goes on with the request if the form
// that it carries is theirs.
func (h Handlers) signInAgain(c *gin.Context) error {
	form := h.newSignInAgain(components.Owner{})
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if form.PasskeyAnswer().Empty() && c.Request.PostForm.Has(web.AgainCodeField) {
		return h.signInAgainByCode(c)
	}
	owner := components.ParseOwner(form.For)
	if user := web.Current(c).User; user != nil && user.ID == owner.ID && form.Password == "" && form.PasskeyAnswer().Empty() {
		c.Header("Cache-Control", "no-store")
		return nil // signed in from another tab, whose session is as good
	}
	form.Error = h.CookieProblem(c)
	if form.Error == "" && !form.PasskeyAnswer().Empty() {
		return h.signInAgainByPasskey(c, form, owner)
	}
	if !form.Valid() {
		return h.askPassword(c, http.StatusUnprocessableEntity, form, owner)
	}
	user, limited, err := h.checkSignIn(c, &form.Form, form.Login, form.Password)
	switch {
	case err != nil:
		return err
	case limited:
		return h.askPassword(c, http.StatusTooManyRequests, form, owner)
	case user == nil:
		form.Focus = &form.Password
		return h.askPassword(c, http.StatusUnprocessableEntity, form, owner)
	}
	p, err := h.provePassword(c, user)
	if errors.Is(err, models.ErrNotFound) { // disabled, deleted or with a new password in the meantime
		form.Error = "Your account changed in the meantime. Please sign in again."
		return h.askPassword(c, http.StatusUnprocessableEntity, form, owner)
	}
	if err != nil {
		return err
	}
	if p.Session == nil {
		h.use(c, p)
		return h.askCode(c, http.StatusForbidden, forms.New(&view.SignInAgainCode{Login: form.Login, For: form.For}), owner, user)
	}
	return h.goOn(c, p, owner)
}

// signInAgainByCode is signInAgain after the password.
func (h Handlers) signInAgainByCode(c *gin.Context) error {
	form := forms.New(new(view.SignInAgainCode))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	owner := components.ParseOwner(form.For)
	var p *Proved
	var limited bool
	s, err := h.waiting(c)
	if err == nil && form.Valid() {
		p, limited, err = h.proveCode(c, &form.Form, web.AgainCodeField, form.Code, s, false)
	}
	switch {
	case errors.Is(err, models.ErrNotFound):
		again := h.newSignInAgain(owner)
		again.Error = "That took too long, or your account changed. Please sign in again."
		return h.askPassword(c, http.StatusUnprocessableEntity, again, owner)
	case err != nil:
		return err
	case limited:
		return h.askCode(c, http.StatusTooManyRequests, form, owner, s.User)
	case p == nil:
		return h.askCode(c, http.StatusUnprocessableEntity, form, owner, s.User)
	}
	return h.goOn(c, p, owner)
}

// signInAgainByPasskey is signInAgain for a form that was sent with a passkey.
func (h Handlers) signInAgainByPasskey(c *gin.Context, form *view.SignInAgain, owner components.Owner) error {
	form.Excuse("again_login", "again_password")
	p, err := h.ProvePasskey(c, form.PasskeyAnswer(), uuid.Nil, Step{})
	if Refused(&form.Form, err) {
		return h.askPassword(c, http.StatusUnprocessableEntity, form, owner)
	}
	if err != nil {
		return err
	}
	return h.goOn(c, p, owner)
}

// goOn continues the request in the new session, unless it carries the form of another
// user.
func (h Handlers) goOn(c *gin.Context, p *Proved, owner components.Owner) error {
	h.use(c, p)
	c.Header("Cache-Control", "no-store")
	switch {
	case web.IsHTMX(c) || owner.ID == p.Session.UserID: // whose id nobody else knows
		return nil
	case owner.ID != uuid.Nil:
		return h.askOwner(c, owner)
	}
	return h.askToContinue(c)
}

// askToContinue asks before the request goes on, if its form doesn't say whose it is.
// Somebody who used the browser before may have prepared it.
func (h Handlers) askToContinue(c *gin.Context) error {
	c.Abort()
	f := h.Frame(c, http.StatusOK)
	typed, _ := web.Typed(c)
	return web.RenderFragment(c, f.Status, view.ContinuePage(f, view.Again{Path: c.Request.URL.RequestURI(), Typed: typed}, web.Shown(typed)))
}

// askOwner tells the user whose form they have sent.
func (h Handlers) askOwner(c *gin.Context, owner components.Owner) error {
	web.Current(c).Log().Warn("form of another user refused", "owner_id", owner.ID)
	return h.askPassword(c, http.StatusConflict, h.newSignInAgain(owner), owner)
}

// askPassword asks to sign in, as owner if that isn't the zero one, before the request
// goes on.
func (h Handlers) askPassword(c *gin.Context, status int, form *view.SignInAgain, owner components.Owner) error {
	return h.askToSignIn(c, status, &form.Form, view.SignInAgainFields(form), owner)
}

// askCode asks user for the code, or the passkey, that is missing after the password.
func (h Handlers) askCode(c *gin.Context, status int, form *view.SignInAgainCode, owner components.Owner, user *models.User) (err error) {
	if form.Factors, err = h.Factors(c.Request.Context(), user); err != nil {
		return err
	}
	form.Code, form.Focus = "", &form.Code
	return h.askToSignIn(c, status, &form.Form, view.SignInAgainCodeFields(form), owner)
}

func (h Handlers) askToSignIn(c *gin.Context, status int, form *forms.Form, fields templ.Component, owner components.Owner) error {
	c.Abort()
	c.Header("Cache-Control", "no-store")
	h.ProbeCookies(c)
	again := view.Again{Owner: owner, Path: c.Request.URL.RequestURI()}
	again.Typed, _ = web.Typed(c)
	f := h.Frame(c, status)
	switch {
	case !web.IsHTMX(c):
		return web.RenderFragment(c, status, view.SignInAgainPage(f, form, fields, again))
	case c.Request.PostForm.Has(web.LoginField): // the dialog is open
		return web.RenderFragment(c, status, view.SignInAgainInDialog(f, form, fields, again))
	default:
		web.Retarget(c, "#dialog")
		return web.RenderFragment(c, status, view.SignInAgainDialog(f, form, fields, again))
	}
}
