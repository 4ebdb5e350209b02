package models

import "context"

// Query runs a query for a number, as a feature's own file in this package would.
func (db *DB) Query(ctx context.Context, query string) error {
	return db.bun.NewRaw(query).Scan(ctx, new(int))
}

// PurgeBatch returns how many rows a purge takes at a time.
func (db *DB) PurgeBatch() int { return db.purgeBatch() }
