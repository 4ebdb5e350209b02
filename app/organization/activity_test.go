package organization_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestOrganizationActivity(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		link := s.Invite("ben@example.com", "Member")
		guest := s.Visit(t)
		guest.Post("/sign-up?next="+url.QueryEscape(link), apptest.Ben.Form()).LeadsTo(link)
		guest.Submit(guest.Get(link), "form#accept", nil).LeadsTo("/o/acme")
		s.Owner.Post("/o/acme/members/"+s.Membership("benjamin").ID.String()+"/role", apptest.Fill("role", s.Role("Admin").ID.String())).LeadsTo("/o/acme/members")
		a := s.Owner.Get("/o/acme/activity").Wants(http.StatusOK).Page()
		var got []string
		a.Find("main .rows li > div").Each(func(_ int, e apptest.Selection) {
			words := strings.Join(strings.Fields(e.Text()), " ")
			who := words[strings.LastIndex(words, ", by "):]
			got = append(got, strings.Fields(e.Find("strong").Text())[0]+who)
		})
		want := []string{"Changed, by Anna Smith", "Joined, by Ben Jones", "Invited, by Anna Smith", "Created, by Anna Smith"}
		if !slices.Equal(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
		if strings.Contains(a.Body, "127.0.0.1") {
			t.Error("it says from where")
		}
		// Ben sees what Anna did to him, and not from where.
		guest.Get("/account/activity").Wants(http.StatusOK).Says("Role changed")
		if n := strings.Count(guest.Get("/account/activity").Text("main"), "by someone else"); n != 1 {
			t.Errorf("%d events are by someone else", n)
		}
	})
}

// happenings returns what an activity page says, newest first.
func happenings(a *apptest.Answer) (all []string) {
	a.Wants(http.StatusOK).Find("main .rows li strong").Each(func(_ int, e apptest.Selection) {
		all = append(all, strings.Join(strings.Fields(e.Text()), " "))
	})
	return all
}

// TestOrganizationActivitySaysWhomAndWhat does everything that members do to each other,
// and reads it as an owner, as somebody who may not see addresses, and after the people
// and their addresses have gone.
func TestOrganizationActivitySaysWhomAndWhat(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		reader := s.AddMemberWith("the.reader", "Reader", models.SeeActivity)
		id := func(role string) string { return s.Role(role).ID.String() }
		s.Invite("ben@example.com", "Member")
		invitation := `form[action$="/%s"]`
		for _, what := range []string{"resend", "revoke"} {
			s.Owner.Submit(s.Owner.Get("/o/acme/invitations"), fmt.Sprintf(invitation, what), nil).LeadsTo("/o/acme/invitations")
		}
		link := s.Invite("Ben@Example.com", "Member")
		ben := s.Visit(t)
		ben.Post("/sign-up?next="+url.QueryEscape(link), apptest.With(apptest.Ben.Form(), "email", "Ben@Example.com")).LeadsTo(link)
		ben.Submit(ben.Get(link), "form#accept", nil).LeadsTo("/o/acme")
		s.Owner.Post("/o/acme/roles", apptest.Fill("name", "Host")).LeadsTo("/o/acme/roles")
		role := s.Owner.Get("/o/acme/roles").Find(`.rows a[href$="`+id("Host")+`"]`).AttrOr("href", "")
		s.Owner.Submit(s.Owner.Get(role), "form#role", apptest.Fill("name", "Landlord")).LeadsTo("/o/acme/roles")
		s.Owner.Submit(s.Owner.Get(role), "form#role", url.Values{"permissions": {"see-activity"}}).LeadsTo("/o/acme/roles")
		member := "/o/acme/members/" + s.Membership("benjamin").ID.String()
		s.Owner.Post(member+"/role", apptest.Fill("role", id("Landlord"))).LeadsTo("/o/acme/members")
		s.Owner.Post(role+"/delete", nil).LeadsTo("/o/acme/roles")
		s.Owner.Post(member+"/remove", nil).LeadsTo("/o/acme/members")
		s.Owner.Post("/o/acme/settings", apptest.Fill("name", "Acme Tools")).LeadsTo("/o/acme/settings")
		want := []string{
			"Renamed the organization from Acme to Acme Tools", "Removed Ben Jones", "Deleted the role Landlord",
			"Changed Ben Jones's role from Member to Landlord", "Changed the role Landlord", "Renamed the role Host to Landlord", "Created the role Host",
			"Joined as Member", "Invited Ben@Example.com as Member", "Revoked the invitation of ben@example.com",
			"Resent the invitation of ben@example.com", "Invited ben@example.com as Member", "Created the organization Acme",
		}
		wants := func(v *apptest.Visitor, path string, want []string) {
			t.Helper()
			if got := happenings(v.Get(path)); !slices.Equal(got, want) {
				t.Errorf("%s says\n%q, want\n%q", path, got, want)
			}
		}
		wants(s.Owner, "/o/acme/activity", want)
		wants(s.Owner, "/o/acme", want[:5])
		wants(s.Owner, "/o/acme/activity?kind=invitations", want[8:12])
		wants(s.Owner, "/o/acme/activity?kind=roles&days=7", []string{want[2], want[4], want[5], want[6]})
		wants(ben, "/account/activity?kind=organizations", []string{"Removed from Acme", "Role changed from Member to Landlord in Acme", "Joined Acme as Member"})
		if n := s.Owner.Get("/o/acme/activity").Find("main .rows bdi").FilterFunction(func(_ int, e apptest.Selection) bool { return e.Text() == "Ben Jones" }).Length(); n != 3 { // and who joined
			t.Errorf("the name stands apart %d times", n)
		}

		want[8], want[9], want[10], want[11] = "Invited someone as Member", "Revoked an invitation", "Resent an invitation", "Invited someone as Member"
		wants(reader, "/o/acme/activity", want)

		// With Ben go his name and, in every spelling, his address.
		ben.Post("/account/delete", apptest.Fill("username", "benjamin", "current_password", apptest.Ben.Password)).LeadsTo("/")
		want[1], want[3] = "Removed a deleted user", "Changed a deleted user's role from Member to Landlord"
		want[8], want[11] = "Invited someone", "Invited someone"
		wants(s.Owner, "/o/acme/activity", want)
		s.Owner.Get("/o/acme/activity").Says("by a deleted user")
		if log := strings.ToLower(s.Dump("events")); strings.Contains(log, "ben@example.com") {
			t.Errorf("the audit log holds the address of someone who is gone: %s", log)
		}

		// With the organization go the addresses of those who never came.
		s.Owner.Post("/o/acme/invitations", apptest.Fill("email", "carla@example.com", "role", id("Member"))).LeadsTo("/o/acme/invitations")
		if log := s.Dump("events"); !strings.Contains(log, "carla@example.com") {
			t.Error("the audit log doesn't say who was invited")
		}
		s.Owner.Post("/o/acme/dissolve", apptest.Fill("name", "Acme Tools")).LeadsTo("/organizations")
		if log := s.Dump("events"); strings.Contains(log, "carla@example.com") {
			t.Errorf("the audit log holds the address of someone invited: %s", log)
		}
		if got := happenings(s.Owner.Get("/account/activity"))[0]; got != "Deleted the organization Acme Tools" {
			t.Errorf("it says %q", got)
		}
	})
}

// TestActivityOfAnEarlierVersion reads events without details.
func TestActivityOfAnEarlierVersion(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		s.AddMember("benjamin", "Member")
		kinds := []string{models.EventInvited, models.EventMemberRoleChanged, models.EventOrganizationRenamed, models.EventRoleDeleted}
		for _, kind := range kinds {
			e := models.Event{Kind: kind, ActorID: s.First.UserID, OrganizationID: s.First.OrganizationID, IP: "192.0.2.1"}
			if kind == models.EventMemberRoleChanged {
				e.UserID = s.User("benjamin").ID
			}
			if err := s.DB.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"Deleted a role", "Renamed organization", "Role changed: Ben Jones", "Invited someone"}
		if got := happenings(s.Owner.Get("/o/acme/activity")); !slices.Equal(got[:4], want) {
			t.Errorf("it says %q, want %q", got[:4], want)
		}
	})
}

// TestPasswordsAreNobodyElsesBusiness mistypes the password before a page of an
// organization, whose activity others read.
func TestPasswordsAreNobodyElsesBusiness(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.SetTime("sessions", "authenticated_at", time.Now().Add(-24*time.Hour))
		for _, password := range []string{"not the password", apptest.Anna.Password} {
			s.Post("/o/acme/transfer", apptest.Fill("sudo", "open", "current_password", password))
		}
		s.Get("/account/activity").Says("Wrong password entered").Says("Confirmed identity")
		for _, words := range []string{"Wrong password", "Confirmed identity"} {
			if a := s.Get("/o/acme/activity").Wants(http.StatusOK); strings.Contains(a.Body, words) {
				a.Failf("it says %q", words)
			}
		}
	})
}
