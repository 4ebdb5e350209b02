package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"vestibule/app/text"
)

// RenewEmails brings the email addresses that an earlier version stored otherwise into
// the form of [text.Email], with their keys, so that their users can sign in by either
// spelling. It returns how many it renewed, and the users whose address another account
// has in that form: these sign in by username. It reads only addresses that aren't ASCII.
//
// An address whose part before the @ had characters that nobody sees was never the one
// that it becomes, so it counts as unconfirmed.
func (db *DB) RenewEmails(ctx context.Context) (renewed int, taken []uuid.UUID, err error) {
	read := func(after uuid.UUID) ([]User, error) {
		var users []User
		err := db.bun.NewSelect().Model(&users).Column("id", "email", "email_key", "verified_at").
			Where("octet_length(email) > length(email) OR octet_length(email_key) > length(email_key)").
			Where("id > ?", after).Order("id").Limit(pageSize).Scan(ctx)
		return users, err
	}
	for u, err := range paginate(read, func(u *User) uuid.UUID { return u.ID }) {
		if err != nil {
			return renewed, taken, err
		}
		old := *u
		u.Email, u.EmailKey = text.Email(old.Email), text.EmailKey(old.Email)
		if text.Local(u.Email) != text.Local(old.Email) {
			u.VerifiedAt = time.Time{}
		}
		if u.Email == old.Email && u.EmailKey == old.EmailKey {
			continue
		}
		_, err := db.bun.NewUpdate().Model(u).Column("email", "email_key", "verified_at").WherePK().Where("email = ?", old.Email).Exec(ctx)
		if err = asTaken(err, userConstraints); errors.As(err, new(*TakenError)) {
			taken = append(taken, u.ID)
			continue
		}
		if err != nil {
			return renewed, taken, err
		}
		renewed++
	}
	return renewed, taken, nil
}
