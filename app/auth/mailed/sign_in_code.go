package mailed

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/metrics"
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

// requestCode is requestMail for mail with a code, which only this browser can use.
func (h Handlers) requestCode(c *gin.Context, form *forms.Form, what, kind, email string) (limited bool, err error) {
	secret, request := models.NewCodeRequest(email, web.LocalPath(c.Query("next")))
	limited, err = h.requestMail(c, form, what, models.Mail{Kind: kind, Recipient: email, Detail: models.MailDetail{Code: request}})
	if err == nil && !limited {
		h.setCodeCookie(c, secret, email)
	}
	return limited, err
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

// What the site says about a code that was typed. Nothing of it depends on whether anybody
// has the address: a code that was never sent is a wrong one.
const (
	wantsMailedCode = "Enter the 8 letters and digits of the code."
	wrongMailedCode = "That code is wrong, or no longer works. Check the newest mail, or ask for another code."
	spentMailedCode = "That was wrong too often. Ask for another code."
	otherBrowser    = "This browser hasn't asked for a code lately. Enter it where you asked for it, or ask for another code here."
)

// mailedCodeLimit is for the code of one request: after the last try, it takes another.
var mailedCodeLimit = models.Limit{Free: models.MaxCodeTries, First: models.CodeLife, Longest: models.CodeLife, Forget: models.CodeLife}

// attemptMailedCode returns the code that was typed into form's field "code", if it is right
// and this browser has asked for it. Otherwise form has the error; limited reports whether
// there were too many attempts. It doesn't use the code up. As [Handlers.checkSignIn], it
// does the same work for an address that nobody has.
func (h Handlers) attemptMailedCode(c *gin.Context, form *forms.Form, typed string, purpose models.Purpose) (code *models.Code, limited bool, err error) {
	secret, email := h.askedForCode(c)
	form.Error = h.CookieProblem(c)
	switch typed = models.NormalizeCode(typed); {
	case typed == "":
		form.Fail("code", wantsMailedCode)
	case secret == "" && form.Error == "":
		form.Fail("code", otherBrowser)
	}
	if !form.Valid() {
		return nil, false, nil
	}
	user, err := h.DB.UserByLogin(c.Request.Context(), email)
	who := user
	if errors.Is(err, models.ErrNotFound) {
		user, err = &models.User{ID: uuid.NewHash(sha256.New(), uuid.Nil, []byte(text.EmailKey(email)), 8)}, nil
	}
	if err != nil {
		return nil, false, err
	}
	hash := ""
	code, err = h.DB.CodeOf(c.Request.Context(), secret, email, purpose)
	if err == nil && code.UserID == user.ID {
		hash = code.CodeHash
	} else if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, false, err
	}
	match, limited, err := h.tryMailedCode(c, form, try{way: codeProves(purpose), user: user, who: who, request: models.RequestKey(secret, email), typed: typed, hash: hash})
	if !match {
		return nil, limited, err
	}
	return code, false, nil
}

// try is a try to type a mailed code.
type try struct {
	way     models.Factor // what the code would prove; empty if that signs nobody in
	user    *models.User  // whose account counts it
	who     *models.User  // who is known to have that account; nil for nobody
	request string        // what has MaxCodeTries
	typed   string        // see models.NormalizeCode
	hash    string        // of the code; empty if there is none
}

// count counts the outcome of the try in the metrics.
func (t try) count(h Handlers, outcome string) {
	if t.way != "" {
		h.Metrics.SignIn(string(t.way), outcome)
	}
}

// codeProves returns the factor that a code for purpose proves.
func codeProves(purpose models.Purpose) models.Factor {
	if purpose == models.SignInByCode {
		return models.FactorMailCode
	}
	return models.FactorEmail
}

// tryMailedCode reports whether the code is right. Otherwise form has the error; limited
// reports whether there were too many attempts.
func (h Handlers) tryMailedCode(c *gin.Context, form *forms.Form, t try) (match, limited bool, err error) {
	counted := web.NewAttempt("mailed code in "+t.request, mailedCodeLimit)
	if err := h.Attempt(c, counted); errors.As(err, new(*models.ThrottledError)) {
		t.count(h, metrics.Limited)
		form.Fail("code", spentMailedCode)
		return false, false, nil
	} else if err != nil {
		return false, false, err
	}
	account, known, err := h.PerAccount(c, "mailed code", t.user)
	if err != nil {
		return false, false, err
	}
	attempts := []web.Attempt{account}
	if !known { // as at the password
		attempts = []web.Attempt{web.PerIP(c, "sign-in", h.Config.LimitAddress), account}
	}
	if limited, err := h.Limited(c, form, attempts...); limited || err != nil {
		if limited {
			t.count(h, metrics.Limited)
		}
		h.Refund(c, counted)
		return false, limited, err
	}
	if match, _, err = h.Verify(c, t.typed, t.hash); err != nil {
		h.Refund(c, append(attempts, counted)...)
		return false, false, err
	}
	if !match {
		t.count(h, metrics.Refused)
		h.RecordAttempt(c, models.EventSignInFailed, t.who)
		form.Fail("code", wrongMailedCode)
		return false, false, nil
	}
	h.Refund(c, attempts[:len(attempts)-1]...)
	h.ResetAttempts(c, account)
	if web.Current(c).User == nil { // otherwise LimitWrites counts it
		limited, err = h.Limited(c, form, h.Write(t.user))
	}
	return !limited && err == nil, limited, err
}

// codeCookieLife is how long the browser waits for a mailed code: longer than the code
// lives, because mail can be late.
const codeCookieLife = time.Hour

// setCodeCookie makes this the browser that has asked for a code to be sent to email.
func (h Handlers) setCodeCookie(c *gin.Context, secret, email string) {
	h.SetCookie(c, web.CodeCookie, secret+"."+base64.RawURLEncoding.EncodeToString([]byte(email)), codeCookieLife)
}

// askedForCode returns what setCodeCookie has set. Both are empty if the browser has asked
// for no code.
func (h Handlers) askedForCode(c *gin.Context) (secret, email string) {
	secret, encoded, _ := strings.Cut(h.Cookie(c, web.CodeCookie), ".")
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || secret == "" || len(decoded) == 0 {
		return "", ""
	}
	return secret, string(decoded)
}
