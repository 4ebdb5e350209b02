//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"vestibule/app/apptest"
)

const noAnswer = "The server didn't answer. What you typed is still here. Please try again."

func TestEmptySignUp(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.opens("/sign-up")
		v.marks()
		v.presses("Sign up")
		v.wantsErrors(sentences{
			"username":         "Enter your username.",
			"first_name":       "Enter your first name.",
			"last_name":        "Enter your last name.",
			"email":            "Enter your email.",
			"password":         "Enter your password.",
			"confirm_password": "Enter your password again.",
		})
		v.wantsFocus("username")
		v.wantsPage("/sign-up", "Error: Sign up")
		v.wants(`document.querySelector("form [role=alert]").innerText`, "6 fields need your attention.")
		v.wantsHeading("Create your account")
		if v.scripts {
			v.wantsSamePage()
		}
	})
}

func TestTypedValuesStay(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.opens("/sign-up")
		v.fills("username", apptest.Anna.Username)
		v.fills("first_name", `Anna "the first" <3`)
		v.fills("last_name", apptest.Anna.Last)
		v.fills("password", apptest.Anna.Password)
		v.fills("confirm_password", apptest.Anna.Password)
		v.fills("email", "anna at example.com")
		v.hits(kb.Enter)
		v.wantsErrors(sentences{"email": "Enter an email address such as name@example.com."})
		v.wantsFocus("email")
		v.wantsValue("username", apptest.Anna.Username)
		v.wantsValue("first_name", `Anna "the first" <3`)
		v.wantsValue("last_name", apptest.Anna.Last)
		v.wantsValue("email", "anna at example.com")
		password := "" // never sent back
		if v.scripts {
			password = apptest.Anna.Password // and never taken away
		}
		v.wantsValue("password", password)
		v.wantsValue("confirm_password", password)

		v.fillsIn(apptest.Anna)
		v.presses("Sign up")
		v.wantsPage("/dashboard", "Dashboard")
	})
}

// TestLeavingAField checks each field as the person goes on to the next.
func TestLeavingAField(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.site.signUp(apptest.Ben)
		v.opens("/sign-up")
		v.marks()

		v.fills("username", "anna smith")
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"username": apptest.PlainUsername})
		v.wantsFocus("first_name")

		v.fills("username", strings.ToUpper(apptest.Ben.Username))
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"username": "This username is already taken."})
		v.wantsFocus("first_name")

		v.fills("username", apptest.Anna.Username)
		v.hits(kb.Tab)
		v.wantsErrors(nil)
		v.wantsFocus("first_name")
		v.wantsValue("username", apptest.Anna.Username)

		v.fills("email", strings.ToUpper(apptest.Ben.Email))
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"email": "There's already an account with this email address."})
		v.wantsFocus("password")
		v.fills("email", apptest.Anna.Email)
		v.hits(kb.Tab)
		v.wantsErrors(nil)

		v.fills("password", "correct horse")
		v.fills("confirm_password", apptest.Anna.Password)
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"confirm_password": apptest.PasswordsDiffer})
		v.wantsValue("password", "correct horse")
		v.wantsValue("confirm_password", apptest.Anna.Password)

		v.fills("password", apptest.Anna.Password)
		v.hits(kb.Tab)
		v.wantsErrors(nil)
		v.wants(`document.activeElement.dataset.reveal`, "password")
		v.wantsValue("password", apptest.Anna.Password)
		v.wantsValue("confirm_password", apptest.Anna.Password)
		v.wantsSamePage()
	})
}

// TestLateChecks sends the form while the check of one field runs and others wait
// for it. Those that wait are never asked: their fields went with the old form.
func TestLateChecks(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.opens("/sign-up")
		v.wants(`(window.checks = {config: 0, finally: 0}, Object.keys(checks).forEach(step =>
			document.addEventListener("htmx:" + step + ":request", e => { checks[step] += e.detail.ctx.request.action.includes("/check"); })), "counted")`, "counted")
		v.holds("/sign-up/check?field=*")
		v.fills("email", "anna at example.com")
		v.fills("username", apptest.Anna.Username)
		v.fills("first_name", apptest.Anna.First)
		v.fills("last_name", apptest.Anna.Last)
		v.wants(`checks.config >= 3`, true)
		v.hits(kb.Enter)
		v.wantsErrors(sentences{
			"email":            "Enter an email address such as name@example.com.",
			"password":         "Enter your password.",
			"confirm_password": "Enter your password again.",
		})
		v.releases()
		v.wants(`checks.finally === checks.config`, true)
		v.wants(checksAsked, 1)
	})
}

// TestLeavingANewPassword checks the fields of a new password, and none of them
// when the form is on its way: it ends the session that the check would name.
func TestLeavingANewPassword(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.opens("/account/password")
		v.marks()
		v.wants(`(window.checks = {config: 0, finally: 0}, Object.keys(checks).forEach(step =>
			document.addEventListener("htmx:" + step + ":request", e => { checks[step] += e.detail.ctx.request.action.includes("field=confirm_password"); })), "counted")`, "counted")
		v.fills("current_password", "not mine")
		v.fills("password", "zuvok")
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"password": "Use at least 8 characters."})
		v.fills("password", anotherPassword)
		v.fills("confirm_password", "something else")
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"confirm_password": apptest.PasswordsDiffer})
		v.wantsValue("current_password", "not mine")
		v.wantsValue("password", anotherPassword)
		v.wantsSamePage()
		v.wants(`checks`, map[string]int{"config": 1, "finally": 1})

		v.fills("current_password", apptest.Anna.Password)
		v.holds("/account/password")
		v.fills("confirm_password", anotherPassword)
		v.hits(kb.Enter)
		v.wants(`checks`, map[string]int{"config": 2, "finally": 2})
		v.wants(checksAsked, 3)
		v.releases()
		v.wantsPage("/account", "Profile")
		v.wantsToasts("Password changed, other devices signed out")
	})
}

// checksAsked counts the checks of a field that went to the server.
const checksAsked = `performance.getEntriesByType("resource").filter(({ name }) => name.includes("/check")).length`

// TestSlowClick presses the mouse on the button, and lets it go only after the field
// just left was checked. That still counts as a click.
func TestSlowClick(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.resize(1280, 1600) // high enough not to scroll
		v.opens("/sign-up")
		v.fillsIn(apptest.Anna)
		v.fills("confirm_password", "something else")
		v.hits(kb.Tab)
		v.wantsErrors(sentences{"confirm_password": apptest.PasswordsDiffer})
		v.fills("confirm_password", apptest.Anna.Password)
		x, y := v.middleOf(named("button", "Sign up"))
		v.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
		v.wantsErrors(nil)
		v.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
		v.wantsPage("/dashboard", "Dashboard")
	})
}

// TestWrongSignIn does not tell whether the person or the password is wrong.
func TestWrongSignIn(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.site.signUp(apptest.Anna)
		v.opens("/sign-in")
		v.wantsFocus("login")
		for _, login := range []string{apptest.Anna.Username, "nobody", apptest.Anna.Email, "nobody@example.com"} {
			v.signsIn(login, "wrong horse battery")
			v.wants(`[...document.querySelectorAll("form#sign-in [role=alert]")].map(e => e.innerText)`, []string{apptest.WrongSignIn})
			v.wantsErrors(nil)
			v.wantsValue("login", login)
			v.wantsValue("password", "")
			v.wantsFocus("password")
			v.reloadsSignIn()
		}
		v.signsIn(apptest.Anna.Username, apptest.Anna.Password)
		v.wantsPage("/dashboard", "Dashboard")
	})
}

// TestEmailInAnyScript types one address into two kinds of field. Browsers send the
// A-label of its domain from an email field, and from a text field what was typed.
func TestEmailInAnyScript(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		const typed, sent = "anna@bücher.example", "anna@xn--bcher-kva.example"
		p := apptest.Anna
		p.Email = sent
		v.opens("/sign-up")
		v.fillsIn(p)
		v.wants(`(e => { e.focus(); e.select(); return document.activeElement === e; })(document.getElementById("email"))`, true)
		call(v, input.InsertText, input.InsertTextParams{Text: typed})
		v.wantsValue("email", sent)
		v.presses("Sign up")
		v.wantsPage("/dashboard", "Dashboard")
		v.presses("Your account and menu")
		v.wantsText(typed)
		v.clicks(`document.querySelector("#account-menu form[action='/sign-out'] button")`)
		v.wantsPage("/", "Welcome")
		v.opens("/sign-in")
		v.signsIn(typed, p.Password)
		v.wantsPage("/dashboard", "Dashboard")
	})
}

func (v *visitor) reloadsSignIn() {
	v.Helper()
	v.opens("/sign-in")
	v.wantsFocus("login")
	v.wantsValue("login", "")
}

func TestReveal(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.opens("/sign-in")
		v.fills("password", "secret words")
		state := `[password.type, password.value, document.querySelector("[data-reveal=password]").innerText]`
		v.wants(state, []string{"password", "secret words", "Show"})
		v.presses("Show Password")
		v.wants(state, []string{"text", "secret words", "Hide"})
		v.wantsFocus("password")
		v.presses("Hide Password")
		v.wants(state, []string{"password", "secret words", "Show"})

		v.presses("Show Password")
		v.fills("login", "nobody")
		v.presses("Sign in")
		v.wantsText(apptest.WrongSignIn)
		v.wants(state, []string{"password", "", "Show"})
	})
}

func TestStrength(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.opens("/sign-up")
		strength := `document.getElementById("password-strength").innerText.trim()`
		v.wants(strength, "")
		v.fills("password", "aaaaaaaa")
		v.wants(strength+`.startsWith("Strength: ")`, true)
		weak, err := v.evaluate(strength)
		if err != nil {
			v.Fatal(err)
		}
		v.fills("password", "violet kettle thunder marmalade")
		v.wants(fmt.Sprintf(`%s.startsWith("Strength: ") && %[1]s !== %q`, strength, weak), true)
		v.wantsErrors(nil)
	})
}

// TestNothingToClickInVain looks for what does nothing without JavaScript.
func TestNothingToClickInVain(t *testing.T) {
	eachSite(t, false, func(t *testing.T, s *site) {
		v := s.visitor(t, false)
		v.signsUp(apptest.Anna)
		v.wants(`[...document.querySelectorAll("[type=button]:not([popovertarget])")].filter(e => e.checkVisibility()).length`, 0)
		v.signsOut()
		v.wantsPage("/", "Welcome")
		for _, path := range []string{"/sign-in", "/sign-up"} {
			v.opens(path)
			v.wants(`[...document.querySelectorAll("[type=button]:not([popovertarget])")].filter(e => e.checkVisibility()).length`, 0)
		}
	})
}

// TestDoubleSubmit keeps the request on its way and tries to send another.
func TestDoubleSubmit(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.opens("/sign-up")
		v.fillsIn(apptest.Anna)
		v.holds("/sign-up")
		x, y := v.middleOf(named("button", "Sign up"))
		v.do(chromedp.MouseClickXY(x, y))
		if !waitFor(func() bool { return v.requests("/sign-up") == 1 }) {
			v.Fatal("no request goes out")
		}
		v.wants(`document.querySelector("#sign-up .submit").disabled`, true)
		v.wants(`document.querySelector("#sign-up .spinner").checkVisibility()`, true)

		v.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
		v.fills("last_name", "King")
		v.hits(kb.Enter)
		v.wants(`document.querySelector("#sign-up .submit").disabled`, true)
		v.releases()
		v.wantsPage("/dashboard", "Dashboard")
		v.opens("/organizations")
		v.fills("name", "Acme")
		v.do(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Enter)) // as if held
		v.wantsPage("/o/acme", "Acme")
		for _, path := range []string{"/sign-up", "/organizations"} {
			if n := strings.Count(v.site.log.String(), "method=POST path="+path+" "); n != 1 {
				v.Errorf("the server got %d requests to %s, want 1", n, path)
			}
		}
	})
}

// TestFocusOfADisabledButton presses a button that stays on the page. While its request
// is on the way, the button is disabled, and browsers take the focus from it.
func TestFocusOfADisabledButton(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.confirms()
		v.founds("Acme")
		v.follows("Invitations")
		v.fills("email", apptest.Ben.Email)
		v.presses("Send invitation")
		v.wantsToasts("Invitation sent")
		v.reloads()
		v.holds("/o/acme/invitations/*/resend")
		v.clicks(`document.querySelector(".invitation button")`)
		v.wants(`document.activeElement.localName`, "body")
		v.releases()
		v.wantsToasts("Invitation sent")
		v.wants(`document.activeElement.innerText.startsWith("Resend")`, true)
	})
}

// TestCheckBehindSubmit leaves the last field by the click that sends the form.
// The check of that field must not come after the sign-up: it would load the
// dashboard once more, and so take the welcome away.
func TestCheckBehindSubmit(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.wantsToasts("Welcome! Your account is ready")
		log := v.site.log.String()
		if n := strings.Count(log, "method=GET path=/dashboard "); n != 1 {
			v.Errorf("the dashboard was loaded %d times, want 1", n)
		}
		if regexp.MustCompile(`path=/sign-up/check status=200 .*user_id=`).MatchString(log) {
			v.Error("a field was checked after the sign-up, and the answer has content")
		}
	})
}

// TestErrorOfAForm wants the focus on the error of a whole form, and "Error: " before the
// title.
func TestErrorOfAForm(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.expects("status of 429")
		for _, sentence := range []string{"Check your inbox", "Too many attempts"} {
			f.opens("/forgot-password")
			f.fills("email", apptest.Anna.Email)
			f.presses("Send reset link")
			f.wantsText(sentence)
		}
		f.wantsPage("/forgot-password", "Error: Forgot your password")
		f.wants(`[document.activeElement.className, document.activeElement.innerText.startsWith("Too many attempts. Try again in ")]`, []any{"form-error", true})
	}, "LIMIT_MAIL=1,1h,1h,24h")
}

// TestCapsLock types a password with Caps Lock, and is told. Nothing moves.
func TestCapsLock(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.opens("/sign-in")
		v.fills("password", "secret")
		press := `(on => { password.dispatchEvent(new KeyboardEvent("keydown", {key: "A", bubbles: true, modifierCapsLock: on}));
			return [document.querySelector("[role=status].caps").innerText, String(password.getBoundingClientRect().top)]; })(%t)`
		top, err := v.evaluate(`String(password.getBoundingClientRect().top)`)
		if err != nil {
			v.Fatal(err)
		}
		v.wants(fmt.Sprintf(press, true), []any{"Caps Lock is on", top})
		v.wants(fmt.Sprintf(press, false), []any{"", top})
	})
}

func TestServerDown(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.opens("/sign-up")
		v.fillsIn(apptest.Anna)
		v.site.stop()
		v.expects("net::ERR_CONNECTION_REFUSED", "Failed to fetch")
		v.presses("Sign up")
		v.wantsToasts(noAnswer)
		v.wantsErrors(nil)
		for name, values := range apptest.Anna.Form() {
			v.wantsValue(name, values[0])
		}
		v.wants(`document.querySelector("#sign-up .submit").disabled`, false)
	})
}
