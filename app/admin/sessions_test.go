package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestSessions wants the sessions of everybody, a page at a time, or of one person, which is
// recorded. Those that expired are none.
func TestSessions(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		s.Visit(t).Join(apptest.Ben)
		ben := s.User("benjamin")
		page := v.Get("/admin/sessions").Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store")
		page.Says("Anna Smith This session Operator: support").Says(", 127.0.0.1, with a password or email and an authenticator app").Says("Seen ").Says(", signed in ").Says(", expires ")
		if got := rows(page, "#sessions"); len(got) != 2 || !strings.HasPrefix(got[0], "Ben Jones") {
			t.Errorf("listed are %q", got)
		}
		if page.Find("#sessions a.button").Length() != 1 { // not of one's own
			page.Failf("it offers to end %d sessions", page.Find("#sessions a.button").Length())
		}
		for range 24 {
			s.Visit(t).Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
		}
		seen := 0
		for path := "/admin/sessions?user=" + ben.ID.String(); path != ""; {
			page := v.Get(path).Wants(http.StatusOK).Says("Only the sessions of Ben Jones")
			for _, row := range rows(page, "#sessions") {
				seen++
				if !strings.HasPrefix(row, "Ben Jones") {
					t.Errorf("Ben's sessions have %q", row)
				}
			}
			path = page.Find("#sessions > li:last-child > a.quiet:not([href$='/end'])").AttrOr("href", "")
		}
		if seen != 25 {
			t.Errorf("the pages show %d of 25 sessions", seen)
		}
		looks := slices.DeleteFunc(s.Events(), func(e models.Event) bool { return e.Kind != models.EventLooked })
		if len(looks) != 2 || looks[0].UserID != ben.ID || looks[0].OperatorRole != models.OperatorSupport {
			t.Errorf("recorded are %+v", looks)
		}

		s.SetTime("sessions", "expires_at", time.Now().Add(time.Hour))
		if _, err := db.Bun().NewUpdate().Model((*models.Session)(nil)).Set("expires_at = ?", time.Now().Add(-time.Hour).UTC()).Where("user_id = ?", ben.ID).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.Get("/admin/sessions?user=" + ben.ID.String()).Wants(http.StatusOK).Says("Nobody is signed in here.")
		v.Get("/admin/sessions?user=" + uuid.NewString()).Wants(http.StatusNotFound)
	})
}

// rows returns the texts of a list's rows that have a title.
func rows(a *apptest.Answer, list string) (texts []string) {
	a.Find(list + " > li:has(strong)").Each(func(_ int, row apptest.Selection) {
		texts = append(texts, strings.Join(strings.Fields(row.Text()), " "))
	})
	return texts
}

// TestEndSession ends one of somebody's sessions with a reason that is recorded. The person is
// signed out there at once, and nowhere else.
func TestEndSession(t *testing.T) {
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		other, ben := s.Visit(t), s.Visit(t)
		other.Join(apptest.Ben)
		ben.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
		list := "/admin/sessions?user=" + s.User("benjamin").ID.String()
		path := v.Get(list).Find(`#sessions > li:first-child > a[href$="/end"]`).AttrOr("href", "")
		page := v.Get(path).Wants(http.StatusOK).Page().Harmless()
		v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		ben.Get("/dashboard").Wants(http.StatusOK)
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo(list)
		ben.Get("/dashboard").Wants(http.StatusSeeOther)
		other.Get("/dashboard").Wants(http.StatusOK)
		e := s.Events()[slices.IndexFunc(s.Events(), func(e models.Event) bool { return e.Kind == models.EventSessionEnded })]
		if e.UserID != s.User("benjamin").ID || e.ActorID != s.User("anna.smith").ID || e.OperatorRole != models.OperatorSupport || e.Detail.Reason != reason || e.Detail.Device == "" {
			t.Errorf("recorded is %+v", e)
		}
		if a := other.Get("/account/activity").Wants(http.StatusOK).Says("by an operator"); strings.Contains(a.Body, reason) {
			a.Failf("the person reads the reason")
		}
		v.Post(path, apptest.Fill("reason", reason), options...).Wants(http.StatusNotFound)

		// Neither their own, nor as support an operator's.
		s.Operator(apptest.Nth(1), models.OperatorAdmin)
		for username, says := range map[string]string{"anna.smith": "This is your own account", apptest.Nth(1).Username: "They're an operator, too."} {
			sessions, err := s.DB.Sessions(t.Context(), s.User(username).ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, session := range sessions {
				v.Post("/admin/sessions/"+session.ID.String()+"/end", apptest.Fill("reason", reason)).Wants(http.StatusForbidden).Says(says)
			}
		}
	})
}
