//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// asvs is the document with the table of the ASVS.
const asvs = "cmd/vestibule/ASVS.md"

// TestSecurity reads the table in ASVS.md. It has each of the 345 requirements of the
// ASVS 5.0.0 once, and every test and section that it names exists. testdata/asvs.txt
// has their numbers and levels.
func TestSecurity(t *testing.T) {
	t.Parallel()
	document := readDocument(t, asvs)
	list, err := os.ReadFile("testdata/asvs.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{} // how often each requirement is in the table
	for line := range strings.Lines(string(list)) {
		number, _, _ := strings.Cut(line, " ")
		rows[number] = 0
	}
	if len(rows) != 345 {
		t.Fatalf("testdata has %d requirements, want 345", len(rows))
	}
	known := map[string]bool{}
	for name := range testNames(t) {
		known["`"+name+"`"] = true
	}
	count := map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| (V[0-9.]+) \| (.*) \| (.*) \| (.*) \|$`).FindAllStringSubmatch(document, -1) {
		number, asks, status, proof := row[1], row[2], row[3], row[4]
		covered := 0
		for requirement := range rows {
			if requirement == number || strings.HasPrefix(requirement, number+".") {
				rows[requirement]++
				covered++
			}
		}
		count[status] += covered
		for _, name := range regexp.MustCompile("`(Test|Fuzz)[A-Za-z]+`").FindAllString(proof, -1) {
			if !known[name] {
				t.Errorf("%s names %s, which does not exist", number, name)
			}
		}
		switch {
		case covered == 0:
			t.Errorf("%s is no requirement", number)
		case covered > 1 && status != "n/a":
			t.Errorf("%s stands for %d requirements, and is %s", number, covered, status)
		case asks == "" || proof == "":
			t.Errorf("%s does not say what it asks, or why it is %s", number, status)
		case status == "met":
			for name := range strings.SplitSeq(proof, ", ") {
				if !known[name] && !isSection(t, name) {
					t.Errorf("%s is met by %s, which does not exist", number, name)
				}
			}
		case status != "n/a" && status != "open":
			t.Errorf("%s is %q: it must be met, n/a or open", number, status)
		}
	}
	for _, requirement := range slices.Sorted(maps.Keys(rows)) {
		if rows[requirement] != 1 {
			t.Errorf("%s is in the table %d times, want once", requirement, rows[requirement])
		}
	}
	sum := fmt.Sprintf("Of %d requirements %d are met, %d do not apply and %d are open.", len(rows), count["met"], count["n/a"], count["open"])
	if !strings.Contains(document, sum) {
		t.Errorf("%s does not say: %s", asvs, sum)
	}
}

// testNames are the tests and fuzz targets of the repository.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && regexp.MustCompile(`^(Test|Fuzz)[A-Z]`).MatchString(f.Name.Name) {
				names[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// isSection reports whether a Markdown link of the table leads to a heading that
// exists, and shows where it leads.
func isSection(t *testing.T, link string) bool {
	t.Helper()
	parts := regexp.MustCompile("^\\[`([A-Za-z/]+\\.md#[a-z-]+)`\\]\\((.+)\\)$").FindStringSubmatch(link)
	return parts != nil && path.Join(path.Dir(asvs), parts[2]) == parts[1] && leadsSomewhere(t, asvs, parts[2])
}
