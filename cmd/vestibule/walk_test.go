//go:build linux || darwin || freebsd

package main_test

import "testing"

// TestWalk goes the whole way of a person, from the front door and back to it.
func TestWalk(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.opens("/")
		v.wantsPage("/", "Welcome")
		v.wantsNavigation(forGuests...)

		v.follows("Sign up")
		v.wantsPage("/sign-up", "Sign up")
		v.wantsHeading("Create your account")
		v.fillsIn(ada)
		v.presses("Sign up")
		v.wantsPage("/dashboard", "Dashboard")
		v.wantsHeading("Hello, Ada")
		v.wantsText("It ends in 30 days")
		v.wantsToasts("Your account is ready. Welcome!")
		v.wantsNavigation(forPeople...)

		v.presses("Sign out")
		v.wantsPage("/", "Welcome")
		v.wantsNavigation(forGuests...)
		v.wantsToasts("You are signed out.")

		for _, login := range []string{ada.username, "ADA.King", ada.email} {
			v.follows("Sign in")
			v.wantsPage("/sign-in", "Sign in")
			v.signsIn(login, ada.password)
			v.wantsPage("/dashboard", "Dashboard")
			v.wantsNavigation(forPeople...)
			v.presses("Sign out")
			v.wantsPage("/", "Welcome")
		}

		v.follows("Sign in")
		v.wantsPage("/sign-in", "Sign in")
		v.signsIn(ada.username, ada.password)
		v.wantsPage("/dashboard", "Dashboard")
		v.follows("Account")
		v.wantsPage("/account", "Account")
		v.wantsText(ada.email)
		v.marks()
		v.fills("first_name", "Augusta")
		v.fills("last_name", "King")
		v.fills("username", "countess")
		v.presses("Save changes")
		v.wantsToasts("Your changes are saved.")
		if v.scripts {
			v.wantsSamePage()
		}
		v.wantsValue("username", "countess")

		v.follows("Dashboard")
		v.wantsPage("/dashboard", "Dashboard")
		v.wantsHeading("Hello, Augusta")
		v.wantsText("countess")
		v.presses("Sign out")
		v.wantsPage("/", "Welcome")

		v.follows("Sign in")
		v.wantsPage("/sign-in", "Sign in")
		v.signsIn("countess", ada.password)
		v.wantsPage("/dashboard", "Dashboard")
	})
}
