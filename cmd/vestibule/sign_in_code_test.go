//go:build linux || darwin || freebsd

package main_test

import (
	"strings"
	"testing"

	"vestibule/app/apptest"
)

// TestSignInCodeInChromium opens the mail on another device, and then in the same browser.
func TestSignInCodeInChromium(t *testing.T) {
	eachFlow(t, func(f *flow) {
		const subject = "Your code to sign in"
		for _, p := range []apptest.Person{apptest.Anna, apptest.Ben} {
			f.joins(p)
			f.signsOut()
			f.wantsToasts("Signed out")
		}
		ask := func(email string) (link string) {
			f.Helper()
			f.opens("/sign-in?next=/account/sessions")
			f.follows("Email me a code")
			f.wantsFocus("email")
			f.fills("email", email)
			f.presses("Email me a code")
			f.wantsText("If there's an account for " + email + ", we've sent a code to it.")
			return f.mailed(email, subject)
		}
		link := ask(apptest.Anna.Email)
		phone := f.friend()
		phone.opens(link)
		phone.wantsText("Enter this code in the browser in which you asked for it:")
		phone.wants(`document.querySelectorAll("main form").length`, 0)
		code := phone.reads(`document.querySelector("main output").textContent`)
		f.fills("code", "0000-0000")
		f.presses("Sign in")
		f.wantsErrors(sentences{"code": "That code is wrong, or no longer works. Check the newest mail, or ask for another code."})
		f.fills("code", strings.ToLower(code[:4])+" "+code[5:])
		f.presses("Sign in")
		f.wantsPage("/account/sessions", "Devices")
		f.wantsToasts("Signed in")
		phone.opens("/account")
		phone.wantsPage("/sign-in?next=%2Faccount", "Sign in")

		f.signsOut()
		f.wantsToasts("Signed out")
		f.opens(ask(apptest.Ben.Email))
		f.wantsText("You asked for a code for ben@example.com in this browser.")
		f.presses("Sign in")
		f.wantsPage("/account/sessions", "Devices")
	})
}
