package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// exportedComponents reads the names of all components from their source.
func exportedComponents(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../templates/components/*_templ.go")
	if err != nil || len(files) < 5 {
		t.Fatalf("the files are %v (%v)", files, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() {
				continue
			}
			if result, ok := f.Type.Results.List[0].Type.(*ast.SelectorExpr); ok && result.Sel.Name == "Component" {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// TestDevComponents wants every component on the page, in both themes, and the page on
// this machine alone.
func TestDevComponents(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		page := s.Get("/dev/components").Wants(http.StatusOK).WantsHeader("Cache-Control", "no-store").Page()
		for _, name := range exportedComponents(t) {
			if page.Find("[data-components~='"+name+"'] > div > *").Length() == 0 {
				t.Errorf("the page doesn't show the component %s: add it to templates/site/devcomponents.templ", name)
			}
		}
		for theme, class := range map[string]string{"light": "light", "dark": "dark", "none": ""} {
			if got := s.Get("/dev/components?theme="+theme).Find("html").AttrOr("class", ""); got != class {
				t.Errorf("the theme %s has the class %q", theme, got)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/dev/components", nil)
		r.RemoteAddr, r.Host = "192.0.2.7:5000", "localhost:8080"
		if w := s.Serve(r); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "data-components") {
			t.Errorf("another machine gets %d", w.Code)
		}
		apptest.NewSite(t, db, apptest.OverHTTPS).Get("/dev/components").Wants(http.StatusNotFound)
	})
}
