//go:build linux || darwin || freebsd

package main_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
)

// TestOperatorManagesOrganizations lists, shows, transfers and deletes one.
func TestOperatorManagesOrganizations(t *testing.T) {
	eachOperator(t, func(o *operator) {
		s := apptest.NewCompany(o.T, o.db)
		s.AddMember("charlotte", "Member")
		o.creates("stranger", "stranger@example.com", "Sam", "Strange")
		listed := readJSON[[]object](o, o.does("organizations", "list", "--json", "--search=ACM"))
		if len(listed) != 1 || listed[0]["address"] != "acme" || listed[0]["members"] != 2.0 {
			o.Errorf("listed are %v", listed)
		}
		wantEqual(o.T, "none", o.does("organizations", "list", "--json", "--search=nothing"), "[]\n")
		wantEqual(o.T, "table", cellsOf(o.does("organizations", "list"))[1][:3], []string{"acme", "Acme", "2"})
		shown := readJSON[object](o, o.does("organizations", "show", "acme", "--json"))
		wantEqual(o.T, "members", fieldsOf([]object{shown["member_list"].([]any)[0].(object), shown["member_list"].([]any)[1].(object)}, "role"), []string{"Owner", "Member"})
		if text := o.does("organizations", "show", "acme"); !strings.Contains(text, "Owner                anna.smith (Anna Smith) since ") {
			o.Errorf("shown is\n%s", text)
		}

		role := func(username string) models.RoleKind { o.Helper(); return s.Membership(username).Role.Kind }
		anna := apptest.Anna.Username
		o.fails("stranger is disabled or no member of the organization Acme (acme): nothing was done", "", "organizations", "transfer", "acme", "stranger")
		o.fails("charlotte is no owner of Acme (acme): nothing was done", "", "organizations", "transfer", "acme", anna, "--from=charlotte")
		o.fails("--from must be another owner than the new one", "", "organizations", "transfer", "acme", anna, "--from="+anna)
		wantEqual(o.T, "transfer", o.does("organizations", "transfer", "acme", "charlotte", "--as=Olga"), "Made charlotte an owner of Acme (acme)\n")
		wantEqual(o.T, "roles", []models.RoleKind{role("charlotte"), role(anna)}, []models.RoleKind{models.RoleOwner, models.RoleOwner})
		o.does("organizations", "transfer", "acme", "charlotte", "--from="+anna)
		wantEqual(o.T, "roles", []models.RoleKind{role("charlotte"), role(anna)}, []models.RoleKind{models.RoleOwner, models.RoleAdmin})
		row := readJSON[[]object](o, o.does("audit", "--kind=ownership-transferred", "--json"))[1]
		wantEqual(o.T, "event", []any{row["username"], row["detail"]}, []any{"charlotte", object{"organization": "Acme", "operator": "Olga"}})

		o.fails("deleting an organization can't be undone: run it on a terminal to confirm, or pass --yes", "acme\n", "organizations", "delete", "acme")
		wantEqual(o.T, "delete", o.does("organizations", "delete", "acme", "--yes"), "Deleted Acme (acme)\n")
		if _, err := o.db.OrganizationBySlug(o.Context(), "acme"); !errors.Is(err, models.ErrNotFound) {
			o.Errorf("the organization stays (%v)", err)
		}
		wantEqual(o.T, "event", fieldsOf(readJSON[[]object](o, o.does("audit", "--json"))[:1], "kind"), []string{"organization-deleted"})
		for _, command := range []string{"show", "delete"} {
			o.fails("no organization acme", "", "organizations", command, "acme")
		}
	})
}

// TestOperatorManagesMail lists, shows, hurries and drops what waits, and sends a test.
func TestOperatorManagesMail(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.types(oldPassword, "users", "create", "--username=benjamin", "--email=ben@example.com", "--first-name=Ben", "--last-name=Jones")
		m, err := o.db.ClaimMail(o.Context(), models.MailFilter{})
		if err != nil {
			o.Fatal(err)
		}
		if again, err := o.db.RetryMail(o.Context(), m, "421 later"); !again || err != nil {
			o.Fatal(again, err)
		}
		id := m.ID.String()
		listed := readJSON[[]object](o, o.does("mail", "list", "ben@example.com", "--json"))
		wantEqual(o.T, "list", listed, []object{{"id": id, "kind": "verify-email", "user_id": o.user("benjamin").ID.String(), "username": "benjamin",
			"recipient": "ben@example.com", "attempts": 1, "created_at": listed[0]["created_at"], "next_at": listed[0]["next_at"]}})
		wantEqual(o.T, "table", cellsOf(o.does("mails", "list"))[1][1:5], []string{"verify-email", "benjamin", "ben@example.com", "1"})

		shown := readJSON[object](o, o.does("mail", "show", id, "--json"))
		if shown["subject"] != apptest.VerifySubject || !strings.Contains(shown["text"].(string), "/verify-email?token=…") {
			o.Errorf("shown is %v", shown)
		}
		if text := o.does("mail", "show", id); !strings.Contains(text, "/verify-email?token=…\n") || !strings.Contains(text, apptest.VerifySubject) {
			o.Errorf("shown is\n%s", text)
		}
		if n, err := o.db.Bun().NewSelect().Model((*models.Token)(nil)).Count(o.Context()); n != 0 || err != nil {
			o.Errorf("looking at a mail made %d tokens (%v)", n, err)
		}
		wantEqual(o.T, "retry", o.does("mail", "retry", id), "The mail "+id+" is due now\n")
		if due, err := o.db.ClaimMail(o.Context(), models.MailFilter{}); err != nil || due.ID != m.ID {
			o.Errorf("due is %+v (%v)", due, err)
		}
		wantEqual(o.T, "drop", o.does("mail", "drop", id, "--as=Olga"), "Dropped the mail "+id+"\n")
		wantEqual(o.T, "left", o.does("mail", "list", "--json"), "[]\n")
		events := readJSON[[]object](o, o.does("audit", "benjamin", "--json"))
		wantEqual(o.T, "events", fieldsOf(events[:2], "kind"), []string{"mail-dropped", "mail-retried"})
		wantEqual(o.T, "detail", events[0]["detail"], any(object{"mail": "verify-email", "operator": "Olga"}))

		refused := &models.Mail{ID: uuid.New(), Kind: models.MailInvitation, Recipient: "eve@example.com"}
		if err := o.db.RefuseMail(o.Context(), refused, "550 5.1.1 no such user"); err != nil {
			o.Fatal(err)
		}
		if text := o.does("mail", "show", refused.ID.String()); !strings.Contains(text, "550 5.1.1 no such user") {
			o.Errorf("shown is\n%s", text)
		}
		if err := o.db.QueueMail(o.Context(), models.Mail{Kind: "birthday", Recipient: "eve@example.com"}); err != nil {
			o.Fatal(err)
		}
		later := readJSON[[]object](o, o.does("mail", "list", "--json"))[0]["id"].(string)
		if text := o.does("mail", "show", later); !strings.Contains(text, "birthday") || !strings.Contains(text, "This version doesn't know mail of this kind.") {
			o.Errorf("shown is\n%s", text)
		}
		o.fails("no mail "+refused.ID.String()+" waits: it was sent, dropped or refused", "", "mail", "retry", refused.ID.String())
		o.does("mail", "drop", refused.ID.String())
		for _, command := range []string{"show", "drop"} {
			o.fails("no mail "+id+" waits or was refused", "", "mail", command, id)
			o.fails("first is not the ID of a mail: run vestibule mail list to find it", "", "mail", command, "first")
		}
		o.fails("SMTP_URL is not set: there is no mail server to test", "", "mail", "test", "ben@example.com")

		office := apptest.StartMailServer(o.T)
		cmd := o.command("mail", "test", "ben@example.com")
		cmd.Env = append(cmd.Env, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "The mail server accepted the mail\n" || len(office.To("ben@example.com", "Test mail")) != 1 {
			o.Errorf("%v\n%s", err, out)
		}
	})
}

// TestOperatorListsThrottles lists who must wait, though the database doesn't say whom.
func TestOperatorListsThrottles(t *testing.T) {
	eachOperator(t, func(o *operator) {
		s := apptest.NewSite(o.T, o.db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
			c.LimitAddress = c.LimitAccount
		})
		o.creates(apptest.Ben.Username, apptest.Ben.Email, apptest.Ben.First, apptest.Ben.Last)
		s.Post("/sign-in", apptest.Credentials(apptest.Ben.Email, "not the password")).Wants(http.StatusUnprocessableEntity)
		limits := func(args ...string) []string {
			o.Helper()
			return fieldsOf(readJSON[[]object](o, o.does(append([]string{"throttles", "list", "--json"}, args...)...)), "limit")
		}
		if all := limits(); len(all) != 2 {
			o.Errorf("listed are %v", all)
		}
		wantEqual(o.T, "of a user", limits(apptest.Ben.Username), []string{"password"})
		wantEqual(o.T, "of an address", limits("127.0.0.1"), []string{"sign-in"})
		wantEqual(o.T, "of another", limits("2001:db8::1"), []string(nil))
		wantEqual(o.T, "table", cellsOf(o.does("throttles", "list", "127.0.0.1"))[1][:2], []string{"sign-in", "1"})
		o.fails("no user nobody", "", "throttles", "list", "nobody")
	})
}
