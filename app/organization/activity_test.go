package organization_test

import (
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
		want := []string{"Role, by Anna Smith", "Joined, by Ben Jones", "Invited, by Anna Smith", "Created, by Anna Smith"}
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
		s.Get("/account/activity").Says("Wrong password entered").Says("Confirmed password")
		for _, words := range []string{"Wrong password", "Confirmed password"} {
			if a := s.Get("/o/acme/activity").Wants(http.StatusOK); strings.Contains(a.Body, words) {
				a.Failf("it says %q", words)
			}
		}
	})
}
