package mailed_test

import (
	"slices"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/migrations"
	"vestibule/models"
)

// BenchmarkSignInCode measures asking for a code and typing a wrong one, for known and
// unknown addresses in turn. Each known/unknown is the ratio of the medians, and should be
// 1.
func BenchmarkSignInCode(b *testing.B) {
	for name, fresh := range map[string]func(*testing.B) string{"sqlite": freshSQLite, "postgres": freshPostgreSQL} {
		b.Run(name, func(b *testing.B) {
			db, err := models.Open(b.Context(), fresh(b), 0)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := db.Close(); err != nil {
					b.Error(err)
				}
			})
			if _, err := migrations.Up(b.Context(), db); err != nil {
				b.Fatal(err)
			}
			s := apptest.NewSite(b, db)
			s.Visit(b).Join(apptest.Anna)
			s.Deliver()
			emails := []string{apptest.Anna.Email, "carl@example.com"}
			waiting, asking := map[string]*apptest.Visitor{}, s.Visit(b)
			for _, email := range emails {
				waiting[email] = s.Visit(b)
				waiting[email].Post(signInCode, apptest.Fill("email", email))
			}
			s.Deliver()
			asked, tried := map[string][]time.Duration{}, map[string][]time.Duration{}
			for b.Loop() {
				if _, err := db.Bun().NewDelete().Model((*models.Throttle)(nil)).Where("TRUE").Exec(b.Context()); err != nil {
					b.Fatal(err)
				}
				slices.Reverse(emails) // neither always comes first
				for _, email := range emails {
					start := time.Now()
					asking.Post(signInCode, apptest.Fill("email", email))
					asked[email] = append(asked[email], time.Since(start))
				}
				for _, email := range emails {
					start := time.Now()
					waiting[email].Post(signInCode, code("0000-0000"))
					tried[email] = append(tried[email], time.Since(start))
				}
			}
			for name, took := range map[string]map[string][]time.Duration{"asked": asked, "tried": tried} {
				b.ReportMetric(float64(median(took[apptest.Anna.Email]))/float64(median(took["carl@example.com"])), name+"-known/unknown")
			}
		})
	}
}
