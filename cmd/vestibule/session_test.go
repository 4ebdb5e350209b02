//go:build linux || darwin || freebsd

package main_test

import (
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
)

func TestWayBack(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.site.signUp(apptest.Anna)
		for asked, lands := range map[string]string{
			"/account":                         "/account",
			"/account/sessions":                "/account/sessions",
			"/sign-in?next=/account":           "/account",
			"/sign-in?next=//evil.example":     "/dashboard",
			"/sign-in?next=/\\evil.example":    "/dashboard",
			"/sign-in?next=https:evil.example": "/dashboard",
		} {
			v.opens(asked)
			v.wants(`location.pathname`, "/sign-in")
			v.signsIn(apptest.Anna.Email, apptest.Anna.Password)
			v.wants(`location.href`, v.site.url+lands)
			v.wantsNavigation(forPeople...)

			v.opens("/sign-in")
			v.wantsPage("/dashboard", "Dashboard")
			v.opens("/sign-up?next=/account")
			v.wantsPage("/account", "Profile")
			v.signsOut()
			v.wantsPage("/", "Welcome")
		}
	})
}

// TestSessionEndsUnderAForm sends a form after the session has ended.
func TestSessionEndsUnderAForm(t *testing.T) {
	t.Parallel()
	ends := map[string]func(v *visitor, database string){
		"cookie": func(v *visitor, _ string) { v.losesCookies() },
		"row":    endSessions,
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			eitherWay(t, func(t *testing.T, scripts bool, database string) {
				s := serve(t, "DATABASE_URL="+database)
				s.signUp(apptest.Anna)
				v := s.visitor(t, scripts)
				v.opens("/account")
				v.signsIn(apptest.Anna.Username, apptest.Anna.Password)
				v.wantsPage("/account", "Profile")
				v.fills("first_name", "Augusta")
				end(v, database)
				v.expects("status of 403")
				v.presses("Save changes")
				v.wantsText("Your session has ended. What you typed is still here.")
				v.wants(`["header", "main"].map(name => document.getElementsByTagName(name).length)`, []int{1, 1})
				v.signsInAgain(apptest.Anna.Username, apptest.Anna.Password)
				v.wantsToasts("Changes saved")
				v.wantsPage("/account", "Profile")
				v.wantsValue("first_name", "Augusta")
			})
		})
	}
}

// endSessions ends every session, as an operator might.
func endSessions(v *visitor, database string) { execute(v, database, "DELETE FROM sessions") }

// execute changes the site's database behind its back.
func execute(v *visitor, database, query string, args ...any) {
	v.Helper()
	db, err := models.Open(v.Context(), database, 2)
	if err != nil {
		v.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Bun().ExecContext(v.Context(), query, args...); err != nil {
		v.Fatal(err)
	}
}

// TestDroppedCookies opens a site by http that is on https: the browser drops its cookies,
// which are Secure.
func TestDroppedCookies(t *testing.T) {
	const opened = "This page was opened without https, so you can't sign in here. Open https://example.com instead."
	eitherWay(t, func(t *testing.T, scripts bool, database string) {
		s := serve(t, "DATABASE_URL="+database, "BASE_URL=https://example.com")
		s.signUp(apptest.Anna)
		s.url = strings.Replace(s.url, "127.0.0.1", otherHost, 1)
		v := s.visitor(t, scripts)
		v.expects("Cross-Origin-Opener-Policy header has been ignored")
		v.opens("/account")
		v.wantsPage("/sign-in?next=%2Faccount", "Sign in")
		v.wantsText(opened)
		answered := func() {
			if v.scripts { // which keeps the password
				v.wants(`document.querySelector(".submit:disabled") === null`, true)
			} else {
				v.wantsValue("password", "")
			}
		}
		for range 2 {
			v.signsIn(apptest.Anna.Username, apptest.Anna.Password)
			answered()
			v.wantsValue("login", apptest.Anna.Username)
			v.wantsText(opened)
		}
		v.opens("/sign-up")
		v.wantsText(opened)
		v.fillsIn(apptest.Ben)
		v.presses("Sign up")
		answered()
		v.wantsValue("username", apptest.Ben.Username)
		v.wantsText(opened)
		if got := rows(v, database, "sessions"); got != 1 { // of the sign-up past the browser
			t.Errorf("%d sessions are left, want 1", got)
		}
	})
}

// rows returns how many rows a table has.
func rows(v *visitor, database, table string) (n int) {
	v.Helper()
	db, err := models.Open(v.Context(), database, 2)
	if err != nil {
		v.Fatal(err)
	}
	defer db.Close()
	if err := db.Bun().QueryRowContext(v.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		v.Fatal(err)
	}
	return n
}

func TestBackAfterSignOut(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.opens("/account")
		v.wantsPage("/account", "Profile")
		v.signsOut()
		v.wantsPage("/", "Welcome")
		v.goesBack()
		v.wantsPage("/sign-in?next=%2Faccount", "Sign in")
		v.wantsNavigation(forGuests...)
	})
}

func TestToasts(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.wantsToasts("Welcome! Your account is ready")
		if v.scripts {
			v.presses("Dismiss")
			v.wantsToasts()
		}
		v.reloads()
		v.wantsHeading("Hello, Anna")
		v.wantsToasts()

		// A problem is red, and stays until something else is said or it is dismissed.
		v.expects("status of 429")
		v.opens("/account")
		const problems = `[document.querySelectorAll("#alerts .problem").length, document.querySelectorAll("#notices .toast").length]`
		tooSoon := "We sent a link a moment ago. Check your inbox, or try again in a minute."
		for range 2 {
			v.presses("Resend link")
			v.wantsToasts(tooSoon)
			v.wants(problems, []int{1, 0})
			v.wants(`document.querySelector(".banner button").disabled`, false) // the second answer is here, too
		}
		v.presses("Save changes")
		v.wantsToasts("Changes saved")
		v.wants(problems, []int{0, 1})
		if v.scripts {
			v.wantsHeading("Profile")
			v.presses("Resend link")
			v.wantsToasts(tooSoon)
			v.presses("Dismiss")
			v.wantsToasts()
		}

		v.signsOut()
		v.wantsToasts("Signed out")
		v.reloads()
		v.wantsPage("/", "Welcome")
		v.wantsToasts()
	})
}
