//go:build linux || darwin || freebsd

package main_test

import (
	"net/http"
	"testing"
	"time"

	"vestibule/app/apptest"
)

// TestProviderInChromium goes to a provider and back, although the pages have a
// Content-Security-Policy that lets no form lead anywhere else. Apple's answer is a form of
// another site, which a script sends.
func TestProviderInChromium(t *testing.T) {
	eitherWay(t, func(t *testing.T, scripts bool, database string) {
		name, label := "apple", "Apple"
		if !scripts {
			name, label = "other", "Other"
		}
		acme, other := apptest.NewOpenID(t, "acme"), apptest.NewOpenID(t, name)
		addr := freeAddr(t)
		settings := append(acme.Env("http://"+addr), other.Env("http://"+addr)...)
		s := start(t, program, addr, nil, append(settings, "DATABASE_URL="+database)...)
		s.waits()
		v := s.visitor(t, scripts)
		v.expects("status of 403")

		v.opens("/sign-up?next=/account")
		v.presses("Sign up with Acme")
		v.wantsPage("/sign-up/provider?next=%2Faccount", "Sign up")
		v.wantsText("We'll create an account that you sign in to with Acme.")
		v.wantsValue("username", "anna.smith")
		v.presses("Create account")
		v.wantsPage("/account", "Profile")
		v.wantsToasts("Welcome! Your account is ready")

		execute(v, database, "UPDATE sessions SET authenticated_at = ?", time.Now().UTC().Add(-time.Hour))
		v.opens("/account/email")
		v.wantsText("Sign in again to continue.")
		v.presses("Continue with Acme")
		v.wantsPage("/account/email", "Email")

		v.opens("/account/connections")
		v.presses("Connect " + label)
		v.wantsPage("/account/connections", "Connections")
		v.wantsToasts(label + " connected")
		v.wants(`document.querySelectorAll("#connections > li").length`, 2)
		v.clicks(`document.querySelector("#connections form button")`)
		v.agrees("Disconnect Acme (anna@example.com)?", "Disconnect")
		v.wantsToasts("Account disconnected")
		v.wantsText("It's your only way to sign in.")

		v.signsOut()
		v.wantsToasts("Signed out")
		v.opens("/sign-in")
		acme.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/oauth/token" {
				http.Error(w, "down", http.StatusInternalServerError)
			}
			return r.URL.Path == "/oauth/token"
		}
		v.presses("Sign in with Acme")
		v.wantsPage("/sign-in", "Sign in")
		v.wantsToasts("Acme isn't answering right now. Try again later, or use another way.")
		v.presses("Sign in with " + label)
		v.wantsPage("/dashboard", "Dashboard")
	})
}
