//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"vestibule/app/apptest"
)

// follows the link in the newest mail, as soon as it has come.
func (v *visitor) followsMail(subject string) {
	v.Helper()
	link := fmt.Sprintf(`[...document.querySelectorAll("article.mail")].find(e => e.querySelector("h2").innerText === %q)?.querySelector("pre a")?.href ?? ""`, subject)
	var to any
	if !waitFor(func() bool {
		v.opens("/dev/mail")
		to, _ = v.evaluate(link)
		return to != "" && to != nil
	}) {
		v.Fatalf("there is no mail %q\n%s", subject, v.describePage())
	}
	v.opens(to.(string)[len(v.site.url):])
}

// invitationBy is the subject of the mail by which p invites somebody.
func invitationBy(p apptest.Person) string {
	inviter := []rune(p.First + " " + p.Last)
	if len(inviter) > 40 { // which the subject does not hold
		inviter = append(inviter[:39], '…')
	}
	return string(inviter) + " invited you to Vestibule"
}

// confirms opens the link that sign-up has mailed.
func (v *visitor) confirms() {
	v.Helper()
	v.followsMail("Confirm your email address")
	v.presses("Confirm")
	v.wantsPage("/dashboard", "Dashboard")
}

// pagesForMembers are those of the organization that founds makes. The tests of a
// feature add its own pages.
var pagesForMembers = []string{
	"/organizations", "/o/acme", "/o/acme/members", "/o/acme/invitations", "/o/acme/roles", "/o/acme/activity",
	"/o/acme/settings", "/o/acme/security", "/o/acme/transfer", "/o/acme/dissolve",
}

// makesForMembers each make one thing in that organization, and return the pages
// that show it. The tests of a feature add its own things.
var makesForMembers = []func(*visitor) []string{
	(*visitor).makesRole,
}

func (v *visitor) makesRole() []string {
	v.Helper()
	v.opens("/o/acme/roles")
	v.fills("name", strings.Repeat("W", 40))
	v.hits(kb.Enter)
	return []string{v.leadsTo(".rows a"), "/o/acme/roles"}
}

// founds makes an organization at the address acme.
func (v *visitor) founds(name string) {
	v.Helper()
	v.opens("/organizations")
	v.fills("name", name)
	v.fills("slug", "acme")
	v.presses("Create organization")
	v.wantsPage("/o/acme", name)
}

// chooses an option by its words.
func (v *visitor) chooses(selector, option string) {
	v.Helper()
	v.wants(fmt.Sprintf(`(select => {
		const option = [...(select?.options ?? [])].find(o => o.label === %q);
		if (option && !option.selected) {
			option.selected = true;
			for (const type of ["input", "change"]) select.dispatchEvent(new Event(type, {bubbles: true}));
		}
		return select?.selectedOptions[0].label;
	})(document.querySelector(%q))`, option, selector), option)
}

// TestOrganization goes from founding an organization to working in it together.
func TestOrganization(t *testing.T) {
	eachVisitorEitherWay(t, func(v *visitor) {
		v.expects("status of 409")
		v.signsUp(apptest.Anna)
		v.confirms()
		v.opens("/organizations")
		v.wantsPage("/organizations", "Organizations")
		v.fills("name", "Difference Engines")
		if v.scripts {
			v.fills("slug", "")
			v.wantsValue("slug", "difference-engines") // proposed
		}
		v.presses("Create organization")
		v.wantsPage("/o/difference-engines", "Difference Engines")
		v.wantsToasts("Organization created")

		v.follows("Invitations")
		v.fills("email", apptest.Ben.Email)
		v.presses("Send invitation")
		v.wantsToasts("Invitation sent")
		v.wantsText(apptest.Ben.Email)

		guest := v.site.visitor(v.T, v.scripts)
		guest.followsMail(invitationBy(apptest.Anna))
		guest.wantsHeading("Join Difference Engines")
		guest.follows("Create an account")
		guest.wantsValue("email", apptest.Ben.Email)
		guest.fillsIn(apptest.Ben)
		guest.presses("Sign up")
		guest.wantsHeading("Join Difference Engines")
		guest.presses("Join")
		guest.wantsPage("/o/difference-engines", "Difference Engines")
		guest.wantsToasts("Invitation accepted")
		guest.wants(`[...document.querySelectorAll("main .side a")].some(e => e.innerText.trim() === "Invitations")`, false)

		v.follows("Members")
		v.wantsPage("/o/difference-engines/members", "Members of Difference Engines")
		v.wants(`[...document.querySelectorAll("#members strong")].map(e => e.innerText)`, []string{"Anna Smith", "Ben Jones"})
		v.wants(`(e => { e.focus(); return document.activeElement === e; })(document.querySelector("[type=search]"))`, true)
		v.hits("jon")
		if !v.scripts {
			v.hits("\r")
		}
		v.wants(`[...document.querySelectorAll("#members strong")].map(e => e.innerText)`, []string{"Ben Jones"})
		v.wants(`document.querySelector("[role=status]#finds").innerText`, map[bool]string{true: "1 result."}[v.scripts])
		v.wants(`new URLSearchParams(location.search).get("q")`, "jon") // the last search has ended
		v.choosesRole("Admin")
		v.wantsToasts("Role changed")
		if v.scripts {
			v.wants(`document.activeElement === document.querySelector("#members select")`, true)
		}
		guest.reloads()
		guest.follows("Invitations")
		guest.wantsHeading("Invitations")

		// From one organization to another, and back.
		guest.opens("/organizations")
		guest.fills("name", "Compilers")
		guest.presses("Create organization")
		guest.wantsPage("/o/compilers", "Compilers")
		guest.clicks(`document.querySelector("[popovertarget=switcher]")`)
		if !guest.scripts {
			guest.follows("All organizations")
		}
		guest.follows("Difference Engines")
		guest.wantsPage("/o/difference-engines", "Difference Engines")

		v.opens("/o/difference-engines/members")
		v.choosesRole("Member")
		v.wantsText("Make someone else an owner first")
	})
}

// choosesRole changes the role of the first member. A script saves it at once.
func (v *visitor) choosesRole(role string) {
	v.Helper()
	v.chooses("#members select", role)
	if !v.scripts {
		v.clicks(`document.querySelector('#members form[action$="/role"] button')`)
	}
}

// TestOwnersGiveThePassword presses buttons that have no place of their own for the
// page that asks.
func TestOwnersGiveThePassword(t *testing.T) {
	eachFlow(t, func(f *flow) {
		f.joins(apptest.Anna)
		f.founds("Difference Engines")
		f.opens("/o/acme/invitations")
		f.fills("email", apptest.Ben.Email)
		f.chooses("#invite select", "Owner")
		f.presses("Send invitation")
		f.wantsToasts("Invitation sent")
		f.ages()
		f.expects("status of 403")
		f.clicks(`document.querySelector('form[action$="/resend"] button')`)
		f.wantsHeading("Confirm it's you")
		f.fills("current_password", apptest.Anna.Password)
		f.presses("Continue")
		f.wantsPage("/o/acme/invitations", "Invitations to Difference Engines")
		f.wantsToasts("Invitation sent")
		f.wantsText(apptest.Ben.Email)

		f.ages()
		f.opens("/o/acme/members")
		f.presses("Leave organization")
		f.agrees("Leave Difference Engines?", "Leave organization")
		f.wantsHeading("Confirm it's you")
		f.fills("current_password", apptest.Anna.Password)
		f.expects("status of 409")
		f.presses("Continue")
		f.wantsText("Make someone else an owner first")
	})
}
