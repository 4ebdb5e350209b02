package app_test

import (
	"net/http"
	"net/url"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestTypedTextOutlivesARefusal sends forms that can't be answered any more. The page
// that says so shows what was typed, and offers to send it again where that may help.
// Under htmx the page with the form stays.
func TestTypedTextOutlivesARefusal(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.Log.MayFail()
		admin := s.AddMember("the.admin", "Admin")
		for name, tt := range map[string]struct {
			by         *apptest.Visitor
			path, form string
			meanwhile  func()
			typed      url.Values
			status     int
		}{
			"another role": {admin, "/o/acme/settings", "form#settings", func() {
				s.Post("/o/acme/members/"+s.Membership("the.admin").ID.String()+"/role", apptest.Fill("role", s.Role("Member").ID.String())).LeadsTo("/o/acme/members")
			}, apptest.Fill("name", "Acme <& Sons>"), http.StatusForbidden},
			"a deleted row": {s.Visitor, "", "form#role", func() {
				s.Post("/o/acme/roles/"+s.Role("Host").ID.String()+"/delete", nil).LeadsTo("/o/acme/roles")
			}, apptest.Fill("name", "Host of hosts"), http.StatusNotFound},
		} {
			t.Run(name, func(t *testing.T) {
				if tt.path == "" {
					if err := db.CreateRole(t.Context(), s.First, "Host", []models.Permission{models.InviteMembers}); err != nil {
						t.Fatal(err)
					}
					tt.path = "/o/acme/roles/" + s.Role("Host").ID.String()
				}
				page := tt.by.Get(tt.path).Wants(http.StatusOK)
				tt.meanwhile()
				a := tt.by.Submit(page, tt.form, tt.typed).Wants(tt.status).Page().Harmless()
				if got := a.Text("main dd:first-of-type"); got != tt.typed.Get("name") {
					a.Failf("it shows %q of what was typed", got)
				}
				if n := a.Find(`main form`).Length(); n > 0 {
					a.Failf("it offers to send again what is refused for good")
				}
				tt.by.Submit(page, tt.form, tt.typed, apptest.HTMX).Wants(tt.status).Fragment(".toast.problem").WantsHeader("HX-Retarget", "#alerts")
			})
		}

		page := s.Get("/account/email").Wants(http.StatusOK)
		typed := apptest.NewEmail("new@example.com")
		if s.Post("/account/email", typed, apptest.Header("Origin", "https://evil.example")).Wants(http.StatusForbidden).Find("main dl, main form").Length() > 0 {
			t.Error("the page shows what another site has sent")
		}
		const broken = http.StatusInternalServerError
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		a := s.Submit(page, "form#change-email", typed).Wants(broken).Page()
		if a.Text("main dd") != "new@example.com" || a.Value("email") != "new@example.com" || a.Find("main form").AttrOr("action", "") != "/account/email" || a.Find("[name*=password]").Length() > 0 {
			a.Failf("it doesn't offer to send the form again, or does so with a password: %s", a.Body)
		}
		if a := s.Post("/account/email", typed, apptest.Header("Origin", "https://evil.example")).Wants(broken); a.Find("main form").Length() > 0 {
			a.Failf("it offers to send what another site has sent")
		}
		s.Submit(page, "form#change-email", typed, apptest.HTMX).Wants(broken).Fragment(".toast.problem")
		s.Post("/account/email/check?field=email", typed, apptest.HTMX).Silent(broken)
	})
}
