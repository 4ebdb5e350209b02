package models

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// RefusedMail is mail that could not be delivered. It is kept for a while, so that an
// operator can tell a person why their mail did not come. It holds neither the text nor
// the link.
type RefusedMail struct {
	bun.BaseModel `bun:"table:refused_mails,alias:rm"`

	ID        uuid.UUID `bun:",pk"`
	Kind      string
	Recipient string
	UserID    uuid.UUID `bun:",nullzero"` // zero if the recipient may have no account
	Reason    string
	Attempts  int
	CreatedAt time.Time
	RefusedAt time.Time

	User *User `bun:"rel:belongs-to,join:user_id=id"` // nil if deleted since
}

// refusedMailLife is how long refused mail is kept.
const refusedMailLife = 30 * 24 * time.Hour

// maxReason is the length of a stored reason in bytes.
const maxReason = 500

// RefuseMail takes m from the queue and keeps the reason for operators.
func (db *DB) RefuseMail(ctx context.Context, m *Mail, reason string) error {
	refused := &RefusedMail{
		ID:        m.ID,
		Kind:      m.Kind,
		Recipient: m.Recipient,
		UserID:    m.UserID,
		Reason:    sanitize(reason, maxReason),
		Attempts:  m.Attempts,
		CreatedAt: m.CreatedAt,
		RefusedAt: now(),
	}
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.bun.NewInsert().Model(refused).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
		return tx.DeleteMail(ctx, m)
	})
}

// AllRefusedMail iterates over the refused mail of the last 30 days, newest first: that
// of user, or all if user is the zero id. Of the users only the usernames
// and email addresses are loaded.
func (db *DB) AllRefusedMail(ctx context.Context, user uuid.UUID) iter.Seq2[*RefusedMail, error] {
	read := func(before uuid.UUID) ([]RefusedMail, error) {
		var mails []RefusedMail
		query := db.bun.NewSelect().Model(&mails).
			Relation("User", loginColumns).
			Apply(newestBefore(before, pageSize))
		if user != uuid.Nil {
			query = query.Where("rm.user_id = ?", user)
		}
		err := query.Scan(ctx)
		return mails, err
	}
	return paginate(read, func(m *RefusedMail) uuid.UUID { return m.ID })
}

// deleteRefusedMail forgets the refused mail to user.
func (db *DB) deleteRefusedMail(ctx context.Context, user *User) error {
	_, err := db.bun.NewDelete().Model((*RefusedMail)(nil)).
		Where("user_id = ? OR recipient = ?", user.ID, user.Email).Exec(ctx)
	return err
}
