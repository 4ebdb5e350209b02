//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"vestibule/app/apptest"
)

// signsInElsewhere is what a visitor does in another tab: the browser then has the
// cookies of p.
func (v *visitor) signsInElsewhere(p apptest.Person) {
	v.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(v.site.url+"/sign-in", p.Credentials())
	if err != nil {
		v.Fatal(err)
	}
	answer.Body.Close()
	for _, c := range answer.Cookies() {
		if strings.HasSuffix(c.Name, "toast") {
			continue
		}
		call(v, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: v.site.url})
	}
}

// signsInAgain fills and sends the form that stands in for a page, or above it. The
// login is there already if the page knew it.
func (v *visitor) signsInAgain(login, password string) {
	v.Helper()
	v.fills("again_login", login)
	v.fills("again_password", password)
	v.presses("Sign in and continue")
}

// TestSomeoneElseSignsIn opens Anna's profile, and sends it when Ben is signed in.
func TestSomeoneElseSignsIn(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.expects("status of 409", "status of 403")
		v.site.signUp(apptest.Ben)
		v.signsUp(apptest.Anna)
		v.opens("/account")
		if v.scripts {
			v.marks()
		}
		v.fills("first_name", "Augusta")
		v.signsInElsewhere(apptest.Ben)
		v.presses("Save changes")
		v.wantsText("This page was opened by anna.smith, but benjamin is signed in now.")
		v.wants(`document.getElementById("again_login").value`, apptest.Anna.Username)
		v.wantsFocus("again_password")

		v.signsInAgain(apptest.Ben.Username, apptest.Ben.Password) // who still has no right to the form
		v.wantsValue("again_password", "")
		v.wantsText("This page was opened by anna.smith, but benjamin is signed in now.")
		v.signsInAgain(apptest.Anna.Username, apptest.Anna.Password)
		v.wantsToasts("Changes saved")
		v.wantsValue("first_name", "Augusta")
		if v.scripts {
			v.wantsSamePage()
		}
		v.reloads()
		v.wantsValue("username", apptest.Anna.Username)
		v.wantsValue("first_name", "Augusta")

		v.fills("first_name", "Benedict")
		v.signsInElsewhere(apptest.Ben)
		v.presses("Save changes")
		v.presses("Continue as benjamin")
		v.wantsText("This username is already taken.") // Anna's, which the form carries along
		v.wantsValue("first_name", "Benedict")
	})
}

// TestPasswordsStayAfterAnError sends forms of which something else is wrong.
func TestPasswordsStayAfterAnError(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		const again = "Enter it again. For your safety, we don't send passwords back."
		kept := func(id, value string) {
			v.Helper()
			if !v.scripts {
				value = ""
			}
			v.wantsValue(id, value)
			v.wants(`document.getElementById("`+id+`").closest(".field").innerText.includes("`+again+`")`, !v.scripts)
		}
		v.signsUp(apptest.Anna)
		v.opens("/account/password")
		v.fills("current_password", "not mine")
		v.fills("password", apptest.AnotherPassword)
		v.fills("confirm_password", apptest.AnotherPassword)
		if v.scripts {
			// What somebody could type over in the first task after the form came back.
			v.wants(`(sent => new MutationObserver(() => {
				const returned = document.getElementById("password");
				if (returned === sent) return;
				const next = new MessageChannel();
				next.port1.onmessage = () => window.returned ??= returned.value;
				next.port2.postMessage(null);
			}).observe(document.querySelector("main"), { childList: true, subtree: true }))(document.getElementById("password"))`, nil)
		}
		v.presses("Change password")
		v.wantsErrors(sentences{"current_password": apptest.WrongPassword})
		if v.scripts {
			v.wants(`window.returned`, apptest.AnotherPassword)
		}
		v.wantsFocus("current_password")
		v.wantsValue("current_password", "")
		kept("password", apptest.AnotherPassword)
		kept("confirm_password", apptest.AnotherPassword)
		if v.scripts {
			v.wants(`document.getElementById("password-strength").innerText.includes("Strength")`, true)
		}
		v.opens("/account/email")
		v.fills("email", "anna at example.com")
		v.fills("current_password", apptest.Anna.Password)
		if v.scripts { // its check moves the button
			v.wantsErrors(sentences{"email": apptest.WantsAddress})
		}
		v.presses("Send confirmation link")
		v.wantsErrors(sentences{"email": apptest.WantsAddress})
		v.wantsFocus("email")
		kept("current_password", apptest.Anna.Password)
	})
}

// answers lets something else than the site answer every held request.
func (v *visitor) answers(status int64, body string) {
	v.Helper()
	v.mu.Lock()
	held := v.held
	v.held = nil
	v.mu.Unlock()
	for _, request := range held {
		// An error means that the page has given the request up.
		_, _ = chromedp.Call(v.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: request.RequestID, ResponseCode: status,
			ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "text/html"}}, Body: []byte(body)})
	}
}

// TestProxyAnswers has a proxy answer in place of the site: the form stays, and what
// nobody asked for fails in silence.
func TestProxyAnswers(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.expects("status of 502")
		v.opens("/sign-up")
		v.fillsIn(apptest.Anna)
		v.holds("/sign-up", "/sign-up/check?field=username")
		for _, status := range []int64{502, 200} {
			wrong := fmt.Sprint("anna ", status)
			v.fills("username", wrong)
			v.hits(kb.Tab)
			if !waitFor(func() bool { return v.requests("/sign-up/check?field=username") == 1 }) {
				v.Fatal("the field is not checked")
			}
			v.answers(status, "<h1>Bad gateway</h1>")
			v.wantsToasts()
			v.presses("Sign up")
			if !waitFor(func() bool { return v.requests("/sign-up") == 1 }) {
				v.Fatal("no request goes out")
			}
			v.answers(status, "<h1>Bad gateway</h1>")
			v.wantsToasts(noAnswer)
			v.presses("Dismiss")
			v.wantsHeading("Create your account")
			v.wantsValue("username", wrong)
			v.wantsValue("password", apptest.Anna.Password)
		}
		v.releases()
		v.site.stop()
		v.expects("net::ERR_CONNECTION_REFUSED", "Failed to fetch")
		v.fills("username", "anna smith")
		v.hits(kb.Tab)
		v.wants(checksAsked+` >= 3`, true)
		v.wantsToasts()
	})
}
