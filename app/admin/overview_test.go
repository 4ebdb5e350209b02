package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestOverview wants the numbers of each day as they were counted, in charts and in a table,
// and the state of the site.
func TestOverview(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		v.Get("/admin").Wants(http.StatusOK).Says("0 today") // before the first count
		s.Visit(t).Join(apptest.Ben)
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/dashboard")
		other.Post("/sign-in", apptest.Credentials("benjamin", "wrong password"))
		s.Visit(t).Post("/sign-in", apptest.Credentials("benjamin", "wrong password")).Wants(http.StatusUnprocessableEntity)
		for range 2 { // the second finds the day counted
			if err := db.CountDays(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		page := v.Get("/admin").Wants(http.StatusOK).Page().Harmless()
		today := time.Now().UTC().Format(time.DateOnly)
		row := page.Text("tbody tr:first-child")
		if !strings.HasPrefix(row, today+" 2 ") || !strings.HasSuffix(row, " 2") {
			t.Errorf("today is %q, want 2 sign-ups and 2 active people", row)
		}
		if n := page.Find("svg.chart").Length(); n != 4 {
			t.Errorf("there are %d charts", n)
		}
		if n := page.Find("tbody tr").Length(); n != 30 {
			t.Errorf("the table has %d days", n)
		}
		page.Says("Sessions 3").Says("Mail that waits 2").Says("vestibule")
		if n := v.Get("/admin?days=90").Wants(http.StatusOK).Find("tbody tr").Length(); n != 90 {
			t.Errorf("the table has %d of 90 days", n)
		}
	})
}

// TestCards wants the overview to have the number of a feature, which leads on, and to go
// without one that takes too long.
func TestCards(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		admin, support := s.Operator(apptest.Anna, models.OperatorAdmin), s.Operator(apptest.Ben, models.OperatorSupport)
		s.App.AddCard("People", "/admin/tables/users", func(*models.DB, context.Context) (int64, error) { return 4711, nil })
		s.App.AddCard("Stars", "/admin/people", func(*models.DB, context.Context) (int64, error) { return models.MaxCount, nil })
		s.App.AddCard("Grains", "/admin/people", func(_ *models.DB, ctx context.Context) (int64, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		page := admin.Get("/admin").Wants(http.StatusOK).Page().Harmless().Says("4,711").Says("10,000 or more").Says("Takes too long to count")
		if page.Find(`.figure a[href="/admin/tables/users"]`).Length() != 1 {
			page.Failf("the card leads nowhere")
		}
		if page := support.Get("/admin").Wants(http.StatusOK).Says("4,711"); page.Find(`a[href^="/admin/tables"]`).Length() != 0 {
			page.Failf("a card leads support to a table")
		}
	})
}
