package admin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// anHour makes everybody wait for an hour after one attempt.
var anHour = models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}

// TestThrottles wants who must wait, a page at a time, though the database holds only hashes:
// by the audit log, and by a search for a person, which is recorded, or an address.
func TestThrottles(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		s.Visit(t).Join(apptest.Ben)
		ben := s.User("benjamin")
		v.Get("/admin/throttles").Wants(http.StatusOK).Page().Harmless().Says("Nobody has to wait.")
		attempts := func(key string, n int) {
			t.Helper()
			for range n {
				if err := db.Attempt(t.Context(), key, models.Limit{Free: int64(n), First: time.Hour, Longest: time.Hour, Forget: time.Hour}); err != nil {
					t.Fatal(err)
				}
			}
		}
		attempts("password of "+ben.ID.String()+" by ", 3)
		attempts("sign-in from 203.0.113.5", 1)
		page := v.Get("/admin/throttles").Wants(http.StatusOK)
		if got := rows(page, "#throttles"); len(got) != 2 || !strings.HasPrefix(got[0], "Unknown, ") || !strings.HasPrefix(got[1], "Unknown, ") {
			t.Errorf("listed are %q", got)
		}
		for _, q := range []string{ben.Email, "Benjamin", ben.ID.String()} {
			page := v.Get("/admin/throttles?q=" + q).Wants(http.StatusOK)
			if got := rows(page, "#throttles"); len(got) != 1 || !strings.HasPrefix(got[0], "Ben JonesWrong passwords, 3 attempts, wait ends ") {
				t.Errorf("%s finds %q", q, got)
			}
		}
		looks := slices.DeleteFunc(s.Events(), func(e models.Event) bool { return e.Kind != models.EventLooked })
		if len(looks) != 3 || looks[0].UserID != ben.ID {
			t.Errorf("recorded are %+v", looks)
		}
		v.Get("/admin/throttles?q=203.0.113.5", apptest.HTMX).Wants(http.StatusOK).Says("IP address 203.0.113.5 Failed sign-ins, 1 attempt, wait ends ")
		for _, q := range []string{"nobody", "203.0.113.6", apptest.Anna.Email, "nobody@example.com"} {
			v.Get("/admin/throttles?q=" + q).Wants(http.StatusOK).Says("there's nobody of that name")
		}

		if err := db.Record(t.Context(), models.Event{Kind: models.EventSignInFailed, UserID: ben.ID, IP: "203.0.113.5"}); err != nil {
			t.Fatal(err)
		}
		v.Get("/admin/throttles").Wants(http.StatusOK).Says("Ben Jones Wrong passwords").Says("IP address 203.0.113.5 Failed sign-ins")

		for i := range 40 {
			attempts(fmt.Sprintf("sign-in from 198.51.100.%d", i), 1)
		}
		seen := map[string]bool{}
		pages := 0
		for path := "/admin/throttles"; path != ""; pages++ {
			page := v.Get(path).Wants(http.StatusOK)
			for _, row := range rows(page, "#throttles") {
				seen[row] = true
			}
			path = page.Find("#throttles > li:last-child > a.quiet:only-child").AttrOr("href", "")
		}
		for _, hostile := range []string{"until=-9223372036854775808&key=x", "until=18446744073709551615&key=%00", "until=1&key=%00", "q=%00"} {
			v.Get("/admin/throttles?" + hostile).Wants(http.StatusOK)
		}
		v.Get("/admin/throttles/%00/lift").Wants(http.StatusNotFound)
		if len(seen) != 42 || pages != 3 {
			t.Errorf("%d pages show %d of 42 throttles", pages, len(seen))
		}
	})
}

// TestLiftThrottle lifts one throttle with a reason that is recorded. The person needn't wait
// any more.
func TestLiftThrottle(t *testing.T) {
	slow := func(c *app.Config) { c.LimitAccount = anHour }
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		s.Operator(apptest.Nth(1), models.OperatorAdmin)
		s.Visit(t).Join(apptest.Ben)
		ben := s.Visit(t)
		ben.Post("/sign-in", apptest.Credentials("benjamin", "wrong password")).Wants(http.StatusUnprocessableEntity)
		ben.Post("/sign-in", apptest.Ben.Credentials()).Wants(http.StatusTooManyRequests)
		path := v.Get("/admin/throttles").Says("Ben Jones Wrong passwords").Find(`#throttles a[href$="/lift"]`).AttrOr("href", "")
		page := v.Get(path).Wants(http.StatusOK).Page().Harmless().Says("Ben Jones: Wrong passwords")
		v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/admin/throttles")
		e := s.Events()[slices.IndexFunc(s.Events(), func(e models.Event) bool { return e.Kind == models.EventUnlocked })]
		if e.UserID != s.User("benjamin").ID || e.ActorID != s.User("anna.smith").ID || e.OperatorRole != models.OperatorSupport || e.Detail != (models.EventDetail{Limit: "password", Reason: reason}) {
			t.Errorf("recorded is %+v", e)
		}
		v.Get("/admin/audit").Says("Attempt limit reset: Wrong passwords")
		ben.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
		v.Post(path, apptest.Fill("reason", reason), options...).Wants(http.StatusNotFound)

		// Neither their own, nor as support an operator's.
		for username, says := range map[string]string{"anna.smith": "This is your own account", apptest.Nth(1).Username: "They're an operator, too."} {
			u := s.User(username)
			if err := s.DB.Attempt(t.Context(), "security code of "+u.ID.String()+" by ", anHour); err != nil {
				t.Fatal(err)
			}
			if page := v.Get("/admin/throttles?q=" + u.Email).Says("Wrong security codes"); page.Find(`#throttles a[href$="/lift"]`).Length() != 0 {
				page.Failf("it offers to lift it")
			}
			waits, err := s.DB.Waits(t.Context(), models.WaitSearch{User: u, Limit: 1})
			if err != nil || len(waits) != 1 {
				t.Fatal(waits, err)
			}
			path := "/admin/throttles/" + waits[0].Key + "/lift"
			v.Post(path, apptest.Fill("reason", reason)).Wants(http.StatusForbidden).Says(says)
		}
	}, slow)
}
