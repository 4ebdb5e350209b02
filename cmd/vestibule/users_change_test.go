//go:build linux || darwin || freebsd

package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
)

// mailTo returns the kinds of the mail that waits for an address.
func (o *operator) mailTo(address string) (kinds []string) {
	o.Helper()
	for _, row := range readJSON[[]object](o, o.does("mail", "list", "--json")) {
		if row["recipient"] == address {
			kinds = append(kinds, row["kind"].(string))
		}
	}
	return kinds
}

// TestAuditNamesBoth wants the audit log to name the operator and the person whom they
// impersonated.
func TestAuditNamesBoth(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		o.creates("olga.ops", "olga@example.com", "Olga", "Ops")
		anna, olga := o.user("anna.smith").ID, o.user("olga.ops").ID
		e := models.Event{Kind: models.EventProfileChanged, UserID: anna, ActorID: anna, OperatorID: olga, OperatorRole: models.OperatorAdmin, IP: "192.0.2.1"}
		if err := o.db.Record(o.Context(), e); err != nil {
			o.Fatal(err)
		}
		wantEqual(o.T, "by", cellsOf(o.does("audit", "anna.smith"))[1][3], "(operator olga.ops as anna.smith)")
		row := readJSON[[]object](o, o.does("audit", "--kind=profile-changed", "--json"))[0]
		wantEqual(o.T, "JSON", []any{row["actor_id"], row["operator_id"], row["operator_role"]}, []any{anna.String(), olga.String(), "admin"})
		begun := models.Event{Kind: models.EventImpersonationBegun, UserID: anna, ActorID: olga, OperatorRole: models.OperatorAdmin, IP: "192.0.2.1"}
		if err := o.db.Record(o.Context(), begun); err != nil {
			o.Fatal(err)
		}
		wantEqual(o.T, "by", cellsOf(o.does("audit", "--kind=impersonation-begun"))[1][3], "(operator olga.ops)")
	})
}

// TestOperatorNamesThemselves wants the name in the audit log of operators alone.
func TestOperatorNamesThemselves(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		o.does("users", "disable", "anna.smith", "--as", " Olga\u200b Ops ")
		o.does("users", "enable", "anna.smith")
		wantEqual(o.T, "by", []string{cellsOf(o.does("audit"))[1][3], cellsOf(o.does("audit"))[2][3]}, []string{"(operator)", "(operator Olga Ops)"})
		row := readJSON[[]object](o, o.does("audit", "--kind=disabled", "--json"))[0]
		wantEqual(o.T, "JSON", row["detail"], any(object{"operator": "Olga Ops"}))
		o.fails("--as must be a name of at most 100 characters", "", "users", "disable", "anna.smith", "--as="+strings.Repeat("x", 101))
		o.fails("--as must be a name of at most 100 characters", "", "users", "disable", "anna.smith", "--as=\u200b")
		r, err := http.NewRequestWithContext(o.Context(), http.MethodGet, "http://localhost:8080/account/activity", nil)
		if err != nil {
			o.Fatal(err)
		}
		r.AddCookie(o.enters("anna.smith", oldPassword))
		if page := serveOnce(o, r); !strings.Contains(page, "an operator") || strings.Contains(page, "Olga") {
			o.Errorf("the user's activity is\n%s", page)
		}
	})
}

// serveOnce returns the site's answer.
func serveOnce(o *operator, r *http.Request) string {
	w := &recorder{header: http.Header{}}
	o.site.ServeHTTP(w, r)
	return w.String()
}

type recorder struct {
	strings.Builder
	header http.Header
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}

// TestOperatorSetsAnAddress corrects the address of somebody who mistyped it, and of
// somebody who lost the mailbox.
func TestOperatorSetsAnAddress(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.types(oldPassword, "users", "create", "--username=benjamin", "--email=bne@example.com", "--first-name=Ben", "--last-name=Jones")
		wantEqual(o.T, "of an unconfirmed one", o.does("users", "set-email", "benjamin", "Ben@EXAMPLE.com", "--as=Olga"),
			"Changed the email address of benjamin to Ben@EXAMPLE.com and mailed the link that verifies it\n")
		wantEqual(o.T, "mail to the old one", o.mailTo("bne@example.com"), []string(nil))
		wantEqual(o.T, "mail to the new one", o.mailTo("Ben@EXAMPLE.com"), []string{"verify-email"})
		o.enters("ben@example.com", oldPassword)
		o.isRefused("bne@example.com", oldPassword)

		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		wantEqual(o.T, "of a verified one", o.does("users", "set-email", "anna.smith", "new@example.com"),
			"Mailed a link to new@example.com: the email address of anna.smith changes when it is opened\n")
		wantEqual(o.T, "mail", o.mailTo("new@example.com"), []string{"change-email"})
		wantEqual(o.T, "address", o.user("anna.smith").Email, "anna@example.com")
		wantEqual(o.T, "vouched for", o.does("users", "set-email", "anna.smith", "new@example.com", "--verified"),
			"Changed the email address of anna.smith to new@example.com, and marked it as verified\n")
		wantEqual(o.T, "mail to the new one", o.mailTo("new@example.com"), []string(nil))
		wantEqual(o.T, "mail to the old one", o.mailTo("anna@example.com"), []string{"email-changed"})
		if anna := o.user("new@example.com"); !anna.Verified() || anna.Username != "anna.smith" {
			o.Errorf("stored is %+v", anna)
		}
		events := readJSON[[]object](o, o.does("audit", "--json"))
		wantEqual(o.T, "events", fieldsOf(events[:2], "kind"), []string{"email-confirmed", "email-change-requested"})
		wantEqual(o.T, "detail", events[0]["detail"], any(object{"email": "new@example.com", "email_from": "anna@example.com"}))

		const not = "the email address was not changed:\n"
		o.fails(not+"Email: There's already an account with this email address.", "", "users", "set-email", "benjamin", "NEW@example.com")
		o.fails(not+"Email: There's already an account with this email address.", "", "users", "set-email", "benjamin", "anna@example.com") // for a week
		o.fails(not+"Email: There's already an account with this email address.", "", "users", "set-email", "anna.smith", "ben@example.com")
		o.fails(not+"Email: Enter an email address such as name@example.com.", "", "users", "set-email", "benjamin", "nowhere")
		o.fails(not+"this is the email address of benjamin already", "", "users", "set-email", "benjamin", "BEN@example.com")
		wantEqual(o.T, "back", o.does("users", "set-email", "anna.smith", "anna@example.com", "--verified"),
			"Changed the email address of anna.smith to anna@example.com, and marked it as verified\n")
	})
}

// TestOperatorRenames changes names by the rules of the pages, and tells the audit log which.
func TestOperatorRenames(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		o.creates("benjamin", "ben@example.com", "Ben", "Jones")
		wantEqual(o.T, "username", o.does("users", "rename", "anna.smith", "Anna.King"), "anna.smith is now Anna.King (Anna Smith)\n")
		wantEqual(o.T, "name", o.does("users", "rename", "anna.king", "--last-name= King ", "--as=Olga"), "Anna.King is now Anna.King (Anna King)\n")
		wantEqual(o.T, "nothing", o.does("users", "rename", "anna.king", "Anna.King"), "Anna.King is now Anna.King (Anna King)\n")
		wantEqual(o.T, "events", []any{readJSON[[]object](o, o.does("audit", "--json"))[0]["detail"], readJSON[[]object](o, o.does("audit", "--json"))[1]["detail"]},
			[]any{object{"fields": "name", "operator": "Olga"}, object{"fields": "username"}})
		o.fails("pass a new username, --first-name or --last-name", "", "users", "rename", "anna.king")
		o.fails("the user was not renamed:\nUsername: This username is already taken.", "", "users", "rename", "anna.king", "BENJAMIN")
		o.fails("the user was not renamed:\nUsername: Use at least 5 characters.", "", "users", "rename", "anna.king", "ann")
	})
}

// TestOperatorExports compares the data with what the user downloads.
func TestOperatorExports(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		cookie := o.enters("anna.smith", oldPassword)
		printed := o.does("users", "export", "anna.smith", "--as=Olga")
		r, err := http.NewRequestWithContext(o.Context(), http.MethodGet, "http://localhost:8080/account/data", nil)
		if err != nil {
			o.Fatal(err)
		}
		r.AddCookie(cookie)
		if downloaded := serveOnce(o, r); printed != downloaded || !strings.Contains(printed, `"notes"`) {
			o.Errorf("printed is\n%s\nand downloaded\n%s", printed, downloaded)
		}
		row := readJSON[[]object](o, o.does("audit", "anna.smith", "--json"))[0]
		wantEqual(o.T, "event", []any{row["kind"], row["detail"]}, []any{"data-exported", object{"operator": "Olga"}})
	})
}

// TestOperatorShowsWhy looks at people who can't sign in, and at what they have.
func TestOperatorShowsWhy(t *testing.T) {
	eachOperator(t, func(o *operator) {
		s := apptest.NewCompany(o.T, o.db)
		anna := apptest.Anna.Username
		o.isRefused(anna, newPassword)
		shown := readJSON[object](o, o.does("users", "show", anna, "--json"))
		wantEqual(o.T, "can sign in", shown["can_sign_in"], true)
		wantEqual(o.T, "organization", shown["organizations"].([]any)[0].(object)["organization"], "acme")
		failure := shown["failures"].([]any)[0].(object)
		wantEqual(o.T, "failure", []any{failure["kind"], failure["ip"], failure["device"]}, []any{"sign-in-failed", "192.0.2.1", "Firefox on Linux"})
		text := o.does("users", "show", anna)
		for _, want := range []string{"Acme (acme): Owner", "sign-in-failed at ", "verify-email: attempts: 0", "signed in at "} {
			if !strings.Contains(text, want) {
				o.Errorf("shown is not %q:\n%s", want, text)
			}
		}
		why := func() string {
			o.Helper()
			return readJSON[object](o, o.does("users", "show", anna, "--json"))["sign_in"].(string)
		}
		limit := models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
		for _, tt := range []struct {
			key   string
			waits bool
		}{{"mail by others to " + apptest.Anna.Email, false}, {"password of " + s.First.UserID.String(), true}} {
			if err := o.db.Attempt(o.Context(), tt.key, limit); err != nil {
				o.Fatal(err)
			}
			if got := why(); strings.HasPrefix(got, "must wait until ") != tt.waits || !tt.waits && got != "yes" {
				o.Errorf("with a throttle of %s, it says %q", tt.key, got)
			}
		}
		o.does("users", "disable", anna)
		wantEqual(o.T, "why", why(), "no: the account is disabled; users enable lifts it")
		o.does("users", "enable", anna)
		if _, err := o.db.Bun().NewUpdate().Model((*models.User)(nil)).Set("password_hash = ''").Where("id = ?", s.First.UserID).Exec(o.Context()); err != nil {
			o.Fatal(err)
		}
		o.does("users", "unlock", anna)
		wantEqual(o.T, "why", why(), "only by mail, with a code or a reset link: there is no password, passkey or connected account")
	})
}
