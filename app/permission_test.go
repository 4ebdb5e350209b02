package app_test

import (
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

var update = flag.Bool("update", false, "write the table of permissions into app/organization/README.md")

// everyMember is the rule of a route that takes no permission.
const everyMember models.Permission = ""

// rules are what the routes of an organization take. A route without a rule fails
// the test. The tests of a feature add the rules of its own routes.
var rules = map[string]models.Permission{
	"GET /o/:slug":                         everyMember,
	"POST /o/:slug/leave":                  everyMember,
	"GET /o/:slug/members":                 everyMember,
	"POST /o/:slug/members/:id/role":       models.ManageMembers,
	"POST /o/:slug/members/:id/remove":     models.ManageMembers,
	"GET /o/:slug/invitations":             models.InviteMembers,
	"POST /o/:slug/invitations":            models.InviteMembers,
	"POST /o/:slug/invitations/check":      models.InviteMembers,
	"POST /o/:slug/invitations/:id/resend": models.InviteMembers,
	"POST /o/:slug/invitations/:id/revoke": models.InviteMembers,
	"GET /o/:slug/activity":                models.SeeActivity,
	"GET /o/:slug/settings":                models.EditOrganization,
	"POST /o/:slug/settings/check":         models.EditOrganization,
	"POST /o/:slug/settings":               models.EditOrganization,
	"GET /o/:slug/security":                models.OwnOrganization,
	"POST /o/:slug/security":               models.OwnOrganization,
	"POST /o/:slug/security/lift":          models.OwnOrganization,
	"GET /o/:slug/roles":                   models.OwnOrganization,
	"POST /o/:slug/roles/check":            models.OwnOrganization,
	"POST /o/:slug/roles":                  models.OwnOrganization,
	"GET /o/:slug/roles/:id":               models.OwnOrganization,
	"POST /o/:slug/roles/:id":              models.OwnOrganization,
	"POST /o/:slug/roles/:id/delete":       models.OwnOrganization,
	"GET /o/:slug/transfer":                models.OwnOrganization,
	"POST /o/:slug/transfer":               models.OwnOrganization,
	"GET /o/:slug/dissolve":                models.OwnOrganization,
	"POST /o/:slug/dissolve":               models.OwnOrganization,
}

// owned is what a feature's table has of an organization. The tests of the feature
// add it to ownedByOrganizations.
type owned struct {
	table  string                           // also the first part of its paths
	create func(*apptest.Company) uuid.UUID // makes a row, for the routes with an id
	fields []string                         // of its form, which are also columns
}

var ownedByOrganizations []owned

// open are the other routes that answer a stranger. All that are not here send
// them to sign in.
var open = []string{
	"GET /", "GET /assets/*name", "GET /favicon.ico", "GET /.well-known/change-password", "GET /healthz", "GET /readyz", "GET /dev/components", "GET /dev/mail", "GET /dev/mail/:id",
	"GET /sign-up", "POST /sign-up", "POST /sign-up/check", "GET /sign-in", "POST /sign-in", "POST /sign-out",
	"POST /auth/:provider", "GET /auth/:provider/callback", "POST /auth/:provider/callback", "POST /auth/:provider/logout", "GET /sign-up/provider", "POST /sign-up/provider", "POST /sign-up/provider/check",
	"POST /sign-up/passkey", "POST /sign-in/passkey", "GET /.well-known/webauthn", "GET /.well-known/passkey-endpoints",
	"POST /theme", "POST /password-strength", "GET /verify-email", "POST /verify-email",
	"GET /verify-email/password", "POST /verify-email/password", "POST /verify-email/password/check",
	"GET /sign-in/code", "POST /sign-in/code", "GET /forgot-password", "POST /forgot-password", "POST /forgot-password/code", "GET /reset-password", "POST /reset-password", "POST /reset-password/check", "GET /invitation",
	"GET /recover", "POST /recover", "GET /recover/start", "POST /recover/start", "GET /recover/cancel", "POST /recover/cancel",
	"GET /recover/finish", "POST /recover/finish", "POST /recover/finish/check", "GET /not-me", "POST /not-me",
}

// TestPermissions tries each route as each role, as somebody who is no member and
// as a stranger. app/organization/README.md has the outcome as a table.
func TestPermissions(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		usernames := map[string]string{"Owner": "anna.smith"}
		people := []string{"Owner", "Admin", "Member"}
		for _, role := range []string{"Admin", "Member"} {
			usernames[role] = "the." + strings.ToLower(role)
			s.AddMember(usernames[role], role)
		}
		for _, p := range append(models.Permissions, models.Grantable{Permission: "nothing"}) {
			usernames[string(p.Permission)] = "may." + string(p.Permission)
			s.AddMemberWith(usernames[string(p.Permission)], string(p.Permission), p.Permission)
			people = append(people, string(p.Permission))
		}
		outsider, stranger := s.Visit(t), s.Visit(t)
		outsider.Join(apptest.Ben)
		outsider.Post("/organizations", apptest.Fill("name", "Other")).LeadsTo("/o/other")

		// An organization that one is not in is like one that there is not.
		hidden, absent := outsider.Get("/o/acme").Wants(http.StatusNotFound), outsider.Get("/o/nothing").Wants(http.StatusNotFound)
		if hidden.Text("main > section > :not(.hint)") != absent.Text("main > section > :not(.hint)") {
			t.Error("one can tell which organizations there are")
		}

		// What they would change, and must not.
		employee := s.Membership("the.member").ID
		if err := s.DB.Invite(t.Context(), s.First, "guest@example.com", s.Role("Member").ID); err != nil {
			t.Fatal(err)
		}
		invitations, err := s.DB.Invitations(t.Context(), s.First.OrganizationID, uuid.Nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]uuid.UUID{"members": employee, "invitations": invitations[0].ID, "roles": s.Role("nothing").ID}
		tables := []string{"organizations", "roles", "memberships", "invitations"}
		for _, o := range ownedByOrganizations {
			ids[o.table] = o.create(s)
			tables = append(tables, o.table)
		}
		content := func() (all string) {
			for _, table := range tables {
				all += s.Dump(table)
			}
			return all
		}
		asks := func(v *apptest.Visitor, method, path string) *apptest.Answer {
			if method == http.MethodGet {
				return v.Get(path)
			}
			return v.Post(path, url.Values{})
		}

		allowed := map[models.Permission]map[string]bool{}
		routes := map[models.Permission][]string{}
		unused := len(rules)
		for _, route := range s.App.Routes() {
			name := route.Method + " " + route.Path
			if strings.HasPrefix(route.Path, "/admin") { // see TestOperatorRoles
				continue
			}
			if !strings.HasPrefix(route.Path, "/o/") {
				if a := asks(stranger, route.Method, route.Path); !slices.Contains(open, name) && !strings.HasPrefix(a.Header.Get("Location"), "/sign-in") {
					t.Errorf("%s is open to strangers: %d", name, a.StatusCode)
				}
				continue
			}
			need, ok := rules[name]
			if !ok {
				t.Errorf("%s has no rule", name)
				continue
			}
			unused--
			routes[need] = append(routes[need], name)
			kind := strings.Split(route.Path+"///", "/")[3]
			path := strings.Replace(route.Path, ":slug", "acme", 1)
			real, none := strings.Replace(path, ":id", ids[kind].String(), 1), strings.Replace(path, ":id", uuid.NewString(), 1)
			if strings.Contains(path, ":id") && ids[kind] == uuid.Nil {
				t.Fatalf("%s: the test has no row for :id", name)
			}

			before := content()
			asks(stranger, route.Method, real).LeadsTo("/sign-in" + map[bool]string{true: "?next=" + url.QueryEscape(real)}[route.Method == http.MethodGet])
			asks(outsider, route.Method, real).Wants(http.StatusNotFound)
			for _, role := range people {
				may := need == everyMember || role == "Owner" || string(need) == role ||
					slices.ContainsFunc(models.Permissions, func(p models.Grantable) bool {
						return p.Permission == need && (role == "Admin" || role == "Member" && p.Members)
					})
				if !may {
					asks(s.Roles[role], route.Method, real).Wants(http.StatusForbidden).Says("Your role in this organization doesn't allow this.")
					continue
				}
				if allowed[need] == nil {
					allowed[need] = map[string]bool{}
				}
				if a := asks(s.Roles[role], route.Method, none); a.StatusCode == http.StatusForbidden || strings.HasPrefix(a.Header.Get("Location"), "/sign-in") || a.StatusCode >= 500 {
					t.Errorf("%s is not for %s: %d", name, role, a.StatusCode)
					continue
				}
				allowed[need][role] = true
				if name == "POST /o/:slug/leave" && role != "Owner" {
					s.Admit(usernames[role], role)
					before = content()
				}
			}
			if after := content(); after != before {
				t.Errorf("%s was refused and yet changed something", name)
			}
		}
		if unused != 0 {
			t.Errorf("%d rules are of routes that are not there", unused)
		}
		if !t.Failed() {
			wantsDocumented(t, permissionTable(routes, allowed))
		}
	})
}

func permissionTable(routes map[models.Permission][]string, allowed map[models.Permission]map[string]bool) string {
	var table strings.Builder
	table.WriteString("| Permission | Member | Admin | Owner | Opens |\n|---|:-:|:-:|:-:|---|\n")
	order := []models.Permission{everyMember}
	for _, p := range models.Permissions {
		order = append(order, p.Permission)
	}
	for _, p := range append(order, models.OwnOrganization) {
		name := "none"
		if p != everyMember {
			name = "`" + string(p) + "`"
		}
		fmt.Fprintf(&table, "| %s |", name)
		for _, role := range []string{"Member", "Admin", "Owner"} {
			fmt.Fprintf(&table, " %s |", map[bool]string{true: "✓"}[allowed[p][role]])
		}
		methods := map[string][]string{} // by path
		var paths []string
		for _, route := range routes[p] {
			method, path, _ := strings.Cut(route, " ")
			methods[path] = append(methods[path], method)
			paths = append(paths, path)
		}
		slices.Sort(paths)
		paths = slices.Compact(paths)
		for i, path := range paths {
			slices.Sort(methods[path])
			paths[i] = "`" + strings.Join(methods[path], "` `") + " " + cmp.Or(strings.TrimPrefix(path, "/o/:slug"), "/") + "`"
		}
		fmt.Fprintf(&table, " %s |\n", strings.Join(paths, ", "))
	}
	return table.String()
}

var documentedPermissions = regexp.MustCompile(`(?m)^\| Permission \|.*\n(\|.*\n)*`)

// wantsDocumented wants the table of permissions to be as the document has it, or
// writes it there.
func wantsDocumented(t *testing.T, table string) {
	t.Helper()
	const path = "organization/README.md"
	text := read(t, path)
	got := documentedPermissions.FindString(text)
	if got == table {
		return
	}
	if got == "" || !*update {
		t.Errorf("app/%s has other permissions than the site; go test ./app -run TestPermissions -update writes them. It has\n%s, want\n%s", path, got, table)
		return
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, got, table, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNewOwnerWantsThePassword has an owner's session, without the password, try to
// make and unmake owners. With it, the same goes on.
func TestNewOwnerWantsThePassword(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		s.AddMember("the.thief", "Member")
		s.AddMember("the.partner", "Owner") // so that anna may leave
		s.Invite("guest@example.com", "Owner")
		s.SetTime("invitations", "expires_at", time.Now().Add(-time.Minute))
		s.Age("authenticated_at", time.Now().Add(-time.Hour))
		member := "/o/acme/members/" + s.Membership("the.thief").ID.String()
		invitations := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK)
		resend := invitations.Find(`form[action$="/resend"]`).AttrOr("action", "")

		// What makes and unmakes no owner goes on without it.
		s.Owner.Post(member+"/role", apptest.Fill("role", s.Role("Admin").ID.String())).LeadsTo("/o/acme/members")

		owners := apptest.Fill("role", s.Role("Owner").ID.String())
		var page *apptest.Answer
		for _, try := range []struct {
			path  string
			typed url.Values
		}{
			{member + "/role", owners},
			{"/o/acme/invitations", apptest.With(owners, "email", "x@example.com")},
			{resend, nil},
			{"/o/acme/members/" + s.First.ID.String() + "/remove", nil},
			{"/o/acme/leave", nil},
		} {
			page = s.Owner.Post(try.path, try.typed, options...).Wants(http.StatusForbidden)
			if got := page.Find(apptest.SudoForm).AttrOr("action", ""); got != try.path {
				page.Failf("the password is asked for at %q", got)
			}
		}
		if got := s.Membership("the.thief").Role.Name; got != "Admin" {
			t.Errorf("the thief is %s without the password", got)
		}
		if got := s.Membership("anna.smith").Role.Name; got != "Owner" {
			t.Errorf("anna is %s without the password", got)
		}
		s.NoMail()
		s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("Expired")

		asked := s.Owner.Post(resend, nil, options...)
		s.Owner.Submit(asked, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...).LeadsTo("/o/acme/invitations")
		s.MailTo("guest@example.com", "Anna Smith invited you to Vestibule")
		s.Owner.Submit(page, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...).LeadsTo("/organizations")
		s.Owner.Get("/o/acme").Wants(http.StatusNotFound)
	})
}
