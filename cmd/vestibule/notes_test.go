//go:build linux || darwin || freebsd

package main_test

import (
	"strings"
	"testing"

	"vestibule/app/apptest"
)

func init() {
	pagesForMembers = append(pagesForMembers, "/o/acme/notes")
	makesForMembers = append(makesForMembers, (*visitor).makesOneOfNotes)
}

func (v *visitor) makesOneOfNotes() []string {
	v.Helper()
	v.opens("/o/acme/notes")
	v.fills("title", strings.Repeat("W", 100))
	v.fills("body", strings.Repeat("W", 1000))
	v.presses("Add note")
	return []string{v.leadsTo("#notes li > a"), "/o/acme/notes"}
}

func TestNotes(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		v.follows("Organizations")
		v.fills("name", "Engines")
		v.presses("Create organization")
		v.wantsPage("/o/engines", "Engines")
		v.follows("Notes")
		v.wantsPage("/o/engines/notes", "Engines notes")
		v.presses("Add note")
		v.wantsText("Enter a title.")
		v.fills("title", "Relays")
		v.fills("body", "There are 13,000")
		v.presses("Add note")
		v.wantsText("There are 13,000")
		v.fills("title", "Bug")
		v.fills("body", "A moth in relay 70")
		v.presses("Add note")
		v.wantsToasts("Note added")
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
		v.wantsToasts("Note saved")
		if v.scripts { // in the row, and not at the button that deletes the next one
			v.wants(`document.activeElement === document.querySelector("#notes li")`, true)
		}
		v.clicks(`document.querySelector("#notes form button")`)
		v.wantsToasts("Note deleted")
		v.wants(`[...document.querySelectorAll("#notes strong")].map(e => e.innerText)`, []string{"Relays"})
	})
}
