//go:build linux || darwin || freebsd

package main_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

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
		v.opens("/organizations")
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
			v.wants(`(document.querySelector("#notices [data-dismiss]")?.click(), document.querySelectorAll("#toasts .toast").length)`, 0)
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
		if v.scripts { // two edits at once, of which one is canceled
			v.clicks(`document.querySelector("#notes li:last-child > a")`)
			v.wants(`document.querySelectorAll("li [name=title]").length`, 1)
			v.wants(`(document.querySelector("li [name=title]").value = "Half writ", true)`, true)
			v.clicks(`document.querySelector("#notes li:first-child > a")`)
			v.wants(`document.querySelectorAll("li [name=title]").length`, 2)
			v.clicks(`document.querySelector("#notes li:first-child a")`)
			v.wants(`[document.querySelector("#notes strong").innerText, document.querySelector("li [name=title]").value, document.activeElement === document.querySelector("#notes li")]`, []any{"First bug", "Half writ", true})
			v.clicks(`document.querySelector("#notes li:last-child a")`)
			v.wants(`[...document.querySelectorAll("#notes strong")].map(e => e.innerText)`, []string{"First bug", "Relays"})
		}
		v.clicks(`document.querySelector("#notes .more")`)
		v.clicks(`document.querySelector("#notes form button")`)
		v.agrees("Delete First bug?", "Delete")
		v.wantsToasts("Note deleted")
		v.wants(`[...document.querySelectorAll("#notes strong")].map(e => e.innerText)`, []string{"Relays"})
	})
}

// TestNotesOutliveTheSession ends the session under a note that is half
// written, beside a search and a note that is edited.
func TestNotesOutliveTheSession(t *testing.T) {
	eitherWay(t, func(t *testing.T, scripts bool, database string) {
		s := serve(t, "DATABASE_URL="+database)
		v := s.visitor(t, scripts)
		v.expects("status of 403", "status of 422")
		v.signsUp(apptest.Anna)
		v.opens("/organizations")
		v.fills("name", "Engines")
		v.presses("Create organization")
		v.wantsPage("/o/engines", "Engines")
		v.opens("/o/engines/notes")
		v.fills("title", "First") // or there is no search
		v.fills("body", "Something to search")
		v.presses("Add note")
		v.wantsText("Something to search")
		v.fills("title", "Relays")
		v.fills("body", "There are\n13,000 <of> them")
		if scripts {
			v.marks()
		}
		endSessions(v, database)
		if scripts {
			v.hits(kb.Tab) // checks the text, in silence
			v.wants(checksAsked+` > 0`, true)
			v.wants(`document.querySelector("dialog").open`, false)
			v.wantsToasts()
			v.clicks(`document.querySelector("[name=q]")`)
			v.hits("m") // a search asks, and Escape goes back to the page
			v.wants(`document.querySelector("dialog").open`, true)
			v.hits(kb.Escape)
			v.wants(`document.querySelector("dialog").open`, false)
		}
		v.presses("Add note")
		v.wantsText("Your session has ended. What you typed is still here.")
		v.signsInAgain(apptest.Anna.Username, "not my password")
		v.wantsText(apptest.WrongSignIn)
		v.signsInAgain(apptest.Anna.Username, apptest.Anna.Password)
		v.wantsPage("/o/engines/notes", "Engines notes")
		v.wantsToasts("Note added")
		v.wantsText("13,000 <of> them")
	})
}
