package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// FormerEmail is a confirmed email address that a user replaced a short while ago. Whoever
// reads mail there can undo that (see ReportChange), so nobody else can have it.
type FormerEmail struct {
	bun.BaseModel `bun:"table:former_emails,alias:fe"`

	ID         uuid.UUID `bun:",pk"` // sorts by when it was replaced
	UserID     uuid.UUID
	Email      string
	EmailKey   string
	ReplacedAt time.Time
}

// FormerEmailLife is how long a former address is kept.
const FormerEmailLife = 7 * 24 * time.Hour

// maxFormerEmails is how often a user can replace the address in FormerEmailLife. The
// oldest must stay, because it is the one that no stranger has chosen.
const maxFormerEmails = 10

// FormerEmails lists the addresses that user replaced in the last week, first replaced
// first.
func (db *DB) FormerEmails(ctx context.Context, user uuid.UUID) ([]FormerEmail, error) {
	var former []FormerEmail
	err := db.bun.NewSelect().Model(&former).Where("user_id = ?", user).
		Where("replaced_at > ?", now().Add(-FormerEmailLife)).Order("id").Scan(ctx)
	return former, err
}

// replaceEmail keeps the address of old, a user who has another now. It returns a
// *FullError if old was replaced too often.
func (db *DB) replaceEmail(ctx context.Context, old *User, key string) error {
	_, err := db.bun.NewDelete().Model((*FormerEmail)(nil)).Where("user_id = ?", old.ID).Where("email_key = ?", key).Exec(ctx)
	if err != nil || !old.Verified() { // nobody has proved that it is theirs
		return err
	}
	return db.insertUpTo(ctx, maxFormerEmails, "user_id", old.ID,
		&FormerEmail{ID: newID(), UserID: old.ID, Email: old.Email, EmailKey: old.EmailKey, ReplacedAt: now()})
}

// formerEmail finds the former address of user with that key. It returns ErrNotFound if
// there is none.
func (db *DB) formerEmail(ctx context.Context, user uuid.UUID, key string) (*FormerEmail, error) {
	f := new(FormerEmail)
	err := db.bun.NewSelect().Model(f).Where("user_id = ?", user).Where("email_key = ?", key).
		Where("replaced_at > ?", now().Add(-FormerEmailLife)).Order("id").Limit(1).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return f, nil
}

// reserved reports whether the address with that key is a former one of a user other than
// self.
func (db *DB) reserved(ctx context.Context, self uuid.UUID, key string) (bool, error) {
	var found []FormerEmail
	err := db.bun.NewSelect().Conn(db.prepared(key, self, db.timeArg(now().Add(-FormerEmailLife)))).Model(&found).Column("id").
		Where("email_key = ?", db.parameter(1)).Where("user_id <> ?", db.parameter(2)).
		Where("replaced_at > ?", db.parameter(3)).Limit(1).Scan(ctx)
	return len(found) > 0, err
}

// ownsEmail reports whether an address is u's: the present one, or one that u had before,
// which it returns.
func (db *DB) ownsEmail(ctx context.Context, u *User, email string) (former *FormerEmail, owns bool, err error) {
	key := text.EmailKey(email)
	if u.Verified() && u.EmailKey == key {
		return nil, true, nil
	}
	former, err = db.formerEmail(ctx, u.ID, key)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	return former, err == nil, err
}
