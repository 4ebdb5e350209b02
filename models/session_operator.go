package models

import (
	"context"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// RunningSessions lists up to limit sessions that have not expired, the latest sign-in first,
// starting after the one with the id before unless that is zero: those of user, or of
// everybody if user is the zero id. It loads the user and the identity, and no hash of a token.
func (db *DB) RunningSessions(ctx context.Context, user, before uuid.UUID, limit int) ([]Session, error) {
	var sessions []Session
	query := db.bun.NewSelect().Model(&sessions).ExcludeColumn("token_hash", "previous_token_hash").
		Relation("User", operatorColumns).Relation("Identity").
		Where("s.expires_at > ?", now()).Apply(newestBefore(before, int64(limit)))
	if user != uuid.Nil {
		query = query.Where("s.user_id = ?", user)
	}
	err := query.Scan(ctx)
	return sessions, err
}

// operatorColumns selects the columns of a related user that lists of the operator's pages
// show.
func operatorColumns(q *bun.SelectQuery) *bun.SelectQuery {
	return publicColumns(q).Column("verified_at", "disabled_at", "operator_role")
}
