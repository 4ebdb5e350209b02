package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
)

// TestInvitations wants the invitations to organizations and to the site in one list, newest
// first, with what became of them, and none of their links.
func TestInvitations(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		v := s.Operator(apptest.Nth(1), models.OperatorSupport)
		invite := func(email string) {
			t.Helper()
			if err := s.DB.Invite(t.Context(), s.First, email, s.Role("Admin").ID); err != nil {
				t.Fatal(err)
			}
		}
		v.Get("/admin/invitations").Wants(http.StatusOK).Page().Harmless().Says("Nobody is invited.")
		s.Deliver()
		link := s.Invite("pending@example.com", "Member")
		invite("expired@example.com")
		invite("unsent@example.com")
		if _, err := s.DB.InviteToSite(t.Context(), "site@example.com"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.DB.Bun().NewUpdate().Model((*models.Invitation)(nil)).Set("expires_at = ?", time.Now().Add(-time.Hour).UTC()).Where("email_key = ?", "expired@example.com").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		page := v.Get("/admin/invitations").Wants(http.StatusOK).Page().Harmless()
		for i, want := range [][2]string{
			{"site@example.com Not sent yet", "To the site, invited by an operator "},
			{"unsent@example.com Not sent yet", "To Acme as Admin, invited by Anna Smith "},
			{"expired@example.com Expired", ", expired "},
			{"pending@example.com", "To Acme as Member, invited by Anna Smith "},
		} {
			row := rows(page, "#invitations")[i]
			page.Says(want[0])
			if !strings.Contains(row, want[1]) || !strings.HasPrefix(row, strings.Fields(want[0])[0]) {
				t.Errorf("row %d is %q, want %q", i, row, want)
			}
		}
		if strings.Contains(page.Body, tokenIn(link)) || page.Find(`#invitations a[href$="/revoke"]`).Length() != 0 {
			page.Failf("support sees a link, or may revoke")
		}
		if got := rows(v.Get("/admin/invitations?q=SITE@example.com"), "#invitations"); len(got) != 1 || !strings.HasPrefix(got[0], "site@example.com") {
			t.Errorf("found are %q", got)
		}
		v.Get("/admin/invitations?q=site").Wants(http.StatusOK).Says("This address isn't invited.")

		if err := s.DB.DisableUser(t.Context(), s.User(apptest.Anna.Username)); err != nil {
			t.Fatal(err)
		}
		v.Get("/admin/invitations?q=pending@example.com").Wants(http.StatusOK).Says("pending@example.com Void").Says("the inviter may no longer invite")

		for n := range 50 {
			if _, err := s.DB.InviteToSite(t.Context(), fmt.Sprintf("many%d@example.com", n)); err != nil {
				t.Fatal(err)
			}
		}
		seen, pages := map[string]bool{}, 0
		for path := "/admin/invitations"; path != ""; pages++ {
			page := v.Get(path).Wants(http.StatusOK)
			for _, row := range rows(page, "#invitations") {
				seen[row] = true
			}
			path = page.Find("#invitations > li:last-child > a.quiet:only-child").AttrOr("href", "")
		}
		if len(seen) != 54 || pages != 3 {
			t.Errorf("%d pages show %d of 54 invitations", pages, len(seen))
		}
	})
}

// TestRevokeInvitation revokes an invitation to an organization and one to the site, each with
// a reason that is recorded. Their links stop working.
func TestRevokeInvitation(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		s.Deliver()
		joins := s.Invite("new@example.com", "Member")
		signsUp := s.InviteToSite("site@example.com")
		for _, tt := range []struct {
			email, link, kind string
			model             any
			detail            models.EventDetail
		}{
			{"new@example.com", joins, models.EventInvitationRevoked, (*models.Invitation)(nil), models.EventDetail{Email: "new@example.com", Role: "Member", Reason: reason}},
			{"site@example.com", signsUp, models.EventSiteInviteRevoked, (*models.SiteInvitation)(nil), models.EventDetail{Email: "site@example.com", Reason: reason}},
		} {
			path := v.Get("/admin/invitations?q="+tt.email).Find(`#invitations a[href$="/revoke"]`).AttrOr("href", "")
			page := v.Get(path).Wants(http.StatusOK).Page().Harmless().Says(tt.email)
			v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
			v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/admin/invitations")
			s.Visit(t).Get(tt.link).Gone()
			v.Post(path, apptest.Fill("reason", reason), options...).Wants(http.StatusNotFound)
			if n, err := s.DB.Bun().NewSelect().Model(tt.model).Where("email_key = ?", tt.email).Count(t.Context()); n != 0 || err != nil {
				t.Errorf("the invitation of %s stays (%v)", tt.email, err)
			}
			found := false
			for _, e := range s.Events() {
				if e.Kind == tt.kind && e.Detail == tt.detail {
					found = e.ActorID == s.User(apptest.Nth(1).Username).ID && e.OperatorRole == models.OperatorAdmin && (e.OrganizationID == s.First.OrganizationID) == (tt.email == "new@example.com")
				}
			}
			if !found {
				t.Errorf("no event %s has the reason and the operator", tt.kind)
			}
		}
		if page := s.Owner.Get("/o/acme/activity").Wants(http.StatusOK).Says("Revoked the invitation of new@example.com").Says("by an operator"); strings.Contains(page.Body, reason) {
			page.Failf("members read the reason")
		}
	})
}
