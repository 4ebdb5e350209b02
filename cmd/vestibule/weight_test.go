//go:build linux || darwin || freebsd

package main_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"

	"vestibule/app/apptest"
)

// What a page may weigh at the first visit, with nothing in the browser's cache.
const (
	maxBytes    = 50_000 // over the wire
	maxRequests = 5      // besides the script of passkeys and the challenge that it asks for, where there are some
	maxShift    = 0.03   // less than a third of what Core Web Vitals call good: a menu grows by 0.01 if a page is drawn in pieces
)

// traced is an event of a trace of Chromium's.
type traced struct {
	Name string
	Args struct {
		Data struct {
			RequestID         string
			URL               string
			RenderBlocking    string
			EncodedDataLength float64
			Score             float64
			ImpactedNodes     []struct {
				DebugName string     `json:"debug_name"`
				Old       [4]float64 `json:"old_rect"`
				New       [4]float64 `json:"new_rect"`
			} `json:"impacted_nodes"`
		}
	}
}

// TestWeight opens each page for the first time, in a browser of its own that
// traces what comes over the wire, what keeps the page from being drawn and what
// moves after it was.
func TestWeight(t *testing.T) {
	eachBrowser(t, true, func(t *testing.T, database string) {
		s := serveByName(t, "DATABASE_URL="+database)
		browser, err := newChromium()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = chromedp.Cancel(browser) })
		v := s.visitorBy(t, browser, true)
		v.expects("status of 404")
		weigh := func(paths []string) {
			v.Helper()
			for _, path := range paths {
				for _, width := range []int64{390, 1280} {
					v.resize(width, 844)
					v.weighs(path)
				}
			}
		}
		weigh(pagesForGuests)
		v.wantsShiftsSeen()
		v.signsUp(apptest.Anna)
		v.founds("Analytical Engines")
		weigh(append(pagesForPeople, pagesForMembers...))
	})
}

// weighs opens a page and looks at the trace of that.
func (v *visitor) weighs(path string) {
	v.Helper()
	v.opens("/healthz") // has the renderer, which traces, but nothing in common with the page
	call(v, network.ClearBrowserCache, cdp.Empty{})
	trace := v.traces(func() {
		v.opens(path)
		v.wants(`[location.pathname, performance.getEntriesByName('first-contentful-paint').length]`, []any{path, 1})
	})
	ours, urls, bytes, drawn := map[string]bool{}, map[string]bool{}, 0., false
	for _, step := range trace {
		data := step.Args.Data
		switch step.Name {
		case "ResourceSendRequest":
			own := strings.HasPrefix(data.URL, v.site.url) && !strings.HasSuffix(data.URL, "/favicon.ico") // of /healthz
			if own && !strings.HasSuffix(data.URL, "/account/authenticator/qr") {                          // an image that no other page has
				ours[data.RequestID] = true
				if !strings.Contains(data.URL, "passkey") {
					urls[data.URL] = true // the icon comes twice, the second time from the cache
				}
			}
			if strings.HasSuffix(data.URL, ".js") && data.RenderBlocking != "non_blocking" {
				v.Errorf("%s: %s is %s", path, data.URL, data.RenderBlocking)
			}
		case "ResourceFinish":
			if ours[data.RequestID] {
				bytes += data.EncodedDataLength
			}
		case "firstContentfulPaint":
			drawn = true
		}
	}
	if n := len(urls); n < 4 || n > maxRequests { // the page, the stylesheet and the two scripts at least
		v.Errorf("%s takes %d requests: %v", path, n, slices.Collect(maps.Keys(urls)))
	}
	if bytes < 1000 || bytes > maxBytes {
		v.Errorf("%s takes %.0f bytes", path, bytes)
	}
	if shift, moved := shifted(trace); shift > maxShift {
		v.Errorf("%s: what was drawn moves by %g: %+v", path, shift, moved)
	}
	if !drawn {
		v.Errorf("%s: the trace does not tell when it was drawn", path)
	}
	v.Logf("%s: %d requests, %.0f bytes", path, len(urls), bytes)
}

// wantsShiftsSeen moves what was drawn, and checks that a trace tells.
func (v *visitor) wantsShiftsSeen() {
	v.Helper()
	trace := v.traces(func() {
		if _, err := v.evaluate(`
			document.body.prepend(Object.assign(document.createElement("pre"), {textContent: "\n".repeat(20)}));
			requestAnimationFrame(() => requestAnimationFrame(() => window.drawn = true))`); err != nil {
			v.Fatal(err)
		}
		v.wants(`window.drawn`, true)
	})
	if shift, _ := shifted(trace); shift <= maxShift {
		v.Errorf("what was drawn moves by 20 lines, and the trace tells of %g", shift)
	}
}

// shifted returns by how much what was drawn moves, and what.
func shifted(trace []traced) (shift float64, moved []any) {
	for _, step := range trace {
		if step.Name == "LayoutShift" {
			shift += step.Args.Data.Score
			moved = append(moved, step.Args.Data.ImpactedNodes)
		}
	}
	return shift, moved
}

// traces returns what the browser tells of what happens meanwhile.
func (v *visitor) traces(happens func()) []traced {
	v.Helper()
	v.mu.Lock()
	v.trace, v.complete = nil, false
	v.mu.Unlock()
	call(v, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{IncludedCategories: []string{"devtools.timeline", "loading"}}})
	happens()
	call(v, tracing.End, cdp.Empty{})
	if !waitFor(func() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.complete }) {
		v.Fatal("the trace does not end")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.trace
}
