package app_test

import (
	"bytes"
	"fmt"
	"image/png"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/app/password"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestKeyboards wants each field to tell phones which keyboard fits, and password
// managers which passwords are accepted.
func TestKeyboards(t *testing.T) {
	t.Parallel()
	with := func(attributes map[string]string, pairs ...string) map[string]string {
		attributes = maps.Clone(attributes)
		for pair := range slices.Chunk(pairs, 2) {
			attributes[pair[0]] = pair[1]
		}
		return attributes
	}
	exact := map[string]string{"autocapitalize": "none", "autocorrect": "off", "spellcheck": "false", "dir": ""}
	name := map[string]string{"autocapitalize": "words", "autocorrect": "off", "spellcheck": "false", "dir": "auto"}
	email := with(exact, "type", "email", "inputmode", "email")
	current := with(exact, "autocomplete", "current-password", "enterkeyhint", "go")
	fresh := with(exact, "autocomplete", "new-password", "passwordrules", fmt.Sprintf("minlength: %d; maxlength: %d;", password.MinLength, password.MaxLength))
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		for path, fields := range map[string]map[string]map[string]string{
			"/sign-in":          {"login": with(exact, "inputmode", "email"), "password": current},
			"/sign-up":          {"username": exact, "first_name": name, "last_name": name, "email": email, "password": fresh, "confirm_password": fresh},
			"/sign-in/code":     {"email": email},
			"/forgot-password":  {"email": email},
			"/recover":          {"email": email},
			"/account":          {"username": exact, "first_name": name},
			"/account/email":    {"email": email, "current_password": current},
			"/account/password": {"current_password": current, "password": fresh},
			"/account/delete":   {"username": exact},
			"/organizations":    {"name": name, "slug": exact},
			"/o/acme/dissolve":  {"name": exact},
		} {
			v := s.Visitor
			if strings.HasPrefix(path, "/sign") || path == "/forgot-password" || path == "/recover" {
				v = s.Visit(t)
			}
			page := v.Get(path).Wants(http.StatusOK)
			for field, attributes := range fields {
				for attribute, want := range attributes {
					if got := page.Find("main [name="+field+"]:not([type=hidden])").AttrOr(attribute, ""); got != want {
						page.Failf("%s of %s is %q, want %q", attribute, field, got, want)
					}
				}
			}
		}
	})
}

// TestWhatBrowsersAskFor requests what browsers and phones look for by themselves.
func TestWhatBrowsersAskFor(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Get("/.well-known/change-password").Wants(http.StatusFound).WantsHeader("Location", "/account/password")
		s.Get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200").Wants(http.StatusNotFound)
		style := s.Get(s.Get("/").Find("link[rel=stylesheet]").AttrOr("href", "")).Body
		top := regexp.MustCompile(`--raised: light-dark\((#\w+), (#\w+)\)`).FindStringSubmatch(style) // the color of the top bar
		if top == nil {
			t.Fatal("the stylesheet has no color of the top bar")
		}
		for theme, bars := range map[string]map[string]string{
			"":      {"(prefers-color-scheme: light)": top[1], "(prefers-color-scheme: dark)": top[2]},
			"light": {"": top[1]},
			"dark":  {"": top[2]},
		} {
			s.Post("/theme", apptest.Fill("theme", theme))
			page := s.Get("/")
			if n := page.Find("meta[name=theme-color]").Length(); n != len(bars) {
				page.Failf("%d colors of the browser's bar, want %d", n, len(bars))
			}
			page.Find("meta[name=theme-color]").Each(func(_ int, e apptest.Selection) {
				if bars[e.AttrOr("media", "")] != e.AttrOr("content", "") {
					page.Failf("the color of the browser's bar in theme %q is %v", theme, e.Nodes[0].Attr)
				}
			})
		}
		a := s.Get(s.Get("/").Find("link[rel=apple-touch-icon]").AttrOr("href", "")).Wants(http.StatusOK).WantsHeader("Content-Type", "image/png")
		if icon, err := png.DecodeConfig(bytes.NewReader([]byte(a.Body))); err != nil || icon.Width != 180 || icon.Height != 180 || len(a.Body) > 4000 {
			t.Errorf("the icon for phones has %d×%d pixels and %d bytes (%v)", icon.Width, icon.Height, len(a.Body), err)
		}
	})
}
