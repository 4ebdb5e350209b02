package apptest

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// Says wants a sentence on the page or in the fragment.
func (a *Answer) Says(sentence string) *Answer {
	a.T.Helper()
	if !strings.Contains(a.Text("body"), sentence) {
		a.Failf("it says %q, want %q", a.Text("body"), sentence)
	}
	return a
}

// Gone wants the answer to a link that no longer works.
func (a *Answer) Gone() *Answer {
	a.T.Helper()
	return a.Wants(http.StatusGone).WantsHeader("Cache-Control", "no-store").Harmless().Says("This link has expired, was already used, or was replaced by a newer one.")
}

// Parsed returns an attribute's value as an HTML parser reads it.
var Parsed = strings.NewReplacer("\x00", "\uFFFD", "\r\n", "\n")

// Harmless wants no element or attribute that injected text could have created: no
// inline script, style or event handler.
func (a *Answer) Harmless() *Answer {
	a.T.Helper()
	if n := a.Find("script:not([src^='/assets/']), style, svg:not(.icon, .door, .mark, .chart), iframe, object, embed, base, img:not([src^='/assets/'], [src='/account/authenticator/qr'])").Length(); n > 0 {
		a.Failf("%d foreign elements in\n%s", n, a.Body)
	}
	a.Find("*").Each(func(_ int, e Selection) {
		for _, attr := range e.Nodes[0].Attr {
			if strings.HasPrefix(attr.Key, "on") || attr.Key == "style" || strings.HasPrefix(attr.Key, "hx-on") ||
				attr.Key != "value" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(attr.Val)), "javascript:") {
				a.Failf("the attribute %s=%q", attr.Key, attr.Val)
			}
		}
	})
	return a
}

// Answer is what the site answered.
type Answer struct {
	*http.Response
	T    testing.TB
	Body string // already read in full
	doc  *goquery.Document
}

// NewAnswer returns an answer with that body. Its checks report to t.
func NewAnswer(t testing.TB, response *http.Response, body string) *Answer {
	return &Answer{Response: response, Body: body, T: t}
}

// Failf reports what is wrong with the answer.
func (a *Answer) Failf(format string, args ...any) {
	a.T.Helper()
	a.T.Errorf("%s %s: %s", a.Request.Method, a.Request.URL.RequestURI(), fmt.Sprintf(format, args...))
}

// Wants wants that status.
func (a *Answer) Wants(status int) *Answer {
	a.T.Helper()
	if a.StatusCode != status {
		a.Failf("%d, want %d: %s", a.StatusCode, status, a.Text("body"))
	}
	return a
}

// WantsHeader wants the header to be want, or absent if that is empty.
func (a *Answer) WantsHeader(name, want string) *Answer {
	a.T.Helper()
	if got := a.Header.Get(name); got != want {
		a.Failf("%s is %q, want %q", name, got, want)
	}
	return a
}

// LeadsTo wants a redirect to path, as 303, or as HX-Redirect under htmx.
func (a *Answer) LeadsTo(path string) *Answer {
	a.T.Helper()
	if a.Request.Header.Get("HX-Request") == "true" {
		return a.Wants(http.StatusOK).WantsHeader("HX-Redirect", path).WantsHeader("Location", "")
	}
	return a.Wants(http.StatusSeeOther).WantsHeader("Location", path).WantsHeader("HX-Redirect", "")
}

// Page wants a whole page in the site's layout.
func (a *Answer) Page() *Answer {
	a.T.Helper()
	if !strings.HasPrefix(a.Body, "<!doctype html>") || a.Find("header nav").Length() == 0 || a.Find("main").Length() != 1 {
		a.Failf("want a whole page, got %.500s", a.Body)
	}
	return a.IsHTML()
}

// Fragment wants HTML that starts with the selected element and isn't a whole page.
func (a *Answer) Fragment(selector string) *Answer {
	a.T.Helper()
	if strings.Contains(a.Body, "<html") || !a.Find("body").Children().First().Is(selector) {
		a.Failf("want the fragment %s alone, got %.500s", selector, a.Body)
	}
	return a.IsHTML()
}

// IsHTML wants HTML that varies with htmx.
func (a *Answer) IsHTML() *Answer {
	a.T.Helper()
	if vary := a.Header.Get("Vary"); !strings.Contains(vary, "HX-Request") {
		a.Failf("Vary is %q, want HX-Request in it", vary)
	}
	return a.WantsHeader("Content-Type", "text/html; charset=utf-8")
}

// Find returns the elements selected.
func (a *Answer) Find(selector string) Selection {
	a.T.Helper()
	if a.doc == nil {
		var err error
		if a.doc, err = goquery.NewDocumentFromReader(strings.NewReader(a.Body)); err != nil {
			a.T.Fatal(err)
		}
	}
	return a.doc.Find(selector)
}

// Text returns the text of the selected elements as a reader sees it, with one space
// between words and between block elements.
func (a *Answer) Text(selector string) string {
	a.T.Helper()
	var b strings.Builder
	for _, n := range a.Find(selector).Nodes {
		writeText(&b, n)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// inline are the elements within a line of text.
var inline = map[string]bool{"b": true, "bdi": true, "code": true, "i": true, "span": true, "strong": true, "time": true, "wbr": true}

func writeText(b *strings.Builder, n *html.Node) {
	if n.Type == html.TextNode {
		b.WriteString(n.Data)
		return
	}
	linkInText := n.Data == "a" && n.Parent.Data == "p"
	apart := n.Type == html.ElementNode && !inline[n.Data] && !linkInText
	if apart {
		b.WriteByte(' ')
	}
	for child := range n.ChildNodes() {
		writeText(b, child)
	}
	if apart {
		b.WriteByte(' ')
	}
}

// Value returns the value of an input.
func (a *Answer) Value(name string) string {
	a.T.Helper()
	return a.Find(`input[name="`+name+`"]`).AttrOr("value", "")
}

// Errors returns the errors of the fields, by field.
func (a *Answer) Errors() map[string]string {
	a.T.Helper()
	sentences := map[string]string{}
	a.Find("input, textarea, select").Each(func(_ int, input Selection) {
		name := input.AttrOr("name", "")
		sentence := a.Text("#" + name + "-error")
		if invalid := input.AttrOr("aria-invalid", "false") == "true"; invalid != (sentence != "") {
			a.Failf("aria-invalid of %s is %v beside %q", name, invalid, sentence)
		}
		if sentence != "" {
			sentences[name] = sentence
		}
	})
	return sentences
}

// WantsErrors wants exactly these errors, by field.
func (a *Answer) WantsErrors(want map[string]string) *Answer {
	a.T.Helper()
	if got := a.Errors(); !maps.Equal(got, want) {
		a.Failf("the fields say\n%v, want\n%v", got, want)
	}
	return a
}

// Sets returns the cookie of that name that the answer sets, or nil.
func (a *Answer) Sets(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == fullCookieName(name, a.Request.URL) {
			return c
		}
	}
	return nil
}

// Keeps wants the answer not to touch the cookie.
func (a *Answer) Keeps(name string) *Answer {
	a.T.Helper()
	if c := a.Sets(name); c != nil {
		a.Failf("the cookie %s is touched: %v", name, c)
	}
	return a
}

// Clears wants the answer to delete the cookie.
func (a *Answer) Clears(name string) *Answer {
	a.T.Helper()
	if c := a.Sets(name); c == nil || c.MaxAge >= 0 || c.Value != "" || c.Path != "/" {
		a.Failf("the cookie %s is not cleared: %v", name, c)
	}
	return a
}

// Selection is what goquery finds.
type Selection = *goquery.Selection

// TooEarly wants the refusal of an attempt that was too early.
func (a *Answer) TooEarly() *Answer {
	a.T.Helper()
	a.Wants(http.StatusTooManyRequests).Says("Too many attempts. Try again in ")
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		a.Failf("Retry-After is %q, want 1 to 60 seconds", a.Header.Get("Retry-After"))
	}
	return a
}

// SudoForm is the form that asks for the password again.
const SudoForm = "form#sudo"

// AsksToSignIn wants the form that stands in for a page, or in a dialog above it, until
// the user has signed in.
func (a *Answer) AsksToSignIn(status int) *Answer {
	a.T.Helper()
	a.Wants(status).WantsHeader("Cache-Control", "no-store").Harmless()
	if a.Find("form#sign-in-again").Length() != 1 {
		a.Failf("it doesn't ask to sign in: %s", a.Text("body"))
	}
	if a.Request.Header.Get("HX-Request") == "true" {
		return a.Fragment("h2").WantsHeader("HX-Retarget", "#dialog").WantsHeader("HX-Reswap", "innerHTML")
	}
	return a.Page()
}

// Silent wants that status, and nothing to show.
func (a *Answer) Silent(status int) *Answer {
	a.T.Helper()
	if a.Wants(status); a.Body != "" {
		a.Failf("the answer to a check says %s", a.Body)
	}
	return a.WantsHeader("HX-Redirect", "").WantsHeader("HX-Retarget", "").WantsHeader("HX-Reswap", "none")
}
