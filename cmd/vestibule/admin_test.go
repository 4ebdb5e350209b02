//go:build linux || darwin || freebsd

package main_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
)

// TestOperatorsDesk opens each of the operator's pages from the side list, and takes each
// action, as somebody would in a browser.
func TestOperatorsDesk(t *testing.T) {
	eachFlow(t, func(f *flow) {
		friend := f.friend()
		friend.signsUp(apptest.Ben)
		f.joins(apptest.Anna)
		f.expects("403 (Forbidden)") // while impersonating
		anna, ben := f.user(apptest.Anna), f.user(apptest.Ben)
		if err := f.db.SetOperator(f.Context(), anna, models.OperatorAdmin); err != nil {
			f.Fatal(err)
		}
		later := &models.Mail{ID: uuid.Must(uuid.NewV7()), Kind: models.MailNewBrowser, Recipient: ben.Email, UserID: ben.ID, Name: ben.FirstName, CreatedAt: time.Now().UTC(), NextAt: time.Now().UTC().Add(apptest.Day)}
		due := *later
		due.ID = uuid.Must(uuid.NewV7())
		for _, m := range []*models.Mail{later, &due} {
			if _, err := f.db.Bun().NewInsert().Model(m).Exec(f.Context()); err != nil {
				f.Fatal(err)
			}
		}
		f.opens("/admin")
		for _, page := range []string{"People", "Organizations", "Sessions", "Invitations", "Throttles", "Audit log", "Mail", "Tables", "Overview"} {
			f.clicks(fmt.Sprintf(`[...document.querySelectorAll("main nav a")].find(e => e.innerText.trim() === %q)`, page))
			f.wantsHeading(page)
		}

		person := "/admin/people/" + ben.ID.String()
		acts := func(path, button, toast string) {
			f.Helper()
			f.opens(path)
			f.presses(button)
			f.wantsErrors(sentences{"reason": "Enter the reason."})
			f.fills("reason", "Ticket 4711")
			f.presses(button)
			f.wantsToasts(toast)
		}
		agrees := func(path, button, question, toast string) { // to what takes something away
			f.Helper()
			f.opens(path)
			f.fills("reason", "Ticket 4711")
			f.presses(button)
			f.agrees(question, button)
			f.wantsToasts(toast)
		}
		const did = "Done and recorded"
		acts(person+"/send-reset", "Send reset link", did)
		acts(person+"/unlock", "Lift throttles", did)

		friend.founds("Acme")
		friend.opens("/o/acme/invitations")
		friend.fills("email", "carla@example.com")
		friend.presses("Send invitation")
		friend.wantsToasts("Invitation sent")
		f.opens("/admin/invitations")
		agrees(f.leadsTo(`a[href$="/revoke"]`), "Revoke invitation", "Revoke the invitation?", did)
		f.opens("/admin/organizations")
		f.follows("Acme")
		f.wantsHeading("Acme")

		// Anna works there, too, and Carla has not confirmed her address.
		membership, err := f.db.MembershipBySlug(f.Context(), "acme", ben.ID)
		if err != nil {
			f.Fatal(err)
		}
		roles, err := f.db.Roles(f.Context(), membership.OrganizationID)
		if err != nil {
			f.Fatal(err)
		}
		carla := f.friend()
		carla.signsUp(apptest.Nth(4))
		f.mailed(apptest.Nth(4).Email, "Confirm your email address")
		fourth := f.user(apptest.Nth(4))
		joined := &models.Membership{ID: uuid.Must(uuid.NewV7()), OrganizationID: membership.OrganizationID, UserID: fourth.ID, RoleID: roles[len(roles)-1].ID, CreatedAt: time.Now().UTC()}
		if _, err := f.db.Bun().NewInsert().Model(joined).Exec(f.Context()); err != nil {
			f.Fatal(err)
		}
		if _, err := f.db.Bun().ExecContext(f.Context(), "UPDATE tokens SET created_at = ?", time.Now().UTC().Add(-time.Hour)); err != nil {
			f.Fatal(err)
		}
		for range 2 {
			_ = f.db.Attempt(f.Context(), "sign-in from 192.0.2.7", models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: apptest.Day})
		}
		acts("/admin/people/"+fourth.ID.String()+"/send-confirmation", "Send confirmation link", did)
		acts("/admin/organizations/"+membership.OrganizationID.String()+"/transfer?member="+joined.ID.String(), "Transfer ownership", did)
		if _, err := f.db.Bun().NewUpdate().Model(joined).WherePK().Set("role_id = ?", joined.RoleID).Exec(f.Context()); err != nil {
			f.Fatal(err)
		}
		acts("/admin/people/"+fourth.ID.String()+"/own", "Make owner", did)
		f.opens(person + "/export")
		f.fills("reason", "Ticket 4711")
		f.presses("Download data")
		if !waitFor(func() bool {
			events, err := f.db.Events(f.Context(), ben.ID, models.EventFilter{Kinds: []string{models.EventExported}}, uuid.Nil, 1)
			return err == nil && len(events) == 1
		}) {
			f.Error("the download is not recorded")
		}
		f.opens("/admin/throttles")
		acts(f.leadsTo(`a[href$="/lift"]`), "Lift throttle", did)

		f.opens(person + "/impersonate")
		f.fills("reason", "Ticket 4711")
		f.presses("Start impersonation")
		f.wantsPage("/dashboard", "Dashboard")
		f.wantsText("You're impersonating Ben Jones, read-only.")
		f.opens("/account")
		f.fills("last_name", "Evil")
		f.presses("Save changes")
		f.wantsText("so nothing was changed")
		f.opens("/dashboard")
		f.clicks(`document.querySelector("aside.impersonation button")`)
		f.wantsHeading("Ben Jones")

		acts("/admin/mail/"+due.ID.String()+"/retry", "Send now", "Mail due now")
		agrees("/admin/mail/"+later.ID.String()+"/drop", "Drop mail", "Drop the mail?", "Mail dropped")
		f.opens("/admin/sessions?user=" + ben.ID.String())
		acts(f.leadsTo(`a[href$="/end"]`), "End session", did)
		friend.opens("/account")
		friend.wantsPage("/sign-in?next=%2Faccount", "Sign in")
		friend.signsIn(apptest.Ben.Username, apptest.Ben.Password)
		friend.wantsPage("/account", "Profile")
		f.opens("/admin/tables/sessions?column=user_id&value=" + ben.ID.String())
		agrees(f.leadsTo(`a[href^="/admin/tables/sessions/"][href$="/delete"]`), "Delete session", "Delete the session?", "Session deleted")
		friend.opens("/account")
		friend.wantsPage("/sign-in?next=%2Faccount", "Sign in")

		f.opens(person + "/email")
		f.fills("email", "ben@example.org")
		f.fills("reason", "Ticket 4711")
		f.presses("Send link to new address")
		f.wantsToasts(did)
		f.opens(person + "/own")
		f.wantsText("They're in no organization that they don't own already.")
		acts(person+"/end-sessions", "End sessions", did)
		agrees(person+"/reset-factors", "Remove factors", "Remove every second factor of Ben Jones?", did)
		agrees(person+"/disable", "Disable account", "Disable the account of Ben Jones?", did)
		acts(person+"/enable", "Enable account", did)
		f.opens("/admin/organizations")
		f.follows("Acme")
		f.follows("Delete the organization")
		f.fills("reason", "Ticket 4711")
		f.presses("Delete organization")
		f.agrees("Delete the organization?", "Delete organization")
		f.wantsToasts(did)
		agrees(person+"/delete", "Delete account", "Delete the account of Ben Jones?", did)
		f.wantsHeading("People")
		f.opens("/admin/audit")
		f.wantsText("Account deleted")
	}, "ADMIN_SECOND_FACTOR=off")
}

// user reads somebody from the database.
func (f *flow) user(p apptest.Person) *models.User {
	f.Helper()
	u, err := f.db.UserByLogin(f.Context(), p.Username)
	if err != nil {
		f.Fatal(err)
	}
	return u
}
