package models

import (
	"context"
	"iter"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// AllMail iterates over the queue of mail in the order it was queued: that to user, or all
// if user is nil. Of a user it loads what [User.Login] needs.
func (db *DB) AllMail(ctx context.Context, user *User) iter.Seq2[*Mail, error] {
	read := func(after uuid.UUID) ([]Mail, error) {
		var mails []Mail
		query := db.bun.NewSelect().Model(&mails).
			Relation("User", loginColumns).
			Where("m.id > ?", after).Order("m.id").Limit(pageSize)
		if user != nil {
			query = query.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
				return q.Where("m.user_id = ?", user.ID).WhereOr("m.recipient = ?", user.Email) // some is queued without looking up the user
			})
		}
		err := query.Scan(ctx)
		return mails, err
	}
	return paginate(read, func(m *Mail) uuid.UUID { return m.ID })
}

// Mails lists up to limit mails of the queue, newest first, starting after the one with the id
// before unless that is zero. They lack what their text needs.
func (db *DB) Mails(ctx context.Context, before uuid.UUID, limit int) ([]Mail, error) {
	var mails []Mail
	err := db.bun.NewSelect().Model(&mails).ExcludeColumn("detail").Apply(newestBefore(before, int64(limit))).Scan(ctx)
	return mails, err
}

// RefusedMails is Mails for the mail that was refused lately.
func (db *DB) RefusedMails(ctx context.Context, before uuid.UUID, limit int) ([]RefusedMail, error) {
	var mails []RefusedMail
	err := db.bun.NewSelect().Model(&mails).Apply(newestBefore(before, int64(limit))).Scan(ctx)
	return mails, err
}

// MailByID finds a mail in the queue. It returns ErrNotFound if it was sent, or never
// queued.
func (db *DB) MailByID(ctx context.Context, id uuid.UUID) (*Mail, error) {
	m := new(Mail)
	err := db.bun.NewSelect().Model(m).Relation("User", loginColumns).
		Where("m.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// RefusedMailByID finds a mail that was refused. It returns ErrNotFound if there is none.
func (db *DB) RefusedMailByID(ctx context.Context, id uuid.UUID) (*RefusedMail, error) {
	m := new(RefusedMail)
	err := db.bun.NewSelect().Model(m).Relation("User", loginColumns).
		Where("rm.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return m, nil
}

// HurryMail makes a mail that waits for another attempt due at once. It returns ErrNotFound
// if it isn't in the queue any more.
func (db *DB) HurryMail(ctx context.Context, id uuid.UUID) error {
	result, err := db.bun.NewUpdate().Model((*Mail)(nil)).Set("next_at = ?", now()).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// DropMail removes a mail from the queue, or from those that were refused. It returns
// ErrNotFound if it is in neither.
func (db *DB) DropMail(ctx context.Context, id uuid.UUID) error {
	for _, model := range []any{(*Mail)(nil), (*RefusedMail)(nil)} {
		result, err := db.bun.NewDelete().Model(model).Where("id = ?", id).Exec(ctx)
		if err != nil {
			return err
		}
		if requireRows(result) == nil {
			return nil
		}
	}
	return ErrNotFound
}
