package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"vestibule/templates/components"
)

// countedBy are the functions that count attempts, and the index of the argument that begins
// with what they limit.
var countedBy = map[string]int{"NewAttempt": 0, "Attempt": 1, "AttemptAtRate": 1, "PerIP": 1, "PerAccount": 1, "requestMail": 2, "requestCode": 2}

// subject is what follows the kind in a key, up to whose attempts are counted.
var subject = regexp.MustCompile(` (of|from|to|by|in|for) ?$`)

// TestThrottleLabels reads what the program limits, and wants words for each kind, which
// operators read.
func TestThrottleLabels(t *testing.T) {
	t.Parallel()
	kinds := map[string]string{} // and where
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			for _, kind := range limitedIn(file) {
				kinds[kind] = path
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind, path := range kinds {
		if components.ThrottleLabel(kind) == kind {
			t.Errorf("%s limits %q, which components.ThrottleLabel has no words for", path, kind)
		}
	}
	for _, kind := range []string{"password", "mail by others", "daily invitations", "sign-in code", "check", "writes"} {
		if kinds[kind] == "" {
			t.Errorf("found are only %q", slices.Sorted(maps.Keys(kinds)))
		}
	}
	if got := components.ThrottleLabel("of a later version"); got != "of a later version" {
		t.Errorf("an unknown kind is %q", got)
	}
}

// limitedIn returns the kinds of the throttles that a file counts.
func limitedIn(file *ast.File) (kinds []string) {
	assigned := map[string]ast.Expr{} // to a variable that is the key
	add := func(e ast.Expr) {
		for {
			switch key := e.(type) {
			case *ast.BinaryExpr:
				e = key.X
				continue
			case *ast.Ident:
				e = assigned[key.Name]
				continue
			case *ast.BasicLit:
				if words, err := strconv.Unquote(key.Value); err == nil {
					kinds = append(kinds, subject.ReplaceAllString(words, ""))
				}
			}
			return
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if name, ok := n.Lhs[0].(*ast.Ident); ok && n.Tok == token.DEFINE && name.Name == "key" {
				assigned[name.Name] = n.Rhs[0]
			}
		case *ast.CallExpr:
			name := ""
			switch f := n.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if at, ok := countedBy[name]; ok && at < len(n.Args) && !uncounted(n) {
				add(n.Args[at])
			}
		case *ast.KeyValueExpr: // of an Attempt
			if name, ok := n.Key.(*ast.Ident); ok && name.Name == "key" {
				add(n.Value)
			}
		}
		return true
	})
	return kinds
}

// uncounted reports whether a call has no limit, so that its key is only a name.
func uncounted(call *ast.CallExpr) bool {
	limit, ok := call.Args[len(call.Args)-1].(*ast.CompositeLit)
	return ok && len(limit.Elts) == 0
}
