package app_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors are the folders of the module from the top to the bottom. Imports lead
// down; a folder that is not named here stands where the folder around it does.
var floors = []map[string]bool{
	{"cmd": true},
	{"app": true},
	{"app/*": true, "app/auth/mailed": true, "app/auth/oauth": true}, // features: every folder of app without a floor of its own
	{"app/web": true},
	{"app/passkey": true},
	{"app/breached": true, "app/device": true, "app/forms": true, "app/mail": true, "app/metrics": true, "app/password": true, "app/provider": true, "app/secrets": true, "models": true, "migrations": true, "templates": true, "assets": true},
	{"app/text": true},
}

// sideways are the imports on one floor that are allowed.
var sideways = map[string][]string{
	"app/account":      {"app/auth", "app/auth/mailed", "app/auth/oauth"},
	"app/auth/mailed":  {"app/auth"},
	"app/auth/oauth":   {"app/auth"},
	"app/organization": {"app/auth"},
	"migrations":       {"models"},
	"templates":        {"app/device", "app/forms", "models", "assets"},
}

// floorOf returns the floor of a folder, counted from the top, and the name by
// which floors knows it.
func floorOf(folder string) (int, string) {
	for name := folder; name != "."; name = filepath.Dir(name) {
		for floor, names := range floors {
			if names[name] || names["app/*"] && filepath.Dir(name) == "app" && !onAnyFloor(name) {
				return floor, name
			}
		}
	}
	return -1, ""
}

func onAnyFloor(name string) bool {
	return slices.ContainsFunc(floors, func(names map[string]bool) bool { return names[name] })
}

// TestImportsLeadDown reads what each package imports, and fails on an import
// that leads up or sideways.
func TestImportsLeadDown(t *testing.T) {
	t.Parallel()
	seen := 0
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && len(path) > 1 && path[0] == '.' { // as the go command does
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := filepath.Dir(path)
		if forTests(folder) {
			return nil
		}
		from, name := floorOf(folder)
		if from < 0 {
			t.Errorf("%s stands on no floor", path)
			return nil
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imported, ours := strings.CutPrefix(imported, "vestibule/")
			if !ours {
				continue
			}
			seen++
			to, other := floorOf(imported)
			if to <= from && name != other && !slices.Contains(sideways[name], other) && !forTests(imported) {
				t.Errorf("%s imports %s", path, imported)
			}
		}
		return nil
	})
	if err != nil || seen < 100 {
		t.Errorf("%d imports were read (%v)", seen, err)
	}
}

// forTests reports whether a folder serves tests and benchmarks alone.
func forTests(folder string) bool {
	return folder == "models/modelstest" || folder == "app/apptest" || folder == "cmd/bench"
}
