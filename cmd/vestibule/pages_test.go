//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp/kb"

	"vestibule/app/apptest"
)

var (
	pagesForGuests = []string{"/", "/sign-up", "/sign-in", "/sign-in/code", "/forgot-password", "/recover", "/dev/mail", "/no-such-page"}
	pagesForPeople = []string{"/", "/dashboard", "/account", "/account/email", "/account/password", "/account/security", "/account/authenticator", "/account/recovery-codes", "/account/passkeys", "/account/passkeys/offer", "/account/sessions", "/account/activity", "/account/delete", "/dev/mail", "/no-such-page"}
)

// longName is as wide as a name may be, without a space to break it at.
var longName = apptest.Person{
	Username: strings.Repeat("w", 32), First: strings.Repeat("W", 100), Last: strings.Repeat("M", 100),
	Email: strings.Repeat("m", 60) + "@" + strings.Repeat("w", 60) + ".example", Password: apptest.Anna.Password,
}

// eachPage goes to every page, as a guest and as p, who founds an organization, and
// has look judge the one at path.
func eachPage(t *testing.T, p apptest.Person, organization string, look func(v *visitor, path string)) {
	t.Helper()
	eachBrowser(t, true, func(t *testing.T, database string) {
		v := serveByName(t, "DATABASE_URL="+database).visitor(t, true)
		call(v, webauthn.Enable, webauthn.EnableParams{})
		device := v.plugsIn(webauthn.AuthenticatorTransportInternal, nil)
		v.expects("status of 404", "status of 403")
		opens := func(paths ...string) {
			for _, path := range paths {
				v.opens(path)
				look(v, path)
			}
		}
		opens(pagesForGuests...)
		v.opens("/sign-in/code?code=AB12-CD34")
		look(v, "/sign-in/code")
		v.opens("/sign-up")
		v.presses("Sign up")
		v.wantsFocus("username")
		look(v, "/sign-up")

		v.resize(390, 844)
		v.signsUp(p)
		v.founds(organization)
		opens(append(pagesForPeople, pagesForMembers...)...)

		// Those of an organization that will require a second step, and that does.
		for _, from := range []any{time.Now().UTC().Add(apptest.Day), time.Now().UTC().Add(-apptest.Day), nil} {
			execute(v, database, "UPDATE organizations SET second_factor_from = ?", from)
			opens("/o/acme")
		}

		// Those whose addresses hold a token or an id.
		v.followsMail(apptest.VerifySubject)
		look(v, "/verify-email")
		token, err := v.evaluate("location.search")
		if err != nil {
			t.Fatal(err)
		}
		v.opens("/verify-email/password" + token.(string))
		look(v, "/verify-email/password")
		v.losesCookies()
		v.opens("/verify-email" + token.(string))
		look(v, "/verify-email") // asks for the password
		v.fills("password", p.Password)
		v.presses("Confirm")
		v.wantsPage("/dashboard", "Dashboard")
		v.opens("/forgot-password")
		v.fills("email", p.Email)
		v.hits(kb.Enter)
		v.wantsText("we've sent a link")
		v.followsMail("Reset your password")
		look(v, "/reset-password")
		v.opens("/o/acme/invitations")
		v.fills("email", apptest.Ben.Email)
		v.hits(kb.Enter)
		v.wantsToasts("Invitation sent")
		v.followsMail(invitationBy(p))
		look(v, "/invitation")
		for _, makes := range makesForMembers {
			opens(makes(v)...)
		}

		// Those of the second step.
		code := v.addsAuthenticator()
		v.wantsPage("/account/recovery-codes", "Recovery codes")
		v.presses("Create recovery codes")
		v.wants(`document.querySelectorAll("#codes li").length`, 10)
		look(v, "/account/recovery-codes")
		opens("/account/security", "/account/authenticator")
		v.opens("/account/passkeys")
		v.presses("Add a passkey")
		v.wantsToasts("Passkey added")
		look(v, "/account/passkeys")
		opens(v.leadsTo("#passkeys a"))
		device.unplugs() // it would sign in by itself
		opens("/account/password")

		// Those of a notice and of a recovery.
		v.followsMail("An authenticator app was added")
		look(v, "/not-me")
		v.opens("/recover")
		v.fills("email", p.Email)
		v.hits(kb.Enter)
		v.wantsText("we've sent a link")
		v.followsMail("Recover your account")
		look(v, "/recover/start")
		v.presses("Start recovery")
		v.wantsText("has started")
		opens("/dashboard") // with a banner
		v.followsMail("Someone wants to recover your account")
		look(v, "/recover/cancel")
		now := time.Now().UTC()
		execute(v, database, "UPDATE recoveries SET ready_at = ?", now)
		execute(v, database, "UPDATE mails SET created_at = ?, next_at = ?", now, now)
		v.followsMail("You can recover your account now")
		look(v, "/recover/finish")
		v.opens("/dashboard")
		v.losesCookies()
		v.opens("/sign-in")
		v.signsIn(p.Username, p.Password)
		v.wantsHeading("One more step")
		look(v, "/sign-in/second-factor")
		v.fills("code", code(1))
		v.clicks(`document.querySelector("[name=trust]")`)
		v.presses("Continue")
		v.wantsPage("/dashboard", "Dashboard")
		opens("/account/sessions")
		if _, err := v.evaluate(`document.querySelector("#browsers form").submit()`); err != nil { // as without scripts
			t.Fatal(err)
		}
		v.wants(`document.querySelector("main h1")?.innerText.startsWith("Ask for a code on")`, true)
		v.wants(`location.pathname.startsWith("/account/browsers/")`, true)
		look(v, v.reads(`location.pathname`))

		execute(v, database, "UPDATE organizations SET second_factor_from = ?, no_trust = TRUE", time.Now().UTC().Add(-apptest.Day))
		execute(v, database, "UPDATE sessions SET second_factor = NULL")
		v.opens("/o/acme")
		v.wantsHeading("Confirm it's you")
		look(v, "/sign-in/step-up")
		opens("/account/security")

		execute(v, database, "UPDATE sessions SET authenticated_at = ?", time.Now().UTC().Add(-time.Hour))
		v.opens("/account/email")
		v.wantsHeading("Confirm it's you")
		look(v, "/account/email")
	})
}

// leadsTo waits for a link, and returns its path.
func (v *visitor) leadsTo(selector string) string {
	v.Helper()
	var path any
	if !waitFor(func() bool {
		path, _ = v.evaluate(fmt.Sprintf(`document.querySelector(%q)?.getAttribute("href") ?? ""`, selector))
		return path != nil && path != ""
	}) {
		v.Fatalf("there is no link %s\n%s", selector, v.describePage())
	}
	return path.(string)
}

// TestWidths looks for what is wider than the window, also if text is twice as large.
func TestWidths(t *testing.T) {
	eachPage(t, longName, strings.Repeat("W", 60), func(v *visitor, path string) {
		v.Helper()
		for _, window := range []struct {
			width int64
			text  string
		}{{320, "200%"}, {320, ""}, {390, ""}, {1280, ""}} {
			v.resize(window.width, 800)
			v.wants(fmt.Sprintf(`[location.pathname, innerWidth, document.documentElement.style.fontSize = %q]`, window.text), []any{path, window.width, window.text})
			wide, err := v.evaluate(`Math.max(0, document.scrollingElement.scrollWidth - innerWidth)`)
			if err != nil {
				v.Fatal(err)
			}
			if wide != 0. {
				v.Errorf("%s is %v pixels too wide for a window of %d with text of %q", path, wide, window.width, window.text)
			}
		}
		if path == "/o/acme/members" { // it starts at the top, wherever the side list's current link is
			v.resize(1280, 300)
			v.reloads()
			v.wants(`[document.readyState, document.documentElement.scrollHeight > innerHeight, scrollY]`, []any{"complete", true, 0})
		}
	})
}

// TestAccessible looks for what every page owes to those who hear it.
func TestAccessible(t *testing.T) {
	const complaints = `(() => {
		const all = selector => [...document.querySelectorAll(selector)];
		const hidden = e => e.closest("[aria-hidden=true]") || e.type === "hidden";
		const ids = all("[id]").map(e => e.id);
		const wrong = [];
		if (document.documentElement.lang !== "en") wrong.push("no language");
		if (!document.title.endsWith(" · Vestibule")) wrong.push("no title");
		for (const one of ["h1", "main", "body > header", "nav[aria-label=Main]"])
			if (all(one).length !== 1) wrong.push(all(one).length + " times " + one);
		for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) wrong.push("id twice: " + id);
		for (const e of all("input, textarea, select").filter(e => !hidden(e) && !e.labels.length && !e.ariaLabel)) wrong.push("no label: " + e.outerHTML);
		for (const e of all("a, button").filter(e => !(e.ariaLabel || e.textContent).trim())) wrong.push("no name: " + e.outerHTML);
		for (const e of all("dialog")) if (!ids.includes(e.getAttribute("aria-labelledby")) && e.open) wrong.push("no name: " + e.outerHTML);
		for (const e of all("ul, ol")) if (getComputedStyle(e).listStyleType === "none" && e.getAttribute("role") !== "list") wrong.push("no list in Safari: " + e.outerHTML);
		for (const e of all("[role=alert]")) if (e.autofocus || e.querySelector("[autofocus]")) wrong.push("said twice: " + e.outerHTML);
		all("h1, h2, h3, h4").filter(e => e.checkVisibility()).map(e => Number(e.localName[1])).reduce((above, level) => {
			if (level > above + 1) wrong.push("a heading " + level + " below " + above);
			return level;
		}, 0);
		for (const e of all("img").filter(e => !e.hasAttribute("alt"))) wrong.push("no alt: " + e.outerHTML);
		for (const e of all("[aria-describedby]")) for (const id of e.getAttribute("aria-describedby").split(" "))
			if (!ids.includes(id)) wrong.push("described by nothing: " + id);
		return wrong;
	})()`
	eachPage(t, apptest.Anna, "Engines", func(v *visitor, path string) {
		v.Helper()
		v.wants(`location.pathname`, path)
		v.wants(complaints, []string{})
	})
}

func TestNotFound(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.expects("status of 404")
		v.opens("/no-such-page")
		v.wantsPage("/no-such-page", "Page not found")
		v.wantsHeading("Page not found")
		v.wantsNavigation(forGuests...)
		v.follows("Go to the home page")
		v.wantsPage("/", "Welcome")
	})
}

// TestNamesAreText joins somebody whose name is a program.
func TestNamesAreText(t *testing.T) {
	mallory := apptest.Anna
	mallory.First = `<img src=x onerror="window.attacked=1">`
	mallory.Last = `</title><script>window.attacked=1</script>`
	eachVisitorEitherWay(t, func(v *visitor) {
		v.expects("status of 404")
		v.signsUp(mallory)
		v.wantsHeading("Hello, " + mallory.First)
		v.presses("Your account and menu")
		v.wantsText(mallory.First + " " + mallory.Last)
		v.founds(mallory.Last)
		for _, path := range append(pagesForPeople, pagesForMembers...) {
			v.opens(path)
			v.wants(`[location.pathname, window.attacked === undefined, document.querySelectorAll("[onerror], script:not([src])").length]`, []any{path, true, 0})
		}
		v.opens("/account")
		v.wantsValue("first_name", mallory.First)
		v.wantsValue("last_name", mallory.Last)
	})
}

// TestTabOrder goes through sign-up from the top, key by key.
func TestTabOrder(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		order := []string{"Skip to content", "Vestibule", "Sign in", "Sign up", "username", "first_name", "last_name", "email",
			"password", "Show Password", "confirm_password", "Show Confirm password", "Sign up", "Sign in"}
		v.opens("/sign-up")
		v.wantsFocus("username")
		if _, err := v.evaluate(`document.body.tabIndex = -1, document.body.focus()`); err != nil { // to the top
			t.Fatal(err)
		}
		for _, name := range order {
			if strings.HasPrefix(name, "Show") && !v.scripts {
				continue
			}
			v.hits(kb.Tab)
			v.wants(`(e => e.name || (e.ariaLabel || e.innerText).trim())(document.activeElement)`, name)
		}

		v.opens("/")
		v.hits(kb.Tab)
		v.hits(kb.Enter)
		v.wantsFocus("main")
		v.hits(kb.Tab)
		v.wants(`document.activeElement.innerText`, "Create an account")
	})
}

// TestKeyboard signs in, saves and signs out without a mouse.
func TestKeyboard(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.site.signUp(apptest.Anna)
		v.opens("/sign-in")
		v.wantsFocus("login")
		v.hits(apptest.Anna.Username)
		v.hits(kb.Tab)
		v.hits(apptest.Anna.Password)
		v.hits(kb.Enter)
		v.wantsPage("/dashboard", "Dashboard")

		v.tabsTo("Your account and menu")
		v.hits(kb.Enter)
		v.tabsTo("Account")
		v.hits(kb.Enter)
		v.wantsPage("/account", "Profile")
		v.tabsTo("last_name")
		v.hits("King") // over the selected text
		v.hits(kb.Enter)
		v.wantsToasts("Changes saved")
		v.wantsValue("last_name", "King")

		v.opens("/dashboard")
		v.tabsTo("Your account and menu")
		v.hits(kb.Enter)
		v.tabsTo("Sign out")
		v.hits(" ")
		v.wantsPage("/", "Welcome")
		v.wantsNavigation(forGuests...)
	})
}

// tabsTo presses the tabulator until it comes to the element of that name.
func (v *visitor) tabsTo(name string) {
	v.Helper()
	for range 30 {
		v.hits(kb.Tab)
		here, err := v.evaluate(`(e => e.name || (e.ariaLabel || e.innerText).trim())(document.activeElement)`)
		if err != nil {
			v.Fatal(err)
		}
		if here == name {
			return
		}
	}
	v.Fatalf("the tabulator does not lead to %s\n%s", name, v.describePage())
}
