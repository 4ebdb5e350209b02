package apptest

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// SecondFactorPath is the path of the page that asks for a code after the password, and
// SecondFactorForm its form.
const (
	SecondFactorPath = "/sign-in/second-factor"
	SecondFactorForm = "form#second-factor"
)

// Authenticator is a person's app that shows codes.
type Authenticator struct {
	site   *Site
	Secret string
}

// AddAuthenticator sets up an app for the one who is signed in.
func (v *Visitor) AddAuthenticator() *Authenticator {
	v.T.Helper()
	a, answer := v.SetUpAuthenticator("/account/authenticator?another")
	if to := answer.Wants(http.StatusSeeOther).Header.Get("Location"); !strings.HasPrefix(to, "/account/") {
		v.T.Errorf("adding an app leads to %s", to)
	}
	return a
}

// JoinWithApp signs Anna up with an app, and out again.
func (s *Site) JoinWithApp() *Authenticator {
	s.T.Helper()
	s.Join(Anna)
	s.Confirmed()
	a := s.AddAuthenticator()
	s.Post("/sign-out", nil).LeadsTo("/")
	return a
}

// SetUpAuthenticator sets up an app on the page at path, and returns what that answers.
func (v *Visitor) SetUpAuthenticator(path string) (*Authenticator, *Answer) {
	v.T.Helper()
	page := v.Get(path).Wants(http.StatusOK).Page()
	a := &Authenticator{v.Site, strings.ReplaceAll(page.Text("#secret"), " ", "")}
	v.T.Cleanup(func() { v.Site.Log.Hide(a.Secret) })
	return a, v.Submit(page, "form#authenticator", Fill("code", a.code(0)))
}

// RecoveryCodes makes a new set of recovery codes for the one who is signed in.
func (v *Visitor) RecoveryCodes() (codes []string) {
	v.T.Helper()
	page := v.Get("/account/recovery-codes").Wants(http.StatusOK)
	v.Submit(page, "form[action='/account/recovery-codes']", nil).Wants(http.StatusOK).Find("#codes li").Each(func(_ int, li Selection) {
		codes = append(codes, li.Text())
		v.T.Cleanup(func() { v.Site.Log.Hide(li.Text()) })
	})
	return codes
}

// Code returns what the app shows now. No code was used before, as if time had passed.
func (a *Authenticator) Code() string {
	a.site.T.Helper()
	if _, err := a.site.DB.Bun().ExecContext(a.site.T.Context(), "UPDATE authenticators SET last_step = 0"); err != nil {
		a.site.T.Fatal(err)
	}
	return a.code(0)
}

// CodeIn returns what the app will show then.
func (a *Authenticator) CodeIn(d time.Duration) string { a.site.T.Helper(); return a.code(d) }

func (a *Authenticator) code(d time.Duration) string {
	a.site.T.Helper()
	code, err := totp.GenerateCode(a.Secret, time.Now().Add(d))
	if err != nil {
		a.site.T.Fatal(err)
	}
	return code
}

// SignIn signs in with the code of an app.
func (v *Visitor) SignIn(p Person, a *Authenticator) {
	v.T.Helper()
	v.Post("/sign-in", p.Credentials()).LeadsTo("/sign-in/second-factor")
	v.Post("/sign-in/second-factor", url.Values{"code": {a.Code()}}).LeadsTo("/dashboard")
}
