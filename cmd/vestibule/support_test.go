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

// TestOperatorHelpsSomeoneWhoMustWait looks for what makes a person wait, and lifts it.
func TestOperatorHelpsSomeoneWhoMustWait(t *testing.T) {
	eachOperator(t, func(o *operator) {
		s := apptest.NewSite(o.T, o.db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
			c.LimitAddress = models.Limit{Free: 3, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
		})
		o.creates(apptest.Ben.Username, apptest.Ben.Email, apptest.Ben.First, apptest.Ben.Last)
		ben := o.user(apptest.Ben.Username)
		guess := func(login string, status int) {
			o.Helper()
			s.Post("/sign-in", apptest.Credentials(login, "not the password")).Wants(status)
		}
		guess(ben.Email, http.StatusUnprocessableEntity)
		for range 3 {
			guess(ben.Username, http.StatusTooManyRequests)
		}
		lines := s.Logged("throttled")
		for _, line := range lines {
			if line["limit"] != "password" || line["account"] != ben.ID.String() || line["wait_ms"].(float64) > 3.6e6 || line["wait_ms"].(float64) < 3e6 {
				o.Errorf("the log says %v", line)
			}
		}
		if len(lines) != 3 {
			o.Errorf("the log says %v", lines)
		}
		events := func(kind string) []string {
			o.Helper()
			return fieldsOf(readJSON[[]object](o, o.does("audit", ben.Username, "--kind="+kind, "--json")), "ip")
		}
		wantEqual(o.T, "throttled events", events("throttled"), []string{"127.0.0.1"})
		shown := readJSON[object](o, o.does("users", "show", ben.Email, "--json"))["throttles"].([]any)
		if len(shown) != 1 || shown[0].(object)["limit"] != "password" || shown[0].(object)["attempts"] != 1.0 {
			o.Errorf("shown are %v", shown)
		}
		if text := o.does("users", "show", ben.Email); !strings.Contains(text, "password: wait until ") {
			o.Errorf("shown is\n%s", text)
		}

		wantEqual(o.T, "unlock", o.does("users", "unlock", ben.Email), "Unlocked benjamin\n")
		wantEqual(o.T, "unlocked events", events("unlocked"), []string{""})
		s.Visit(o.T).Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")

		// By address, whatever the account.
		guess("nobody.1", http.StatusUnprocessableEntity)
		guess("nobody.2", http.StatusUnprocessableEntity)
		guess(ben.Username, http.StatusTooManyRequests)
		if line := s.Logged("throttled")[3]; line["limit"] != "sign-in" || line["address"] != "127.0.0.1" {
			o.Errorf("the log says %v", line)
		}
		wantEqual(o.T, "throttled events", len(events("throttled")), 2)
		o.fails("that isn't an IP address, such as 203.0.113.5", "", "throttles", "clear", ben.Username)
		wantEqual(o.T, "clear of another", o.does("throttles", "clear", "2001:db8:1:2::3"), "No attempts from 2001:db8:1:2::/64 were counted\n")
		wantEqual(o.T, "clear", o.does("throttles", "clear", "127.0.0.1"), "Forgot the attempts from 127.0.0.1\n")
		s.Visit(o.T).Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
	})
}

// TestOperatorRemovesTheLastOwner disables and deletes the owner of an organization with
// other members.
func TestOperatorRemovesTheLastOwner(t *testing.T) {
	eachOperator(t, func(o *operator) {
		s := apptest.NewCompany(o.T, o.db)
		s.AddMember("charlotte", "Member")
		s.AddMember("dorothea", "Member")
		o.creates("stranger", "stranger@example.com", "Sam", "Strange")
		role := func(username string) models.RoleKind { o.Helper(); return s.Membership(username).Role.Kind }
		anna := apptest.Anna.Username

		wantEqual(o.T, "disable", o.does("users", "disable", anna), "Disabled anna.smith and ended their sessions\n"+
			"No owner can sign in to Acme (acme): run users disable anna.smith --transfer-to LOGIN to name another\n")
		since := o.user(anna).DisabledAt
		o.fails("stranger is disabled or no member of the organization Acme (acme): nothing was done", "", "users", "disable", anna, "--transfer-to=stranger")
		o.fails("no user nobody", "", "users", "disable", anna, "--transfer-to=nobody")
		wantEqual(o.T, "disable again", o.does("users", "disable", anna, "--transfer-to=charlotte"),
			"anna.smith has been disabled since "+since.Format(time.DateTime)+" UTC\nTransferred Acme (acme)\n")
		wantEqual(o.T, "role", role("charlotte"), models.RoleOwner)
		wantEqual(o.T, "delete of a former owner", o.does("users", "delete", anna, "--yes"), "Deleted anna.smith\n")

		o.fails("charlotte is the last owner of Acme (acme), which other members use: pass --transfer-to LOGIN to make one of them the owner, or --delete-organizations",
			"", "users", "delete", "charlotte", "--yes")
		o.fails("charlotte is disabled or no member of the organization Acme (acme): nothing was done", "", "users", "delete", "charlotte", "--yes", "--transfer-to=charlotte")
		wantEqual(o.T, "delete", o.does("users", "delete", "charlotte", "--yes", "--transfer-to=dorothea"), "Deleted charlotte\nTransferred Acme (acme)\n")
		wantEqual(o.T, "role", role("dorothea"), models.RoleOwner)

		s.First = s.Membership("dorothea")
		s.Admit("stranger", "Member")
		o.does("users", "delete", "dorothea", "--yes", "--delete-organizations")
		if _, err := o.db.MembershipBySlug(o.Context(), "acme", o.user("stranger").ID); !errors.Is(err, models.ErrNotFound) {
			o.Errorf("the organization stays (%v)", err)
		}
		kinds := fieldsOf(readJSON[[]object](o, o.does("audit", "--json")), "kind")
		wantEqual(o.T, "events", kinds[:5], []string{"deleted", "organization-deleted", "deleted", "ownership-transferred", "deleted"})
	})
}

// TestOperatorReadsRefusedMail lists what the mail server refused, and for whom.
func TestOperatorReadsRefusedMail(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.types(oldPassword, "users", "create", "--username=benjamin", "--email=ben@example.com", "--first-name=Ben", "--last-name=Jones")
		m, err := o.db.ClaimMail(o.Context(), models.MailFilter{})
		if err != nil {
			o.Fatal(err)
		}
		if err := o.db.RefuseMail(o.Context(), m, "550 5.1.1 no such user"); err != nil {
			o.Fatal(err)
		}
		if err := o.db.RefuseMail(o.Context(), &models.Mail{ID: uuid.New(), Kind: models.MailInvitation, Recipient: "eve@example.com"}, "given up"); err != nil {
			o.Fatal(err)
		}
		listed := readJSON[[]object](o, o.does("mail", "refused", "ben@example.com", "--json"))
		wantEqual(o.T, "JSON", listed, []object{{"id": m.ID.String(), "kind": "verify-email", "user_id": o.user("benjamin").ID.String(), "username": "benjamin",
			"recipient": "ben@example.com", "reason": "550 5.1.1 no such user", "attempts": 1, "created_at": listed[0]["created_at"], "refused_at": listed[0]["refused_at"]}})
		if table := cellsOf(o.does("mail", "refused")); len(table) != 3 {
			o.Errorf("listed are %q", table)
		}
		if text := o.does("users", "show", "benjamin"); !strings.Contains(text, "1 in the last 30 days; see mail refused") {
			o.Errorf("shown is\n%s", text)
		}
	})
}
