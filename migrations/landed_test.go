package migrations_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "add new migrations to the list of those that landed")

// TestLandedMigrationsStay compares each file with the list of those that landed. A
// migration that landed has run on somebody's database, and is never changed or renumbered.
func TestLandedMigrationsStay(t *testing.T) {
	t.Parallel()
	const list = "testdata/landed.sha256" // sha256sum -c reads it too
	landed := map[string]string{}
	content, err := os.ReadFile(list)
	if err != nil && !*update {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		landed[file] = sum
	}
	files, err := filepath.Glob("*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")))
		sum := hex.EncodeToString(hash[:])
		switch {
		case landed[file] == "" && *update:
			landed[file] = sum
		case landed[file] == "":
			t.Errorf("%s is new: run go test ./migrations -run %s -update once it is done", file, t.Name())
		case landed[file] != sum:
			t.Errorf("%s has landed and was changed: restore it, and write another migration", file)
		}
	}
	for file := range landed {
		if !slices.Contains(files, file) {
			t.Errorf("%s has landed and is gone or has another name", file)
		}
	}
	if *update && !t.Failed() {
		var lines strings.Builder
		for _, file := range slices.Sorted(maps.Keys(landed)) {
			fmt.Fprintf(&lines, "%s  %s\n", landed[file], file)
		}
		if err := os.WriteFile(list, []byte(lines.String()), 0o644); err != nil { // #nosec G306 -- source code
			t.Fatal(err)
		}
	}
}
