package models_test

import (
	"context"
	"errors"
	"testing"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestSlowSearch stops a search that would take for ever, also if nobody waits for it,
// and leaves no query behind.
func TestSlowSearch(t *testing.T) {
	t.Parallel()
	const endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT max(i) FROM n"
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		gone, leave := context.WithCancel(t.Context())
		leave()
		for name, ctx := range map[string]context.Context{"awaited": t.Context(), "of a client that is gone": gone} {
			err := db.Search(ctx, func(ctx context.Context, db *models.DB) error {
				return db.Query(ctx, endless)
			})
			if !errors.Is(err, models.ErrSlowSearch) {
				t.Errorf("a search, %s: %v, want ErrSlowSearch", name, err)
			}
		}
		if db.Postgres() {
			var running int
			err := db.Bun().NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'WITH RECURSIVE n%'").Scan(t.Context(), &running)
			if err != nil || running > 0 {
				t.Errorf("%d queries are left running (%v)", running, err)
			}
		}
		for range 20 { // on each connection
			if _, err := db.Users(t.Context(), [16]byte{}, 1); err != nil {
				t.Errorf("after it: %v", err)
			}
		}
	})
}
