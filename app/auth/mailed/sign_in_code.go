package mailed

import (
	"errors"
	"net/http"
	"strings"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/layouts"
)

// newSignInCode returns the form that asks for a code, and then takes it. Somebody signed
// in, who confirms who they are, gets it at their own address.
func (h Handlers) newSignInCode(c *gin.Context) *view.SignInCode {
	form := forms.New(new(view.SignInCode))
	if user := web.Current(c).User; user != nil {
		form.Omit(&form.Email)
	}
	return form
}

// ShowSignInCode shows the form that asks for a code, or what a mailed link leads to. In
// the browser that asked, that is a button, because mail scanners open links. Any other
// shows the code to type there, and is never signed in.
func (h Handlers) ShowSignInCode(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := h.newSignInCode(c)
	form.Code = models.NormalizeCode(c.Query("code"))
	if form.Code == "" {
		form.Focus = &form.Email
		form.Error = h.InsecurePage(c)
		return h.renderSignInCode(c, http.StatusOK, form, view.SignInCodeForm)
	}
	form.Code = models.FormatCode(form.Code)
	if _, form.Email = h.askedForCode(c); form.Email == "" {
		return h.renderSignInCode(c, http.StatusOK, form, view.SignInCodeElsewhere)
	}
	return h.renderSignInCode(c, http.StatusOK, form, view.SignInCodeLink)
}

func (h Handlers) renderSignInCode(c *gin.Context, status int, form *view.SignInCode, content func(layouts.Frame, *view.SignInCode) templ.Component) error {
	h.ProbeCookies(c)
	f := h.Frame(c, status)
	return web.Render(c, f, view.SignInCodePage(f, content(f, form)), content(f, form))
}

// SignInCode mails a code, or signs in if the code is right.
func (h Handlers) SignInCode(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := h.newSignInCode(c)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if c.Request.PostForm.Has("code") {
		return h.signInByCode(c, form)
	}
	if user := web.Current(c).User; user != nil {
		if !user.Verified() { // a code would end what they have: see DB.UseCode
			return web.Refuse(http.StatusForbidden, "Confirm your email address first", "We email codes only to confirmed addresses. Open the link that we sent you, then try again.")
		}
		form.Email = user.Email
	}
	h.FailUnreachable(c.Request.Context(), &form.Form)
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderSignInCode(c, http.StatusUnprocessableEntity, form, view.SignInCodeForm)
	}
	limited, err := h.requestCode(c, &form.Form, "sign-in code", models.MailSignInCode, form.Email)
	switch {
	case err != nil:
		return err
	case limited && form.Again == "":
		return h.renderSignInCode(c, http.StatusTooManyRequests, form, view.SignInCodeForm)
	case limited:
		return h.renderSignInCode(c, http.StatusTooManyRequests, form, view.SignInCodeSent)
	}
	return h.renderSignInCode(c, http.StatusOK, form, view.SignInCodeSent)
}

// signInByCode is SignInCode for a form that was sent with a code.
func (h Handlers) signInByCode(c *gin.Context, form *view.SignInCode) error {
	form.Excuse("email")
	_, form.Email = h.askedForCode(c)
	render := func(status int) error { return h.renderSignInCode(c, status, form, view.SignInCodeSent) }
	if user := web.Current(c).User; user != nil && form.Email != "" && text.EmailKey(form.Email) != user.EmailKey {
		return h.auth().SignedInMeanwhile(c, &form.Form, form.Email, func() error { return render(http.StatusConflict) })
	}
	code, limited, err := h.attemptMailedCode(c, &form.Form, form.Code, models.SignInByCode)
	switch {
	case err != nil:
		return err
	case limited:
		return render(http.StatusTooManyRequests)
	case code == nil:
		return render(http.StatusUnprocessableEntity)
	}
	claimed := false
	p, err := h.auth().Prove(c, auth.Step{
		Factor: models.FactorMailCode,
		Kind:   models.EventSignIn,
		Prepare: func(tx *models.DB) (user *models.User, err error) {
			if user, claimed, err = tx.UseCode(c.Request.Context(), code); err != nil || !claimed {
				return user, err
			}
			return user, auth.RecordOwn(c, tx, models.EventEmailConfirmed, user, models.EventDetail{Email: user.Email})
		},
	})
	if errors.Is(err, models.ErrNotFound) { // used in another tab, or the account has changed
		form.Fail("code", wrongMailedCode)
		return render(http.StatusUnprocessableEntity)
	}
	if err != nil {
		return err
	}
	h.ClearCookie(c, web.CodeCookie)
	next := code.Next
	if path := web.LocalPath(c.Query("next")); path != layouts.Home {
		next = path
	}
	if claimed {
		if strings.HasPrefix(next, "/verify-email") { // whose link is used up with that
			next = layouts.Home
		}
		return h.auth().FinishSignIn(c, p, "claimed", next)
	}
	return h.auth().FinishSignIn(c, p, "signed-in", next)
}
