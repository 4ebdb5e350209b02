//go:build linux || darwin || freebsd

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestNotes(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.signsUp(ada)
		v.follows("Organizations")
		v.fills("name", "Engines")
		v.presses("Create organization")
		v.wantsPage("/o/engines", "Engines")
		v.follows("Notes")
		v.wantsPage("/o/engines/notes", "Notes of Engines")
		v.presses("Add note")
		v.wantsText("Enter a title.")
		v.fills("title", "Relays")
		v.fills("body", "There are 13,000")
		v.presses("Add note")
		v.wantsText("There are 13,000")
		v.fills("title", "Bug")
		v.fills("body", "A moth in relay 70")
		v.presses("Add note")
		v.wantsToasts("Your changes are saved.")
		v.wantsText("A moth in relay 70")
		if v.scripts { // else the link leads to a page
			v.presses("Dismiss")
			v.wantsToasts()
			v.wants(`document.querySelector("#notes li > a")?.dataset.htmxPowered`, "true")
		}
		v.clicks(`document.querySelector("#notes li > a")`)
		v.wants(`document.querySelectorAll("li [name=title]").length`, 1)
		id, err := v.evaluate(`document.querySelector("li [name=title]").id`)
		if err != nil {
			v.Fatal(err)
		}
		v.fills(id.(string), "")
		v.presses("Save note")
		v.wantsText("Enter a title.")
		v.fills(id.(string), "First bug")
		v.presses("Save note")
		v.wants(`[...document.querySelectorAll("#notes strong")].map(e => e.innerText)`, []string{"First bug", "Relays"})
		v.wantsToasts("Your changes are saved.")
		if v.scripts { // in the row, and not at the button that deletes the next one
			v.wants(`document.activeElement === document.querySelector("#notes li")`, true)
		}
		v.clicks(`document.querySelector("#notes form button")`)
		v.wantsToasts("It is deleted.")
		v.wants(`[...document.querySelectorAll("#notes strong")].map(e => e.innerText)`, []string{"Relays"})
	})
}

// TestRemoveNotes follows README's "Remove the example" in a copy of the
// repository, whose tests and program are to build afterwards.
func TestRemoveNotes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?s)```sh\n(rm app/notes.*?)```").FindSubmatch(readme)
	if commands == nil {
		t.Fatal("README does not say how to remove the notes")
	}
	copied := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = copied
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	for _, file := range []string{"app", "assets", "cmd", "migrations", "models", "templates", "go.mod", "go.sum"} {
		from, err := filepath.Abs(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		run("cp", "-r", from, ".")
	}
	run("sh", "-e", "-c", string(commands[1]))
	run("go", "vet", "./...")
	for _, command := range [][]string{{"gofmt", "-l", "."}, {"sh", "-c", "grep -rniE 'write-?notes|newnote|/notes|create_notes|models\\.note' --include=* . || true"}} {
		if out := run(command[0], command[1:]...); out != "" {
			t.Errorf("%v says %s", command, out)
		}
	}
}
