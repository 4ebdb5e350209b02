package mailed

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/metrics"
	"vestibule/app/web"
	"vestibule/models"
)

// requestCode is requestMail for mail with a code, which only this browser can use.
func (h Handlers) requestCode(c *gin.Context, form *forms.Form, what, kind, email string) (limited bool, err error) {
	secret, request := models.NewCodeRequest(email, web.LocalPath(c.Query("next")))
	limited, err = h.requestMail(c, form, what, models.Mail{Kind: kind, Recipient: email, Detail: models.MailDetail{Code: request}})
	if err == nil && !limited {
		h.setCodeCookie(c, secret, email)
	}
	return limited, err
}

// What the site says about a code that was typed. Nothing of it depends on whether anybody
// has the address: a code that was never sent is a wrong one.
const (
	wantsMailedCode = "Enter the 8 letters and digits of the code."
	wrongMailedCode = "That code is wrong, or no longer works. Check the newest mail, or ask for another code."
	spentMailedCode = "That was wrong too often. Ask for another code."
	otherBrowser    = "This browser hasn't asked for a code lately. Enter it where you asked for it, or ask for another code here."
)

// mailedCodeLimit is for the code of one request: after the last attempt, it takes another.
var mailedCodeLimit = models.Limit{Free: models.MaxCodeTries, First: models.CodeLife, Longest: models.CodeLife, Forget: models.CodeLife}

// attemptMailedCode returns the code that was typed into form's field "code", if it is right
// and this browser has asked for it. Otherwise form has the error; limited reports whether
// there were too many attempts. It doesn't use the code up. As sign-in by password does, it
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
	known := user
	if errors.Is(err, models.ErrNotFound) {
		user, err = auth.UnknownUser(email), nil
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
	match, limited, err := h.checkMailedCode(c, form, codeAttempt{factor: codeProves(purpose), user: user, known: known, request: models.RequestKey(secret, email), typed: typed, hash: hash})
	if !match {
		return nil, limited, err
	}
	return code, false, nil
}

// codeAttempt is an attempt at a mailed code.
type codeAttempt struct {
	factor  models.Factor // what the code would prove; empty if that signs nobody in
	user    *models.User  // whose account counts it
	known   *models.User  // who is known to have that account; nil for nobody
	request string        // what has MaxCodeTries
	typed   string        // see models.NormalizeCode
	hash    string        // of the code; empty if there is none
}

// count counts the outcome of the attempt in the metrics.
func (a codeAttempt) count(h Handlers, outcome string) {
	if a.factor != "" {
		h.Metrics.SignIn(string(a.factor), outcome)
	}
}

// codeProves returns the factor that a code for purpose proves.
func codeProves(purpose models.Purpose) models.Factor {
	if purpose == models.SignInByCode {
		return models.FactorMailCode
	}
	return models.FactorEmail
}

// checkMailedCode reports whether the code is right. Otherwise form has the error; limited
// reports whether there were too many attempts.
func (h Handlers) checkMailedCode(c *gin.Context, form *forms.Form, a codeAttempt) (match, limited bool, err error) {
	counted := web.NewAttempt("mailed code in "+a.request, mailedCodeLimit)
	if err := h.Attempt(c, counted); errors.As(err, new(*models.ThrottledError)) {
		a.count(h, metrics.Limited)
		form.Fail("code", spentMailedCode)
		return false, false, nil
	} else if err != nil {
		return false, false, err
	}
	account, known, err := h.PerAccount(c, "mailed code", a.user)
	if err != nil {
		return false, false, err
	}
	attempts := []web.Attempt{account}
	if !known { // as at the password
		attempts = []web.Attempt{web.PerIP(c, "sign-in", h.Config.LimitAddress), account}
	}
	if limited, err := h.Limited(c, form, attempts...); limited || err != nil {
		if limited {
			a.count(h, metrics.Limited)
		}
		h.Refund(c, counted)
		return false, limited, err
	}
	if match, _, err = h.Verify(c, a.typed, a.hash); err != nil {
		h.Refund(c, append(attempts, counted)...)
		return false, false, err
	}
	if !match {
		a.count(h, metrics.Refused)
		h.RecordAttempt(c, models.EventSignInFailed, a.known)
		form.Fail("code", wrongMailedCode)
		return false, false, nil
	}
	h.Refund(c, attempts[:len(attempts)-1]...)
	h.ResetAttempts(c, account)
	if web.Current(c).User == nil { // otherwise LimitWrites counts it
		limited, err = h.Limited(c, form, h.Write(a.user))
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
