//go:build linux || darwin || freebsd

package main_test

import (
	"slices"
	"strings"
	"testing"
)

// TestOperatorWithoutUsernames names users by their email address, on a site that has no
// usernames any more and asks for one name.
func TestOperatorWithoutUsernames(t *testing.T) {
	eachOperator(t, func(o *operator) {
		without := func(args ...string) []string { return append(args, "--usernames=off", "--names=one") }
		o.creates("zelda.old", "zelda@example.com", "Zelda", "Old")
		for _, email := range []string{"ben@example.com", "mia@example.com"} {
			printed := o.types(oldPassword, without("users", "create", "--email="+email, "--name=Ben Jones", "--verified")...)
			wantEqual(o.T, "create", printed, "Created "+email+" with ID "+o.user(email).ID.String()+"\n")
		}
		if ben := o.user("ben@example.com"); ben.Username != "" || ben.FirstName != "Ben Jones" || ben.LastName != "" {
			o.Errorf("stored: %+v", ben)
		}
		o.fails("missing flags: --email=ADDRESS, --name=NAME", "", without("users", "create")...)
		o.fails("with USERNAMES=off, leave out the username", "", without("users", "create", "--username=benjamin", "--email=a@example.com", "--name=A")...)
		o.fails("with NAMES=one, pass --name instead of --first-name and --last-name", "",
			without("users", "create", "--email=a@example.com", "--name=A", "--last-name=B")...)
		o.fails("--name is for NAMES=one: pass --first-name and --last-name", "",
			"users", "create", "--username=benjamin", "--email=a@example.com", "--first-name=A", "--last-name=B", "--name=A")
		o.fails("the user was not created:\nEmail: There's already an account with this email address.", oldPassword,
			without("users", "create", "--email=BEN@example.com", "--name=A")...)
		o.fails("the user was not created:\nPassword: Don't use your own name or email address in the password.", "42 jones 42 zuvok",
			without("users", "create", "--email=a@example.com", "--name=Ben Jones")...)
		o.fails("no user zelda.old", "", without("users", "show", "zelda.old")...)

		o.enters("ben@example.com", oldPassword)
		o.enters("zelda.old", oldPassword)
		column := func(head string, args ...string) (cells []string) {
			o.Helper()
			lines := cellsOf(o.does(args...))
			i := slices.Index(lines[0], head)
			if i < 0 {
				o.Fatalf("vestibule %s: no column %s in %q", strings.Join(args, " "), head, lines[0])
			}
			for _, line := range lines[1:] {
				cells = append(cells, line[i])
			}
			return cells
		}
		wantEqual(o.T, "users", column("EMAIL", without("users", "list")...), []string{"zelda@example.com", "ben@example.com", "mia@example.com"})
		wantEqual(o.T, "names", column("NAME", without("users", "list")...), []string{"Zelda Old", "Ben Jones", "Ben Jones"})
		wantEqual(o.T, "usernames", column("USERNAME", "users", "list"), []string{"zelda.old", "-", "-"})
		wantEqual(o.T, "found by a hidden username", column("EMAIL", without("users", "list", "--search=lda.ol")...), []string(nil))
		wantEqual(o.T, "found by an id", column("EMAIL", "users", "list", "--search="+o.user("ben@example.com").ID.String()), []string(nil))
		wantEqual(o.T, "sessions", column("ACCOUNT", without("sessions", "list")...), []string{"ben@example.com", "zelda@example.com"})
		wantEqual(o.T, "events", column("ACCOUNT", without("audit", "ben@example.com")...), []string{"ben@example.com", "ben@example.com"})
		wantEqual(o.T, "show", cellsOf(o.does(without("users", "show", "zelda@example.com")...))[0], []string{"Email", "zelda@example.com"})
		for _, command := range [][]string{{"users", "list"}, {"users", "list", "--json"}, {"users", "show", "ZELDA@example.com"}, {"sessions", "list", "--json"}, {"audit", "--json"}} {
			if printed := o.does(without(command...)...); strings.Contains(printed, "zelda.old") {
				o.Errorf("vestibule %s: %s", strings.Join(command, " "), printed)
			}
		}
		wantEqual(o.T, "rename", o.does(without("users", "rename", "zelda@example.com", "--name=Zelda Young")...), "zelda@example.com is now zelda@example.com (Zelda Young)\n")
		o.fails("with USERNAMES=off, leave out the username", "", without("users", "rename", "zelda@example.com", "somebody")...)
		wantEqual(o.T, "disable", o.does(without("users", "disable", "zelda@example.com")...), "Disabled zelda@example.com and ended their sessions\n")
		wantEqual(o.T, "enable", o.does("users", "enable", "zelda.old"), "Enabled zelda.old\n")
		wantEqual(o.T, "delete", o.does(without("users", "delete", "mia@example.com", "--yes")...), "Deleted mia@example.com\n")
	})
}
