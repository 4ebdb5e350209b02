package mailed_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// BenchmarkForgotPassword measures known and unknown addresses in turn. The
// answer must take equally long for both: known/unknown is the ratio of the
// medians, and should be 1.
func BenchmarkForgotPassword(b *testing.B) {
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
			s.Join(apptest.Anna)
			stranger := s.Visit(b)
			took := map[string][]time.Duration{}
			ask := func(email string) {
				start := time.Now()
				stranger.Post("/forgot-password", apptest.Fill("email", email))
				took[email] = append(took[email], time.Since(start))
			}
			for b.Loop() {
				ask("anna@example.com")
				ask("carl@example.com")
			}
			b.ReportMetric(float64(median(took["anna@example.com"]))/float64(median(took["carl@example.com"])), "known/unknown")
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func freshSQLite(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "bench.db") }

func freshPostgreSQL(b *testing.B) string {
	cluster, err := modelstest.Shared()
	if err != nil {
		b.Fatal(err)
	}
	url, drop, err := cluster.CreateDatabase(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := drop(); err != nil {
			b.Error(err)
		}
	})
	return url
}
