package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// takesAway matches what takes something away that does not come back by itself.
var takesAway = regexp.MustCompile(`/(delete|dissolve|end|end-others|leave|remove|revoke)$`)

func TestPagesHoldTogether(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newCompany(t, db)
		s.employ("the.admin", "Admin")
		stranger, member := s.visit(t), s.employ("the.member", "Member")
		s.employRole("the.host", "Host", models.InviteMembers)
		s.post("/o/acme/invitations", fill("email", "new@example.com", "role", s.role("Member").ID.String())).leadsTo("/o/acme/invitations")
		for _, visitor := range []*visitor{s.visitor, member, stranger} {
			seen := map[string]bool{}
			todo := []string{"/", "/sign-up", "/sign-in", "/dashboard", "/account", "/no-such-page", "/favicon.ico"}
			for len(todo) > 0 {
				path := todo[0]
				todo = todo[1:]
				if seen[path] {
					continue
				}
				seen[path] = true
				a := visitor.get(path)
				if a.StatusCode >= 400 && path != "/no-such-page" {
					t.Errorf("a page leads to %s, which answers %d", path, a.StatusCode)
				}
				if to := a.Header.Get("Location"); strings.HasPrefix(to, "/") {
					todo = append(todo, to)
				}
				if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || a.body == "" || a.StatusCode == http.StatusFound {
					continue
				}
				if a.StatusCode < 300 || a.StatusCode >= 400 {
					a.page().harmless()
				}
				a.find("[href], [src]").Each(func(_ int, e selection) {
					to, _, _ := strings.Cut(e.AttrOr("href", e.AttrOr("src", "")), "#")
					if to != "" && !strings.HasPrefix(to, "/") {
						t.Errorf("%s refers to %s, outside of the site", path, to)
					}
					if to != "" {
						todo = append(todo, to)
					}
				})
				ids := map[string]bool{}
				a.find("[id]").Each(func(_ int, e selection) {
					id := e.AttrOr("id", "")
					if ids[id] {
						t.Errorf("%s has two elements %s", path, id)
					}
					ids[id] = true
				})
				a.find("label[for], [aria-describedby]").Each(func(_ int, e selection) {
					for id := range strings.FieldsSeq(e.AttrOr("for", "") + " " + e.AttrOr("aria-describedby", "")) {
						if !ids[id] {
							t.Errorf("%s points to %s, which is not there", path, id)
						}
					}
				})
				a.find("form").Each(func(_ int, form selection) {
					if method := form.AttrOr("method", ""); method != "post" && method != "get" || !strings.HasPrefix(form.AttrOr("action", ""), "/") {
						t.Errorf("%s has a form that does not work without a script", path)
					}
					if htmx, ok := form.Attr("hx-post"); ok && htmx != form.AttrOr("action", "") {
						t.Errorf("%s has a form that posts to %s with htmx and %s without", path, htmx, form.AttrOr("action", ""))
					}
					if form.Find("[type=password]").Length() > 0 && form.Find("[autocomplete=username]").Length() != 1 {
						t.Errorf("%s does not tell password managers whose password it asks for", path)
					}
					if _, asks := form.Attr("hx-confirm"); !asks && form.Find("input").Length() == 0 && takesAway.MatchString(form.AttrOr("action", "")) {
						t.Errorf("%s has a button that posts to %s and does not ask first", path, form.AttrOr("action", ""))
					}
				})
			}
		}
	})
}

// Each form has a place for the sentence about it as a whole, such as that one
// has to wait, also where nothing says one yet: it is what others copy.
func TestFormsSayWhatFails(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../templates/pages/*.html")
	if err != nil {
		t.Fatal(err)
	}
	forms := 0
	for _, file := range append(files, "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range regexp.MustCompile(`(?s)<form.*?</form>`).FindAllString(string(text), -1) {
			if !strings.Contains(form, `{{template "field" `) {
				continue // a button
			}
			forms++
			if !strings.Contains(form, `{{template "form-error" .Form}}`) {
				t.Errorf("%s: a form cannot say what is wrong with it as a whole:\n%s", file, form)
			}
		}
	}
	if forms < 10 {
		t.Errorf("there are only %d forms", forms)
	}
}

func TestAssetsOfTheSite(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		style := s.get("/").find("link[rel=stylesheet]").AttrOr("href", "")
		a := s.get(style).wants(http.StatusOK).wantsHeader("Cache-Control", "public, max-age=31536000, immutable")
		if len(a.Cookies()) > 0 {
			t.Error("an asset that anybody may keep sets a cookie")
		}
		s.get(style, header("If-None-Match", a.Header.Get("Etag"))).wants(http.StatusNotModified)
		for _, path := range []string{"/assets/", "/assets/vestibule.css", "/assets/assets.go", "/assets/../go.mod", "/assets/%2e%2e/go.mod", "/assets/vestibule.000000000000.css"} {
			s.get(path).wants(http.StatusNotFound)
		}
	})
}
