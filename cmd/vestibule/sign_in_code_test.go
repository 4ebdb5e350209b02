//go:build linux || darwin || freebsd

package main_test

import (
	"regexp"
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

// TestCodesBesideLinksInChromium reads the mail elsewhere, and types its code where it was
// asked for: to confirm an address, and to reset a password.
func TestCodesBesideLinksInChromium(t *testing.T) {
	eachFlow(t, func(f *flow) {
		code := func(subject string) string {
			f.Helper()
			f.mailed(apptest.Anna.Email, subject)
			text := f.office.To(apptest.Anna.Email, subject)[0].Text
			return regexp.MustCompile(`(?m)^[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(text)
		}
		f.signsUp(apptest.Anna)
		f.follows("Enter code")
		f.wantsFocus("code")
		f.fills("code", "0000-0000")
		f.presses("Confirm")
		f.wantsErrors(sentences{"code": "That code is wrong, or no longer works. Check the newest mail, or ask for another code."})
		f.fills("code", code(apptest.VerifySubject))
		f.presses("Confirm")
		f.wantsPage("/dashboard", "Dashboard")
		f.wantsToasts("Email address confirmed")
		f.signsOut()
		f.wantsToasts("Signed out")

		f.opens("/forgot-password")
		f.fills("email", apptest.Anna.Email)
		f.presses("Send reset link")
		f.wantsText("Reading the mail on another device? Enter its code here.")
		f.fills("code", code(apptest.ResetSubject))
		f.presses("Continue")
		f.wantsHeading("Set a new password")
		f.fills("password", apptest.AnotherPassword)
		f.fills("confirm_password", apptest.AnotherPassword)
		f.presses("Set password")
		f.wantsPage("/dashboard", "Dashboard")
	})
}
