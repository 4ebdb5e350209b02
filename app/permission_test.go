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

	"vestibule/app"
	"vestibule/models"
	"vestibule/models/modelstest"
)

var update = flag.Bool("update", false, "write the table of permissions into README.md")

// everyMember is the rule of a route that takes no permission.
const everyMember models.Permission = ""

// rules are what the routes of an organization take. A route without a rule here
// fails the test.
var rules = map[string]models.Permission{
	"GET /o/:slug":                         everyMember,
	"POST /o/:slug/leave":                  everyMember,
	"GET /o/:slug/notes":                   everyMember,
	"POST /o/:slug/notes":                  models.WriteNotes,
	"POST /o/:slug/notes/check":            models.WriteNotes,
	"GET /o/:slug/notes/:id":               models.WriteNotes,
	"POST /o/:slug/notes/:id":              models.WriteNotes,
	"POST /o/:slug/notes/:id/check":        models.WriteNotes,
	"POST /o/:slug/notes/:id/delete":       models.WriteNotes,
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

// open are the other routes that answer a stranger. All that are not here send
// them to sign in.
var open = []string{
	"GET /", "GET /assets/*name", "GET /favicon.ico", "GET /healthz", "GET /readyz", "GET /dev/mail",
	"GET /sign-up", "POST /sign-up", "POST /sign-up/check", "GET /sign-in", "POST /sign-in", "POST /sign-out",
	"POST /password-strength", "GET /verify-email", "POST /verify-email",
	"GET /forgot-password", "POST /forgot-password", "GET /reset-password", "POST /reset-password", "POST /reset-password/check", "GET /invitation",
}

// company is an organization with somebody of every role in it.
type company struct {
	*site
	owner *visitor
	first *models.Membership // the owner's place
	roles map[string]*visitor
}

// newCompany founds an organization. The site's first visitor is its owner.
func newCompany(t testing.TB, db *models.DB, change ...func(*app.Config)) *company {
	t.Helper()
	s := newSite(t, db, change...)
	s.join(anna())
	s.setTime("users", "verified_at", s.user("anna.smith").CreatedAt)
	s.post("/organizations", fill("name", "Acme")).leadsTo("/o/acme")
	return &company{site: s, owner: s.visitor, first: s.place("anna.smith"), roles: map[string]*visitor{"Owner": s.visitor}}
}

// place reads a user's place in the organization.
func (s *site) place(username string) *models.Membership {
	s.t.Helper()
	m, err := s.db.MembershipBySlug(s.t.Context(), "acme", s.user(username).ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// role returns the role of that name.
func (s *company) role(name string) models.Role {
	s.t.Helper()
	roles, err := s.db.Roles(s.t.Context(), s.first.OrganizationID)
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(roles, func(r models.Role) bool { return r.Name == name })
	if i < 0 {
		s.t.Fatalf("there is no role %s", name)
	}
	return roles[i]
}

// employ signs somebody up and makes them a member, past the pages.
func (s *company) employ(username, role string) *visitor {
	s.t.Helper()
	v := s.visit(s.t)
	v.join(with(ben(), "username", username, "email", username+"@example.com"))
	s.admit(username, role)
	s.roles[role] = v
	return v
}

func (s *company) admit(username, role string) {
	s.t.Helper()
	u := s.user(username)
	if err := s.db.Invite(s.t.Context(), s.first, u.Email, s.role(role).ID); err != nil {
		s.t.Fatal(err)
	}
	all, err := s.db.Invitations(s.t.Context(), s.first.OrganizationID, uuid.Nil, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	i, _, err := s.db.SendInvitation(s.t.Context(), all[0].ID)
	if err == nil {
		err = s.db.AcceptInvitation(s.t.Context(), i, u)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// employRole makes a role of these permissions, and somebody who has it.
func (s *company) employRole(username, role string, allowed ...models.Permission) *visitor {
	s.t.Helper()
	if err := s.db.CreateRole(s.t.Context(), s.first, role, allowed); err != nil {
		s.t.Fatal(err)
	}
	return s.employ(username, role)
}

// TestPermissions tries each route as each role, as somebody who is no member and
// as a stranger. README.md has the outcome as a table.
func TestPermissions(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newCompany(t, db)
		usernames := map[string]string{"Owner": "anna.smith"}
		people := []string{"Owner", "Admin", "Member"}
		for _, role := range []string{"Admin", "Member"} {
			usernames[role] = "the." + strings.ToLower(role)
			s.employ(usernames[role], role)
		}
		for _, p := range append(models.Permissions, models.Grantable{Permission: "nothing"}) {
			usernames[string(p.Permission)] = "may." + string(p.Permission)
			s.employRole(usernames[string(p.Permission)], string(p.Permission), p.Permission)
			people = append(people, string(p.Permission))
		}
		outsider, stranger := s.visit(t), s.visit(t)
		outsider.join(ben())
		outsider.post("/organizations", fill("name", "Other")).leadsTo("/o/other")

		// An organization that one is not in is like one that there is not.
		hidden, absent := outsider.get("/o/acme").wants(http.StatusNotFound), outsider.get("/o/nothing").wants(http.StatusNotFound)
		if hidden.text("main > section > :not(.hint)") != absent.text("main > section > :not(.hint)") {
			t.Error("one can tell which organizations there are")
		}

		// What they would change, and must not.
		employee := s.place("the.member").ID
		if err := s.db.Invite(t.Context(), s.first, "guest@example.com", s.role("Member").ID); err != nil {
			t.Fatal(err)
		}
		invitations, err := s.db.Invitations(t.Context(), s.first.OrganizationID, uuid.Nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]uuid.UUID{"members": employee, "invitations": invitations[0].ID, "roles": s.role("nothing").ID}
		ids["notes"] = s.writes("Plan", "Secret")
		tables := []string{"organizations", "roles", "memberships", "invitations"}
		tables = append(tables, "notes")
		content := func() (all string) {
			for _, table := range tables {
				all += s.dump(table)
			}
			return all
		}
		asks := func(v *visitor, method, path string) *answer {
			if method == http.MethodGet {
				return v.get(path)
			}
			return v.post(path, url.Values{})
		}

		allowed := map[models.Permission]map[string]bool{}
		routes := map[models.Permission][]string{}
		unused := len(rules)
		for _, route := range s.app.Routes() {
			name := route.Method + " " + route.Path
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
			asks(stranger, route.Method, real).leadsTo("/sign-in" + map[bool]string{true: "?next=" + url.QueryEscape(real)}[route.Method == http.MethodGet])
			asks(outsider, route.Method, real).wants(http.StatusNotFound)
			for _, role := range people {
				may := need == everyMember || role == "Owner" || string(need) == role ||
					slices.ContainsFunc(models.Permissions, func(p models.Grantable) bool {
						return p.Permission == need && (role == "Admin" || role == "Member" && p.Members)
					})
				if !may {
					asks(s.roles[role], route.Method, real).wants(http.StatusForbidden).says("Your role in this organization does not allow this.")
					continue
				}
				if allowed[need] == nil {
					allowed[need] = map[string]bool{}
				}
				if a := asks(s.roles[role], route.Method, none); a.StatusCode == http.StatusForbidden || strings.HasPrefix(a.Header.Get("Location"), "/sign-in") || a.StatusCode >= 500 {
					t.Errorf("%s is not for %s: %d", name, role, a.StatusCode)
					continue
				}
				allowed[need][role] = true
				if name == "POST /o/:slug/leave" && role != "Owner" {
					s.admit(usernames[role], role)
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
			wantsInREADME(t, permissionTable(routes, allowed))
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

var tableInREADME = regexp.MustCompile(`(?m)^\| Permission \|.*\n(\|.*\n)*`)

// wantsInREADME wants the table to be as README.md has it, or writes it there.
func wantsInREADME(t *testing.T, table string) {
	t.Helper()
	const path = "../README.md"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := tableInREADME.FindString(string(readme))
	if got == table {
		return
	}
	if got == "" || !*update {
		t.Errorf("README.md has not the permissions as they are; go test ./app -run TestPermissions -update writes them. It has\n%s, want\n%s", got, table)
		return
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(readme), got, table, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNewOwnerWantsThePassword has an owner's session, without the password, try to
// make and unmake owners. With it, the same goes on.
func TestNewOwnerWantsThePassword(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		s.employ("the.thief", "Member")
		s.employ("the.partner", "Owner") // so that anna may leave
		s.invites("guest@example.com", "Owner")
		s.setTime("invitations", "expires_at", time.Now().Add(-time.Minute))
		s.age("authenticated_at", time.Now().Add(-time.Hour))
		member := "/o/acme/members/" + s.place("the.thief").ID.String()
		invitations := s.owner.get("/o/acme/invitations").wants(http.StatusOK)
		resend := invitations.find(`form[action$="/resend"]`).AttrOr("action", "")

		// What makes and unmakes no owner goes on without it.
		s.owner.post(member+"/role", fill("role", s.role("Admin").ID.String())).leadsTo("/o/acme/members")

		owners := fill("role", s.role("Owner").ID.String())
		var page *answer
		for _, try := range []struct {
			path  string
			typed url.Values
		}{
			{member + "/role", owners},
			{"/o/acme/invitations", with(owners, "email", "x@example.com")},
			{resend, nil},
			{"/o/acme/members/" + s.first.ID.String() + "/remove", nil},
			{"/o/acme/leave", nil},
		} {
			page = s.owner.post(try.path, try.typed, options...).wants(http.StatusForbidden)
			if got := page.find(sudo).AttrOr("action", ""); got != try.path {
				page.failf("the password is asked for at %q", got)
			}
		}
		if got := s.place("the.thief").Role.Name; got != "Admin" {
			t.Errorf("the thief is %s without the password", got)
		}
		if got := s.place("anna.smith").Role.Name; got != "Owner" {
			t.Errorf("anna is %s without the password", got)
		}
		s.noLetter()
		s.owner.get("/o/acme/invitations").wants(http.StatusOK).says("Expired")

		asked := s.owner.post(resend, nil, options...)
		s.owner.submit(asked, sudo, fill("current_password", annasPassword), options...).leadsTo("/o/acme/invitations")
		s.letterTo("guest@example.com", "An invitation to an organization")
		s.owner.submit(page, sudo, fill("current_password", annasPassword), options...).leadsTo("/organizations")
		s.owner.get("/o/acme").wants(http.StatusNotFound)
	})
}
