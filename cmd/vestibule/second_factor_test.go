//go:build linux || darwin || freebsd

package main_test

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"vestibule/app/apptest"
)

// TestSecondFactorInChromium sets up an app, signs in with its codes and with a recovery
// code, and signs in again under a form.
func TestSecondFactorInChromium(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.expects("status of 422", "status of 403")
		f.joins(apptest.Anna)
		f.opens("/account/security")
		f.clicks(`document.querySelector("#factors a[href='/account/authenticator']")`)
		f.wantsPage("/account/authenticator", "Authenticator app")
		f.wantsFocus("code")
		f.wants(`document.querySelector("img.qr").naturalWidth > 100`, true)
		f.fills("code", "000000")
		f.presses("Add app")
		f.wantsErrors(sentences{"code": "That code is wrong. Check that your device's clock is right, then enter the code that it shows now."})
		code := f.addsAuthenticator()
		f.wantsPage("/account/recovery-codes", "Recovery codes")
		f.wantsToasts("Authenticator app added")
		f.mailed(apptest.Anna.Email, "An authenticator app was added")
		f.presses("Create recovery codes")
		f.wants(`document.querySelectorAll("#codes li").length`, 10)
		recovery := f.reads(`document.querySelector("#codes li").textContent`)
		f.wants(`[...document.querySelectorAll("main .actions button")].filter(b => b.checkVisibility()).length`, map[bool]int{true: 2, false: 0}[f.scripts])
		f.mailed(apptest.Anna.Email, "New recovery codes were created")

		// Signing in again under a form asks for a code, and keeps what was typed.
		f.opens("/account")
		f.fills("first_name", "Augusta")
		f.losesCookies()
		f.presses("Save changes")
		f.wantsText("Your session has ended. What you typed is still here.")
		f.fills("again_password", apptest.Anna.Password)
		f.presses("Sign in and continue")
		f.wantsFocus("again_code")
		used := code(1)
		f.fills("again_code", used)
		f.presses("Sign in and continue")
		f.wantsToasts("Changes saved")
		f.wantsValue("first_name", "Augusta")
		f.mailed(apptest.Anna.Email, "New sign-in to your account") // the browser's mark is gone too

		f.signsOut()
		f.wantsToasts("Signed out")
		f.opens("/sign-in?next=/account/sessions")
		f.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		f.wantsHeading("One more step")
		f.wantsFocus("code")
		f.fills("code", used)
		f.presses("Continue")
		f.wantsErrors(sentences{"code": "That code is wrong, or was used before."})
		f.follows("Use a recovery code")
		f.wantsFocus("recovery_code")
		f.fills("recovery_code", recovery)
		f.clicks(`document.querySelector("[name=trust]")`)
		f.presses("Continue")
		f.wantsPage("/account/sessions", "Devices")
		f.wantsText("Trusted browsers")
		f.mailed(apptest.Anna.Email, "A recovery code was used")

		f.signsOut()
		f.wantsToasts("Signed out")
		f.opens("/sign-in")
		f.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		f.wantsPage("/dashboard", "Dashboard")
	})
}

// addsAuthenticator sets up an app. It returns what shows its codes: of now, or that many
// steps later.
func (v *visitor) addsAuthenticator() (code func(step int) string) {
	v.Helper()
	v.opens("/account/authenticator")
	v.wantsFocus("code")
	secret := v.reads(`document.querySelector("#secret").textContent`)
	code = func(step int) string {
		v.Helper()
		code, err := totp.GenerateCode(secret, time.Now().Add(time.Duration(step)*30*time.Second))
		if err != nil {
			v.Fatal(err)
		}
		return code
	}
	v.fills("code", code(0))
	v.presses("Add app")
	return code
}

// reads returns the text that an expression has.
func (v *visitor) reads(expression string) string {
	v.Helper()
	value, err := v.evaluate(expression)
	text, ok := value.(string)
	if err != nil || !ok {
		v.Fatalf("%s is %v (%v)", expression, value, err)
	}
	return text
}
