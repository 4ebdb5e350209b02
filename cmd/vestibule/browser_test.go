//go:build linux || darwin || freebsd

package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// chromium is the one browser of all tests. Each visitor has a profile of their
// own in it.
var chromium struct {
	sync.Once
	ctx context.Context
	err error
}

// otherHost is a name of this machine that the browser doesn't take for localhost.
const otherHost = "vestibule.test"

// openChromium starts the browser at the first call.
func openChromium() (context.Context, error) {
	chromium.Do(func() { chromium.ctx, chromium.err = newChromium() })
	return chromium.ctx, chromium.err
}

func newChromium() (context.Context, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	allocator, _ := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // root cannot have one
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP "+otherHost+" 127.0.0.1"),
	)...)
	ctx, _ := chromedp.NewContext(allocator)
	return ctx, chromedp.Do(ctx) // nothing but the start
}

func closeChromium() {
	if chromium.ctx != nil {
		_ = chromedp.Cancel(chromium.ctx) // the tests are over
	}
}

// headlessShell is Chromium without what is around its pages: windows, tabs and profiles.
// With it, the tests of flows take half the time. make soak uses the whole browser.
const headlessShell = "chromium-headless-shell"

func findChromium() (string, error) {
	names := []string{headlessShell, "chromium", "chromium-browser", "google-chrome"}
	if modelstest.Soaking() {
		names = names[1:]
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("the browser tests need Chromium: run make deps")
}

// visitor is somebody in front of a browser that shows the site. What a visitor
// wants to see may take a moment to come; what never comes fails the test.
type visitor struct {
	*testing.T
	site    *site
	scripts bool // whether JavaScript is on
	ctx     context.Context

	mu       sync.Mutex
	problems []string // what went wrong in the browser by itself
	expected []string // what is to go wrong
	held     []*fetch.EventRequestPaused
	trace    []traced // what a trace has told
	complete bool     // whether it has told all
}

// eachBrowser runs test in parallel for a browser with JavaScript or without, with
// the URL of a fresh database: SQLite with and PostgreSQL without, in a soak both.
func eachBrowser(t *testing.T, scripts bool, test func(t *testing.T, database string)) {
	t.Helper()
	modelstest.NotShort(t, "a browser")
	if modelstest.Soaking() {
		eachDatabase(t, test)
		return
	}
	t.Parallel()
	fresh := modelstest.EmptyPostgreSQL
	if scripts {
		fresh = modelstest.SQLite
	}
	test(t, fresh(t))
}

// eitherWay is eachBrowser with JavaScript, and again without.
func eitherWay(t *testing.T, test func(t *testing.T, scripts bool, database string)) {
	t.Helper()
	t.Parallel()
	for name, scripts := range map[string]bool{"with JavaScript": true, "without JavaScript": false} {
		t.Run(name, func(t *testing.T) {
			eachBrowser(t, scripts, func(t *testing.T, database string) { test(t, scripts, database) })
		})
	}
}

// eachVisitor is eachBrowser with a site, and a visitor who has JavaScript.
func eachVisitor(t *testing.T, test func(v *visitor)) {
	t.Helper()
	eachSite(t, true, func(t *testing.T, s *site) { test(s.visitor(t, true)) })
}

// eachVisitorEitherWay is eitherWay with a site and a visitor.
func eachVisitorEitherWay(t *testing.T, test func(v *visitor)) {
	t.Helper()
	eitherWay(t, func(t *testing.T, scripts bool, database string) {
		test(serve(t, "DATABASE_URL="+database).visitor(t, scripts))
	})
}

func eachSite(t *testing.T, scripts bool, test func(t *testing.T, s *site)) {
	t.Helper()
	eachBrowser(t, scripts, func(t *testing.T, database string) { test(t, serve(t, "DATABASE_URL="+database)) })
}

// visitor opens a browser without history or cookies until the test ends, which
// fails if a script or a request in it went wrong.
func (s *site) visitor(t *testing.T, scripts bool) *visitor {
	t.Helper()
	browser, err := openChromium()
	if err != nil {
		t.Fatal(err)
	}
	return s.visitorBy(t, browser, scripts)
}

// visitorBy is visitor in a browser of the test's choice.
func (s *site) visitorBy(t *testing.T, browser context.Context, scripts bool) *visitor {
	t.Helper()
	v := &visitor{T: t, site: s, scripts: scripts, expected: []string{"status of 422"}}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(v.notice))
	v.ctx = ctx
	t.Cleanup(func() {
		v.wantsNoProblems()
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which lives as long as ctx
		t.Fatalf("Chromium does not open a tab: %v", err)
	}
	// Every tab believes that it is the one in front.
	call(v, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	call(v, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
	// Chromium drops a click between two pages, while it prepares their transition.
	call(v, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
	v.resize(1280, 900)
	return v
}

// notice takes note of what happens in the browser by itself.
func (v *visitor) notice(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		// A visitor who goes on at once cuts the transition between two pages short.
		if problem := describe(e.ExceptionDetails); !strings.Contains(problem, "Transition was") {
			v.problems = append(v.problems, "exception: "+problem)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			words, _ := json.Marshal(e.Args)
			v.problems = append(v.problems, fmt.Sprintf("console: %s", words))
		}
	case *log.EventEntryAdded: // failed requests and violations of the content policy are here, too
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			v.problems = append(v.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	case *tracing.EventDataCollected:
		for _, value := range e.Value {
			var step traced
			if err := json.Unmarshal(value, &step); err != nil {
				v.problems = append(v.problems, "trace: "+err.Error())
			}
			v.trace = append(v.trace, step)
		}
	case *tracing.EventTracingComplete:
		v.complete = true
	case *fetch.EventRequestPaused:
		v.held = append(v.held, e)
	case *page.EventJavascriptDialogOpening:
		v.problems = append(v.problems, "the browser's own dialog: "+e.Message)
	}
}

func describe(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Exception.Description
	}
	return e.Text
}

// expects says that something will go wrong, by a part of the browser's words.
func (v *visitor) expects(words ...string) { v.expected = append(v.expected, words...) }

func (v *visitor) wantsNoProblems() {
	v.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, problem := range v.problems {
		if !slices.ContainsFunc(v.expected, func(words string) bool { return strings.Contains(problem, words) }) {
			v.Errorf("in the browser: %s", problem)
		}
	}
}

// do carries out steps in the browser.
func (v *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.Fatalf("the browser: %v", err)
	}
}

// call sends the browser a command of its protocol.
func call[P, R any](v *visitor, command cdp.Command[P, R], parameters P) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, parameters); err != nil {
		v.Fatalf("%s: %v", command.Method, err)
	}
}

// evaluate returns the value of a JavaScript expression, also where JavaScript
// is off for the page. An error is nothing bad while a page gives way to another.
func (v *visitor) evaluate(expression string) (value any, err error) {
	ctx, cancel := context.WithTimeout(v.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[any](expression))
}

// wants waits until the JavaScript expression has a value, on a loaded page.
func (v *visitor) wants(expression string, want any) {
	v.Helper()
	want = asJSON(v, want)
	var got any
	var err error
	if !waitFor(func() bool {
		got, err = v.evaluate("document.readyState === 'complete' ? " + expression + " : 'the page loads'")
		return err == nil && reflect.DeepEqual(got, want)
	}) {
		v.Fatalf("%s\n  is %#v (%v)\nwant %#v\n%s", expression, got, err, want, v.describePage())
	}
}

// asJSON turns value into what the browser gives for the same.
func asJSON(t testing.TB, value any) (out any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (v *visitor) describePage() string {
	text, _ := v.evaluate("location + '\\n' + document.body.innerText")
	return fmt.Sprintf("The page: %v", text)
}

// Going about

// opens types an address.
func (v *visitor) opens(path string) {
	v.Helper()
	v.do(chromedp.Navigate(v.site.url + path))
}

func (v *visitor) reloads() { v.Helper(); v.do(chromedp.Reload()) }

func (v *visitor) goesBack() { v.Helper(); v.do(chromedp.NavigateBack()) }

func (v *visitor) resize(width, height int64) {
	v.Helper()
	v.do(chromedp.EmulateViewport(width, height))
}

// follows clicks the link of that name.
func (v *visitor) follows(link string) { v.Helper(); v.clicks(named("a[href]", link)) }

// presses clicks the button of that name.
func (v *visitor) presses(button string) { v.Helper(); v.clicks(named("button", button)) }

// named is the expression for the first visible element of that accessible name.
func named(selector, name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%q)].find(e => e.checkVisibility() && (e.ariaLabel || e.innerText).trim() === %q)`, selector, name)
}

// clicks waits until an element can be clicked, and does it with the mouse.
func (v *visitor) clicks(element string) {
	v.Helper()
	x, y := v.middleOf(element)
	v.do(chromedp.MouseClickXY(x, y))
}

// middleOf waits until an element can be clicked, and returns where.
func (v *visitor) middleOf(element string) (x, y float64) {
	v.Helper()
	middle := fmt.Sprintf(`(e => {
		if (document.readyState !== "complete" || !e || e.disabled) return null;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const box = e.getClientRects()[0], x = box.x + box.width / 2, y = box.y + box.height / 2;
		return e.contains(document.elementFromPoint(x, y)) ? [x, y] : null;
	})(%s)`, element)
	var at []any
	if !waitFor(func() bool {
		place, _ := v.evaluate(middle)
		at, _ = place.([]any)
		return at != nil
	}) {
		v.Fatalf("%s cannot be clicked\n%s", element, v.describePage())
	}
	return at[0].(float64), at[1].(float64)
}

// hits presses keys, one after the other.
func (v *visitor) hits(keys string) { v.Helper(); v.do(chromedp.KeyEvent(keys)) }

// fills gives a field another value, as if typed, and stays in it.
func (v *visitor) fills(name, value string) {
	v.Helper()
	for range 2 {
		v.wants(fmt.Sprintf(`(e => { e?.focus(); e?.select(); return document.activeElement === e; })(document.getElementById(%q))`, name), true)
		if value == "" {
			v.hits(kb.Backspace)
		} else {
			call(v, input.InsertText, input.InsertTextParams{Text: value})
		}
		if got, err := v.evaluate(fmt.Sprintf(`document.getElementById(%q)?.value`, name)); err == nil && got == value {
			break // and not after what the page put back between the two, having drawn a form again
		}
	}
	v.wantsValue(name, value)
}

// fillsIn fills the sign-up form. With JavaScript it waits for the hint about
// the password, which else might move the button while it is clicked.
func (v *visitor) fillsIn(p apptest.Person) {
	v.Helper()
	v.fills("username", p.Username)
	v.fills("first_name", p.First)
	v.fills("last_name", p.Last)
	v.fills("email", p.Email)
	v.fills("password", p.Password)
	v.fills("confirm_password", p.Password)
	if v.scripts {
		v.wants(`document.getElementById("password-strength").innerText.includes("Strength")`, true)
	}
}

// signsUp goes all the way to the dashboard.
func (v *visitor) signsUp(p apptest.Person) {
	v.Helper()
	v.opens("/sign-up")
	v.fillsIn(p)
	v.presses("Sign up")
	v.wantsPage("/dashboard", "Dashboard")
}

// signsIn fills and sends the form on the page.
func (v *visitor) signsIn(login, password string) {
	v.Helper()
	v.fills("login", login)
	v.fills("password", password)
	v.presses("Sign in")
}

// holds stops every request to these paths on its way, until release.
func (v *visitor) holds(paths ...string) {
	v.Helper()
	var patterns []*fetch.RequestPattern
	for _, path := range paths {
		patterns = append(patterns, &fetch.RequestPattern{URLPattern: v.site.url + path})
	}
	call(v, fetch.Enable, fetch.EnableParams{Patterns: patterns})
}

// requests counts the held requests to path.
func (v *visitor) requests(path string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, request := range v.held {
		if request.Request.URL == v.site.url+path {
			n++
		}
	}
	return n
}

// releases lets the held requests go on in their order, and later ones too.
func (v *visitor) releases() {
	v.Helper()
	v.mu.Lock()
	held := v.held
	v.held = nil
	v.mu.Unlock()
	for _, request := range held {
		// An error means that the page has given the request up.
		_, _ = chromedp.Call(v.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: request.RequestID})
	}
	call(v, fetch.Disable, cdp.Empty{})
}

// losesCookies is what a browser does that forgets.
func (v *visitor) losesCookies() {
	v.Helper()
	call(v, network.ClearBrowserCookies, cdp.Empty{})
}

// What there is to see

// wantsPage waits for the page at that path and query, of that title.
func (v *visitor) wantsPage(path, title string) {
	v.Helper()
	v.wants(`[location.pathname + location.search, document.title]`, []string{path, title + " · Vestibule"})
}

// wantsHeading waits for the only first heading of the page.
func (v *visitor) wantsHeading(text string) {
	v.Helper()
	v.wants(`[...document.querySelectorAll("h1")].map(e => e.innerText)`, []string{text})
}

// wantsNavigation waits for the links and buttons at the top.
func (v *visitor) wantsNavigation(names ...string) {
	v.Helper()
	v.wants(`[...document.querySelectorAll("body > header :is(nav a, .opener)")].filter(e => e.checkVisibility()).map(e => (e.ariaLabel || e.innerText).trim())`, names)
}

// signsOut does so in the account's menu.
func (v *visitor) signsOut() {
	v.Helper()
	v.presses("Your account and menu")
	v.clicks(`document.querySelector("#account-menu form[action='/sign-out'] button")`)
}

// agrees answers a question, which a dialog asks or, without JavaScript, a page.
func (v *visitor) agrees(question, button string) {
	v.Helper()
	v.wants(`(document.querySelector("dialog[open] h2") ?? document.querySelector("main h1"))?.innerText`, question)
	v.clicks(fmt.Sprintf(`[...(document.querySelector("dialog[open]") ?? document.querySelector("main")).querySelectorAll("button")].find(e => e.innerText === %q)`, button))
}

var (
	forGuests = []string{"Sign in", "Sign up"}
	forPeople = []string{"Organizations", "Dashboard", "Your account and menu"}
)

// wantsText waits for words anywhere on the page.
func (v *visitor) wantsText(text string) {
	v.Helper()
	v.wants(fmt.Sprintf(`document.body.innerText.includes(%q)`, text), true)
}

// wantsToasts waits until these sentences, and no others, show at the bottom.
func (v *visitor) wantsToasts(sentences ...string) {
	v.Helper()
	v.wants(`[...document.querySelectorAll("#toasts .toast p")].map(e => e.innerText)`, append([]string{}, sentences...))
}

func (v *visitor) wantsValue(name, value string) {
	v.Helper()
	v.wants(fmt.Sprintf(`document.getElementById(%q).value`, name), value)
}

func (v *visitor) wantsFocus(id string) {
	v.Helper()
	v.wants(`document.activeElement.id`, id)
}

// sentences are error messages by the name of the field that they belong to.
type sentences map[string]string

// wantsErrors waits until these sentences stand beside their fields and none
// beside another. Each is tied to its field, for those who hear the page.
func (v *visitor) wantsErrors(want sentences) {
	v.Helper()
	if want == nil {
		want = sentences{}
	}
	v.wants(`Object.fromEntries([...document.querySelectorAll("main input:not([type=hidden])")].map(input => {
		const described = (input.getAttribute("aria-describedby") ?? "").split(" ").map(id => document.getElementById(id));
		const error = described.find(e => e?.matches(".error"))?.innerText ?? "";
		const marked = input.ariaInvalid === "true";
		return [input.name, marked === (error !== "") ? error : "the mark and the sentence do not agree: " + error];
	}).filter(([, error]) => error))`, want)
}

// marks the page, so that it can be told from one loaded anew.
func (v *visitor) marks() {
	v.Helper()
	v.wants(`window.marked = true`, true)
}

// wantsSamePage checks that no page was loaded since the visitor marked it.
func (v *visitor) wantsSamePage() {
	v.Helper()
	v.wants(`window.marked === true`, true)
}
