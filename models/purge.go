package models

import "context"

// purgeBatch keeps each delete short, so that a large purge holds no lock long.
const purgeBatch = 1000

// Purge deletes the expired sessions and tokens, and returns how many rows that
// were.
func (db *DB) Purge(ctx context.Context) (int, error) {
	total := 0
	for _, model := range []any{(*Session)(nil), (*Token)(nil)} {
		for {
			expired := db.bun.NewSelect().Model(model).Column("id").Where("expires_at <= ?", now()).Limit(purgeBatch)
			result, err := db.bun.NewDelete().Model(model).Where("id IN (?)", expired).Exec(ctx)
			if err != nil {
				return total, err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return total, err
			}
			total += int(n)
			if n < purgeBatch {
				break
			}
		}
	}
	return total, nil
}
