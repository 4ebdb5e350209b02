//go:build linux || darwin || freebsd

package main_test

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"vestibule/app/apptest"
)

// TestPrefetch wants the next page to be on its way before the click, also one that the
// browser must not store. The first page of a visit asks for no rules.
func TestPrefetch(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		const delivered = `performance.getEntriesByType("navigation")[0].deliveryType`
		const rules = `performance.getEntriesByType("resource").filter(({ name }) => name.includes("speculation")).length`
		mouse := func(element string, kind input.DispatchMouseEventType) {
			v.Helper()
			x, y := v.middleOf(element)
			v.do(chromedp.MouseEvent(kind, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
		}
		requests := func(path string) int {
			return strings.Count(v.site.log.String(), "method=GET path="+path+" ")
		}
		arrives := func(path string) {
			v.Helper()
			if !waitFor(func() bool { return requests(path) == 1 }) {
				v.Fatalf("%s is not fetched before the click", path)
			}
		}
		wantsRules := func(n int) {
			v.Helper()
			v.wants(`[document.readyState, `+rules+`]`, []any{"complete", n})
		}
		v.opens("/")
		wantsRules(0)
		v.follows("Create an account")
		v.wantsPage("/sign-up", "Sign up")
		wantsRules(1)
		signIn := `document.querySelector("header a[href='/sign-in']")`
		mouse(signIn, input.DispatchMouseEventTypeMouseMoved)
		arrives("/sign-in")
		v.clicks(signIn)
		v.wantsPage("/sign-in", "Sign in")
		v.wants(delivered, "navigational-prefetch")

		v.signsUp(apptest.Anna)
		v.follows("Your devices")
		v.wantsPage("/account/sessions", "Devices")
		wantsRules(1)
		activity := `document.querySelector(".side a[href='/account/activity']")`
		mouse(activity, input.DispatchMouseEventTypeMouseMoved)
		mouse(activity, input.DispatchMouseEventTypeMousePressed)
		arrives("/account/activity")
		mouse(activity, input.DispatchMouseEventTypeMouseReleased)
		v.wantsPage("/account/activity", "Activity")
		v.wants(delivered, "navigational-prefetch")
		if n := requests("/account/activity"); n != 1 {
			v.Errorf("the page was fetched %d times", n)
		}
	})
}
