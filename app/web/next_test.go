package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"vestibule/templates/layouts"
)

// resolve reads href on https://here.example/sign-in as browsers do (WHATWG
// URL, 4.4), and returns the host that it leads to.
func resolve(href string) string {
	href = strings.TrimFunc(href, func(r rune) bool { return r <= ' ' })
	href = strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(href)
	if i := strings.IndexAny(href, ":/?#"); i > 0 && href[i] == ':' {
		return "" // it has a scheme of its own
	}
	if !strings.HasPrefix(href, "//") {
		return "here.example"
	}
	host, _, _ := strings.Cut(strings.TrimLeft(href, "/"), "/")
	return host
}

func FuzzNext(f *testing.F) {
	for _, next := range []string{
		"", "/", "/account", "/account?a=b&c=%2F#d", "/a%2Fb", "//evil.example", `/\evil.example`, `\\evil.example`, "/\t/evil.example",
		"\t//evil.example", "/%09/evil.example", "https://evil.example", "https:evil.example", "javascript:alert(1)", "/.//evil.example",
		"/..//evil.example", "/%2e//evil.example", "/;//evil.example", "/?//evil.example", "/#//evil.example", "/\x00", "/\xff", "/\u2028/evil",
		"/@evil.example", "/:80", "／／evil.example", "/" + strings.Repeat("a/", 1000),
	} {
		f.Add(next)
	}
	base, err := url.Parse("https://here.example/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := LocalPath(next)
		if got != next && got != layouts.Home {
			t.Fatalf("LocalPath(%q) = %q, neither it nor layouts.Home", next, got)
		}
		if again := LocalPath(got); again != got {
			t.Errorf("LocalPath(%q) = %q, and of that %q", next, got, again)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodPost, "https://here.example/sign-in", nil), got, http.StatusSeeOther)
		for _, path := range []string{got, w.Header().Get("Location")} {
			if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t\x00") {
				t.Errorf("LocalPath(%q) leads to %q, no path", next, path)
			}
			if host := resolve(path); host != "here.example" {
				t.Errorf("LocalPath(%q) leads to %q, for a browser on %q", next, path, host)
			}
			if u, err := base.Parse(path); err != nil || u.Host != base.Host || u.Scheme != base.Scheme {
				t.Errorf("LocalPath(%q) leads to %q, for net/url %v (%v)", next, path, u, err)
			}
		}
		u, err := url.Parse(layouts.WithNext("/sign-in", got))
		if err != nil || u.Path != "/sign-in" || got != layouts.Home && u.Query().Get("next") != got {
			t.Errorf("the way back to %q is lost in %v (%v)", got, u, err)
		}
	})
}
