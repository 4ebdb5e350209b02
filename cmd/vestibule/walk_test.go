//go:build linux || darwin || freebsd

package main_test

import (
	"testing"

	"vestibule/app/apptest"
)

// TestWalk goes the whole way of a person, from the front door and back to it.
func TestWalk(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.opens("/")
		v.wantsPage("/", "Welcome")
		v.wantsNavigation(forGuests...)

		v.follows("Sign up")
		v.wantsPage("/sign-up", "Sign up")
		v.wantsHeading("Create your account")
		v.fillsIn(apptest.Anna)
		v.presses("Sign up")
		v.wantsPage("/dashboard", "Dashboard")
		v.wantsHeading("Hello, Anna")
		v.wantsText("You'll stay signed in for 30 days")
		v.wantsToasts("Welcome! Your account is ready")
		v.wantsNavigation(forPeople...)

		v.signsOut()
		v.wantsPage("/", "Welcome")
		v.wantsNavigation(forGuests...)
		v.wantsToasts("Signed out")

		for _, login := range []string{apptest.Anna.Username, "ANNA.Smith", apptest.Anna.Email} {
			v.follows("Sign in")
			v.wantsPage("/sign-in", "Sign in")
			v.signsIn(login, apptest.Anna.Password)
			v.wantsPage("/dashboard", "Dashboard")
			v.wantsNavigation(forPeople...)
			v.signsOut()
			v.wantsPage("/", "Welcome")
		}

		v.follows("Sign in")
		v.wantsPage("/sign-in", "Sign in")
		v.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		v.wantsPage("/dashboard", "Dashboard")
		v.presses("Your account and menu")
		v.follows("Account")
		v.wantsPage("/account", "Profile")
		v.wantsText(apptest.Anna.Email)
		v.marks()
		v.fills("first_name", "Augusta")
		v.fills("last_name", "King")
		v.fills("username", "countess")
		v.presses("Save changes")
		v.wantsToasts("Changes saved")
		if v.scripts {
			v.wantsSamePage()
		}
		v.wantsValue("username", "countess")

		v.follows("Dashboard")
		v.wantsPage("/dashboard", "Dashboard")
		v.wantsHeading("Hello, Augusta")
		v.wantsText("countess")
		v.signsOut()
		v.wantsPage("/", "Welcome")

		v.follows("Sign in")
		v.wantsPage("/sign-in", "Sign in")
		v.signsIn("countess", apptest.Anna.Password)
		v.wantsPage("/dashboard", "Dashboard")
	})
}
