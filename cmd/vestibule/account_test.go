//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// flow is a visitor whose site sends mail by a real server, and whose database
// the test can reach.
type flow struct {
	*visitor
	office *apptest.MailServer
	db     *models.DB
}

// eachFlow is eitherWay with a flow.
func eachFlow(t *testing.T, test func(f *flow), settings ...string) {
	t.Helper()
	eitherWay(t, func(t *testing.T, scripts bool, database string) {
		office := apptest.StartMailServer(t)
		s := serve(t, append([]string{"DATABASE_URL=" + database, "SMTP_URL=" + office.URL, "MAIL_FROM=hall@example.com"}, settings...)...)
		test(&flow{s.visitor(t, scripts), office, modelstest.Open(t, database)})
	})
}

// friend is another visitor of the same site, on another device.
func (f *flow) friend() *visitor { return f.site.visitor(f.T, f.scripts) }

// mailed waits for a mail of that subject, and returns the path of its link.
func (f *flow) mailed(recipient, subject string) string {
	f.Helper()
	var mail []apptest.Delivery
	if !waitFor(func() bool { mail = f.office.To(recipient, subject); return len(mail) > 0 }) {
		f.Fatalf("no mail %q comes to %s", subject, recipient)
	}
	return strings.TrimPrefix(apptest.LinksIn(mail[len(mail)-1].Text)[0], f.site.url)
}

// joins signs up somebody whose email is confirmed, as notices go to no other.
func (f *flow) joins(p apptest.Person) {
	f.Helper()
	f.signsUp(p)
	if _, err := f.db.Bun().ExecContext(f.Context(), "UPDATE users SET verified_at = ?", time.Now().UTC()); err != nil {
		f.Fatal(err)
	}
}

// ages makes it long ago that anybody gave the password.
func (f *flow) ages() {
	f.Helper()
	ago := time.Now().UTC().Add(-16 * time.Minute)
	if _, err := f.db.Bun().ExecContext(f.Context(), "UPDATE sessions SET authenticated_at = ?", ago); err != nil {
		f.Fatal(err)
	}
}

// wantsGone waits for the page about a link that is used up.
func (v *visitor) wantsGone(link string) {
	v.Helper()
	v.expects("status of 410")
	v.opens(link)
	v.wantsHeading("Link expired")
}

// wantsOut looks whether the visitor has to sign in.
func (v *visitor) wantsOut() {
	v.Helper()
	v.opens("/account")
	v.wantsPage("/sign-in?next=%2Faccount", "Sign in")
	v.wantsToasts("Your session has ended. Please sign in again.")
}

// entersOn signs in by the page for it.
func (v *visitor) entersOn(login, password string) {
	v.Helper()
	v.opens("/sign-in")
	v.signsIn(login, password)
	v.wantsPage("/dashboard", "Dashboard")
}

const anotherPassword = "violet kettle thunder"

func TestVerifyEmail(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.signsUp(apptest.Anna)
		f.wantsText("to keep your account. We sent a link to " + apptest.Anna.Email)
		link := f.mailed(apptest.Anna.Email, apptest.VerifySubject)
		f.expects("status of 429")
		f.presses("Resend link")
		const tooSoon = "We sent a link a moment ago. Check your inbox, or try again in a minute."
		f.wantsToasts(tooSoon)

		for range 2 { // programs that look at mail open links, too
			f.opens(link)
			f.wantsHeading("Confirm your email address")
			f.wantsText("Is " + apptest.Anna.Email + " your email address?")
		}
		f.presses("Confirm")
		f.wantsPage("/dashboard", "Dashboard")
		f.wantsToasts("Email address confirmed")
		f.wants(`document.querySelector(".banner")`, nil)
		f.wantsGone(link)
	})
}

// TestVerifyEmailElsewhere opens the link in a browser that is signed in to another
// account, then in the same one signed out, and takes the account from whoever made it.
func TestVerifyEmailElsewhere(t *testing.T) {
	eachFlow(t, func(f *flow) {
		stranger := f.friend()
		stranger.signsUp(apptest.Anna)
		link := f.mailed(apptest.Anna.Email, apptest.VerifySubject)
		f.signsUp(apptest.Ben)
		f.opens(link)
		f.wantsHeading("This link is for another account")
		f.wantsText("You're signed in as " + apptest.Ben.Username + ", so nothing was confirmed.")
		f.presses("Sign out and continue")
		f.wantsHeading("Confirm your email address")
		f.wantsToasts("Signed out")
		f.wantsText("This link is for the account " + apptest.Anna.Username)
		f.fills("password", "not the password")
		f.presses("Confirm")
		f.wantsErrors(sentences{"password": "That isn't the password of this account."})
		f.wantsFocus("password")
		f.follows("Choose a new password")
		f.wantsHeading("Choose a new password")
		f.fills("password", anotherPassword)
		f.fills("confirm_password", anotherPassword)
		f.presses("Set password and confirm")
		f.wantsPage("/dashboard", "Dashboard")
		f.wantsToasts("Password changed, other devices signed out")
		f.wants(`document.querySelector(".banner")`, nil)
		f.wantsGone(link)
		stranger.opens("/dashboard")
		stranger.wants(`location.pathname`, "/sign-in")
	})
}

func TestChangeEmail(t *testing.T) {
	eachFlow(t, func(f *flow) {
		const changed = "countess@example.com"
		f.joins(apptest.Anna)
		f.opens("/account/email")
		f.fills("email", changed)
		f.fills("current_password", "not the password")
		f.presses("Send confirmation link")
		f.wantsErrors(sentences{"current_password": "That isn't your current password."})
		f.wantsFocus("current_password")
		f.wantsValue("email", changed)
		f.fills("current_password", apptest.Anna.Password)
		f.presses("Send confirmation link")
		f.wantsText("We sent a link to " + changed)
		link := f.mailed(changed, "Confirm your new email address")

		f.opens("/account")
		f.wantsText(apptest.Anna.Email) // until the link is used
		f.opens(link)
		f.wantsText("Your account's email address will change to " + changed)
		f.presses("Confirm")
		f.wantsPage("/dashboard", "Dashboard")
		f.presses("Your account and menu")
		f.wantsText(changed)
		f.mailed(apptest.Anna.Email, "Your email address was changed")
		f.wantsGone(link)
		f.friend().entersOn(changed, apptest.Anna.Password)
	})
}

func TestForgottenPassword(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.signsUp(apptest.Anna)
		f.signsOut()
		f.wantsPage("/", "Welcome")
		other := f.friend()
		other.entersOn(apptest.Anna.Username, apptest.Anna.Password)

		for _, email := range []string{"nobody@example.com", apptest.Anna.Email} {
			f.opens("/sign-in")
			f.follows("Forgot your password?")
			f.wantsPage("/forgot-password", "Forgot your password")
			f.fills("email", email)
			f.presses("Send reset link")
			f.wantsText("If there's an account for " + email + ", we've sent a link to reset its password. The link works for 10 minutes.")
		}
		link := f.mailed(apptest.Anna.Email, "Reset your password")
		f.opens(link)
		f.wantsHeading("Set a new password")
		f.fills("password", "short")
		f.fills("confirm_password", "another")
		f.presses("Set password")
		f.wantsErrors(sentences{"password": "Use at least 8 characters.", "confirm_password": apptest.PasswordsDiffer})
		f.fills("password", anotherPassword)
		f.fills("confirm_password", anotherPassword)
		f.presses("Set password")
		f.wantsPage("/dashboard", "Dashboard")
		f.wantsToasts("Password changed, other devices signed out")
		f.mailed(apptest.Anna.Email, "Your password was reset")
		other.wantsOut()
		f.wantsGone(link)
		if len(f.office.To("nobody@example.com", "Reset your password")) > 0 {
			f.Error("somebody without an account gets mail")
		}
	})
}

func TestChangePassword(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.joins(apptest.Anna)
		other := f.friend()
		other.entersOn(apptest.Anna.Username, apptest.Anna.Password)
		f.opens("/account/password")
		f.fills("current_password", apptest.Anna.Password)
		f.fills("password", anotherPassword)
		f.fills("confirm_password", anotherPassword)
		f.presses("Change password")
		f.wantsPage("/account", "Profile")
		f.wantsToasts("Password changed, other devices signed out")
		f.mailed(apptest.Anna.Email, "Your password was changed")
		other.wantsOut()
		f.opens("/dashboard")
		f.wantsPage("/dashboard", "Dashboard")
		other.entersOn(apptest.Anna.Username, anotherPassword)
	})
}

func TestDevices(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.joins(apptest.Anna)
		phone := f.friend()
		phone.entersOn(apptest.Anna.Username, apptest.Anna.Password)
		f.mailed(apptest.Anna.Email, "New sign-in to your account")
		f.opens("/account/sessions")
		rows := `document.querySelectorAll("#sessions > li").length`
		f.wants(rows, 2)
		f.wants(`document.querySelector("#sessions .badge").innerText`, "This device")
		f.marks()
		const signOut = `document.querySelector("#sessions button")`
		f.clicks(signOut)
		f.agrees("Sign out Headless Chrome on Linux?", "Sign out")
		f.wants(rows, 1)
		f.wantsToasts("Device signed out")
		f.wants(`[...document.querySelectorAll("main button")].filter(e => e.checkVisibility()).length`, 0)
		if f.scripts {
			f.wantsSamePage()
			f.wantsFocus("main")
		}
		phone.wantsOut()

		phone.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		phone.wantsPage("/account", "Profile")
		tablet := f.friend()
		tablet.entersOn(apptest.Anna.Username, apptest.Anna.Password)
		f.reloads()
		f.wants(rows, 3)
		f.presses("Sign out all other devices")
		f.agrees("Sign out all other devices?", "Sign out all other devices")
		f.wantsToasts("Other devices signed out")
		f.wants(rows, 1)
		phone.wantsOut()
		tablet.wantsOut()
	})
}

func TestSudoWindow(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.signsUp(apptest.Anna)
		f.expects("status of 403")
		for path, page := range map[string]string{"/account/password": "Password", "/account/email": "Email", "/account/delete": "Your data"} {
			f.ages()
			f.opens(path)
			f.wantsHeading("Confirm it's you")
			f.wantsFocus("current_password")
			f.fills("current_password", "not the password")
			f.presses("Continue")
			f.wantsErrors(sentences{"current_password": "That isn't your current password."})
			f.fills("current_password", apptest.Anna.Password)
			f.presses("Continue")
			f.wantsHeading(page)
			f.wants("location.pathname", path)
		}

		// A form that was open for long keeps what was typed.
		f.opens("/account/email")
		f.ages()
		f.fills("email", "countess@example.com")
		f.presses("Send confirmation link")
		f.wantsText("Enter your password to continue.")
		f.fills("current_password", apptest.Anna.Password)
		f.presses("Continue")
		f.wantsText("We sent a link to countess@example.com")
		f.mailed("countess@example.com", "Confirm your new email address")
	})
}

func TestDeleteAccount(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.joins(apptest.Anna)
		f.opens("/account/delete")
		f.wants(`[...document.querySelectorAll("a")].find(e => e.innerText === "Download my data").pathname`, "/account/data")
		f.fills("username", "somebody")
		f.fills("current_password", apptest.Anna.Password)
		f.presses("Delete my account")
		f.wantsErrors(sentences{"username": "That isn't your username."})
		f.wantsValue("username", "somebody")
		f.fills("username", apptest.Anna.Username)
		f.fills("current_password", apptest.Anna.Password)
		f.presses("Delete my account")
		f.wantsPage("/", "Welcome")
		f.wantsToasts("Account deleted")
		f.wantsNavigation(forGuests...)
		f.mailed(apptest.Anna.Email, "Your account was deleted")
		f.opens("/sign-in")
		f.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		f.wantsText(apptest.WrongSignIn)
	})
}

func TestActivity(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.signsUp(apptest.Anna)
		user, err := f.db.UserByLogin(f.Context(), apptest.Anna.Username)
		if err != nil {
			f.Fatal(err)
		}
		for i := range 44 {
			e := models.Event{Kind: models.EventSignIn, UserID: user.ID, ActorID: uuid.Nil, IP: fmt.Sprint("192.0.2.", i)}
			if err := f.db.Record(f.Context(), e); err != nil {
				f.Fatal(err)
			}
		}
		f.opens("/account")
		f.follows("Activity")
		f.wantsPage("/account/activity", "Activity")
		events := `document.querySelectorAll("main .rows time").length`
		f.wants(events, 20)
		f.marks()
		f.follows("Show older")
		if f.scripts {
			f.wants(events, 40)
			f.wantsSamePage()
			f.wants(`document.activeElement.innerText.includes("192.0.2.23")`, true)
		} else {
			f.wants("location.search !== ''", true)
			f.wants(events, 20)
		}
		f.follows("Show older")
		f.wantsText("Signed up")
		f.wants(`document.body.innerText.includes("Show older")`, false)

		// What is chosen is in the URL, so it stays when the page is loaded again.
		f.opens("/account/activity")
		f.chooses("select[name=kind]", "Account and security")
		if !f.scripts {
			f.presses("Filter")
		}
		f.wantsText("Nothing like this has happened.")
		f.wants(`location.search.includes("kind=account")`, true)
		f.reloads()
		f.wantsText("Nothing like this has happened.")
		f.wants(`document.querySelector("select[name=kind]").value`, "account")
		f.follows("Show everything")
		f.wants("location.search", "")
		f.wants(events, 20)
	})
}

func TestThrottledSignIn(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.signsUp(apptest.Anna)
		f.signsOut()
		f.wantsPage("/", "Welcome")
		guesser := f.friend()
		guesser.expects("status of 429")
		for range 2 {
			guesser.opens("/sign-in")
			guesser.signsIn(apptest.Anna.Username, "not the password")
			guesser.wantsText(apptest.WrongSignIn)
		}
		guesser.opens("/sign-in")
		guesser.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		guesser.wantsText("Too many attempts. Try again in ")
		guesser.wantsValue("login", apptest.Anna.Username)
		f.entersOn(apptest.Anna.Username, apptest.Anna.Password) // from a browser that is known
	}, "LIMIT_ACCOUNT=2,1m,15m,24h")
}

func TestWaitIsCountedDown(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.joins(apptest.Anna)
		f.opens("/account/email")
		f.fills("email", "countess@example.com")
		f.fills("current_password", apptest.Anna.Password)
		f.presses("Send confirmation link")
		f.wantsText("We sent a link to countess@example.com")
		f.expects("status of 429")
		f.wants(`!document.querySelector("form[action$='/resend']").submit()`, true) // past htmx, which would show a toast
		f.wantsHeading("Too many attempts")
		const shown = `Number(document.querySelector("[data-wait]").textContent.match(/^Try again in (\d+) seconds\.$/)[1])`
		f.wants(shown+` < document.querySelector("[data-wait]").dataset.wait`, f.scripts)
	}, "LIMIT_MAIL=1,1m,15m,24h")
}

func TestExpiredSession(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.signsUp(apptest.Anna)
		if _, err := f.db.Bun().ExecContext(f.Context(), "UPDATE sessions SET expires_at = ?", time.Now().UTC()); err != nil {
			f.Fatal(err)
		}
		f.wantsOut()
		f.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		f.wantsPage("/account", "Profile")
	})
}

// Whoever goes by keyboard never has to begin at the top.
func TestPlaceIsKept(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.presses("Dismiss")
		v.wantsToasts()
		v.wantsFocus("main")
		v.opens("/account")
		v.fills("first_name", "Augusta")
		v.presses("Save changes")
		v.wantsToasts("Changes saved")
		v.wants(`document.activeElement.innerText`, "Save changes")
	})
}
