package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// takesAway matches what takes something away that does not come back by itself.
var takesAway = regexp.MustCompile(`/(delete|dissolve|end|end-others|leave|remove|revoke)$`)

func TestPagesHoldTogether(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMember("the.admin", "Admin")
		stranger, member := s.Visit(t), s.AddMember("the.member", "Member")
		s.AddMemberWith("the.host", "Host", models.InviteMembers)
		s.Post("/o/acme/invitations", apptest.Fill("email", "new@example.com", "role", s.Role("Member").ID.String())).LeadsTo("/o/acme/invitations")
		operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		for _, visitor := range []*apptest.Visitor{s.Visitor, member, stranger, operator} {
			seen := map[string]bool{}
			todo := []string{"/", "/sign-up", "/sign-in", "/dashboard", "/account", "/no-such-page", "/favicon.ico"}
			for len(todo) > 0 {
				path := todo[0]
				todo = todo[1:]
				if seen[path] {
					continue
				}
				seen[path] = true
				a := visitor.Get(path)
				if a.StatusCode >= 400 && path != "/no-such-page" {
					t.Errorf("a page leads to %s, which answers %d", path, a.StatusCode)
				}
				if to := a.Header.Get("Location"); strings.HasPrefix(to, "/") {
					todo = append(todo, to)
				}
				if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || a.Body == "" || a.StatusCode == http.StatusFound {
					continue
				}
				if a.StatusCode < 300 || a.StatusCode >= 400 {
					a.Page().Harmless()
				}
				a.Find("[href], [src]").Each(func(_ int, e apptest.Selection) {
					to, _, _ := strings.Cut(e.AttrOr("href", e.AttrOr("src", "")), "#")
					if strings.HasPrefix(to, "otpauth://totp/Vestibule:") { // opens an app
						return
					}
					if to != "" && !strings.HasPrefix(to, "/") {
						t.Errorf("%s refers to %s, outside of the site", path, to)
					}
					if to != "" && !strings.Contains(to, "sort=") { // the same rows again
						todo = append(todo, to)
					}
				})
				ids := map[string]bool{}
				a.Find("[id]").Each(func(_ int, e apptest.Selection) {
					id := e.AttrOr("id", "")
					if ids[id] {
						t.Errorf("%s has two elements %s", path, id)
					}
					ids[id] = true
				})
				a.Find("label[for], [aria-describedby]").Each(func(_ int, e apptest.Selection) {
					for id := range strings.FieldsSeq(e.AttrOr("for", "") + " " + e.AttrOr("aria-describedby", "")) {
						if !ids[id] {
							t.Errorf("%s points to %s, which is not there", path, id)
						}
					}
				})
				a.Find(".rows > li:has(strong)").Each(func(_ int, row apptest.Selection) {
					about := row.Find("strong").First().Text()
					row.Find("button, a").Not(".hint a").Each(func(_ int, e apptest.Selection) {
						if name := e.AttrOr("aria-label", e.Text()); !strings.Contains(name, about) {
							t.Errorf("in the row of %q, %s has a button %q, which doesn't say whose it is", about, path, name)
						}
					})
				})
				a.Find("form:not([method=dialog])").Each(func(_ int, form apptest.Selection) {
					if method := form.AttrOr("method", ""); method != "post" && method != "get" || !strings.HasPrefix(form.AttrOr("action", ""), "/") {
						t.Errorf("%s has a form that does not work without a script", path)
					}
					if htmx, ok := form.Attr("hx-post"); ok && htmx != form.AttrOr("action", "") {
						t.Errorf("%s has a form that posts to %s with htmx and %s without", path, htmx, form.AttrOr("action", ""))
					}
					if form.Find("[type=password]").Length() > 0 && form.Find("[autocomplete~=username]").Length() != 1 {
						t.Errorf("%s does not tell password managers whose password it asks for", path)
					}
					if _, asks := form.Attr("hx-confirm"); !asks && form.Find("input:not([type=hidden]), [aria-disabled=true]").Length() == 0 && takesAway.MatchString(form.AttrOr("action", "")) {
						t.Errorf("%s has a button that posts to %s and does not ask first", path, form.AttrOr("action", ""))
					}
				})
			}
		}
	})
}

// TestFormsSayWhatFails wants each page to draw its form by the component that says
// what is wrong with the form as a whole.
func TestFormsSayWhatFails(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../templates/*/*.templ")
	if err != nil {
		t.Fatal(err)
	}
	forms := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		forms += strings.Count(string(text), "@components.Form(")
		if strings.Contains(string(text), "<form") && filepath.Dir(file) != "../templates/components" {
			t.Errorf("%s has a form of its own: it cannot say what is wrong with it", file)
		}
	}
	if forms < 10 {
		t.Errorf("there are only %d forms", forms)
	}
}

func TestAssetsOfTheSite(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		style := s.Get("/").Find("link[rel=stylesheet]").AttrOr("href", "")
		a := s.Get(style).Wants(http.StatusOK).WantsHeader("Cache-Control", "public, max-age=31536000, immutable")
		if len(a.Cookies()) > 0 {
			t.Error("an asset that anybody may keep sets a cookie")
		}
		s.Get(style, apptest.Header("If-None-Match", a.Header.Get("Etag"))).Wants(http.StatusNotModified)
		for _, path := range []string{"/assets/", "/assets/vestibule.css", "/assets/assets.go", "/assets/../go.mod", "/assets/%2e%2e/go.mod", "/assets/missing.000000000000.css"} {
			s.Get(path).Wants(http.StatusNotFound)
		}
	})
}
