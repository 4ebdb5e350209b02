package web_test

import (
	"net/http"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestConfirm asks before an action, and sends the other fields again.
func TestConfirm(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMember("the.member", "Member")
		remove := "/o/acme/members/" + s.Membership("the.member").ID.String() + "/remove"
		form := apptest.Fill("confirm", "Remove Ben <b>?", "confirm_label", "Remove", "confirm_means", "They'll be <i>gone</i>.", "note", `"a" & b`)
		page := s.Post(remove, form, apptest.Header("Referer", s.URL+"/o/acme/members?q=ben")).Wants(http.StatusOK).Page().Harmless()
		if got := page.Text("main h1"); got != "Remove Ben <b>?" {
			page.Failf("it asks %q", got)
		}
		page.Says("They'll be <i>gone</i>.")
		if page.Value("note") != `"a" & b` || page.Find("main [name^=confirm]").Length() > 0 || page.Text("main button") != "Remove" {
			page.Failf("the form is %s", page.Text("main form"))
		}
		if back := page.Find("main a").AttrOr("href", ""); back != "/o/acme/members?q=ben" {
			page.Failf("Cancel leads to %q", back)
		}
		s.Membership("the.member") // who is still there
		s.Submit(page, "main form", nil).LeadsTo("/o/acme/members")
		s.Get("/o/acme/members").Says("Member removed")
		s.AddMember("another.one", "Member")
		remove = "/o/acme/members/" + s.Membership("another.one").ID.String() + "/remove"
		s.Post(remove, form, apptest.HTMX).Wants(http.StatusOK).Says("Member removed") // a dialog has asked
	})
}
