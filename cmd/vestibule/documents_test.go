//go:build linux || darwin || freebsd

package main_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinks wants every link between the documents to lead to a file that exists
// and, if it names a heading, to that heading. README is a builder's own.
func TestLinks(t *testing.T) {
	t.Parallel()
	documents := 0
	err := fs.WalkDir(os.DirFS("../.."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "data", "node_modules"}, name):
			return fs.SkipDir
		case path.Ext(name) != ".md" || name == "README.md":
			return nil
		}
		documents++
		for _, link := range brokenLinks(t, name) {
			t.Errorf("%s links to %s, which does not exist", name, link)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents < 8 {
		t.Errorf("the repository has only %d documents", documents)
	}
}

// readDocument returns the text of a document, by its path in the repository.
func readDocument(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// brokenLinks returns the relative links of a document that lead nowhere.
func brokenLinks(t *testing.T, document string) (broken []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(readDocument(t, document), -1) {
		if link := match[1]; !strings.Contains(link, "://") && !leadsSomewhere(t, document, link) {
			broken = append(broken, link)
		}
	}
	return broken
}

// leadsSomewhere reports whether a relative link of a document leads to a file
// that exists and, if it names a heading, to that heading.
func leadsSomewhere(t *testing.T, document, link string) bool {
	t.Helper()
	name, heading, _ := strings.Cut(link, "#")
	if name == "" {
		name = document
	} else {
		name = path.Join(path.Dir(document), name)
	}
	if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
		return false
	}
	return heading == "" || slices.Contains(headings(readDocument(t, name)), heading)
}

// headings returns what links call the headings of a Markdown text: in lower case,
// without punctuation, with hyphens for spaces.
func headings(text string) (names []string) {
	for _, match := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
