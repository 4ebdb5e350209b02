package models

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// ImpersonationMode says whether operators may use the site as somebody else.
type ImpersonationMode string

// What the setting IMPERSONATION can be.
const (
	ImpersonationOff   ImpersonationMode = "off"
	ImpersonationRead  ImpersonationMode = "read"  // they change nothing
	ImpersonationWrite ImpersonationMode = "write" // they may change what isn't sensitive
)

// ImpersonationLife is how long an impersonation lasts at most. Nothing renews it.
const ImpersonationLife = 30 * time.Minute

// Impersonation is an operator who uses the site as somebody else. It belongs to the
// operator's own session: the person gets none. The row stays until the end is recorded and
// mail to the person is queued.
type Impersonation struct {
	bun.BaseModel `bun:"table:impersonations,alias:imp"`

	SessionID  uuid.UUID `bun:",pk"` // of the operator, which may have ended
	OperatorID uuid.UUID
	UserID     uuid.UUID // as whom
	Writes     bool      // it may change something, if the setting still allows that
	CreatedAt  time.Time
	ExpiresAt  time.Time

	User *User `bun:"rel:belongs-to,join:user_id=id"`
}

// Over reports whether its time is up.
func (i *Impersonation) Over() bool { return !now().Before(i.ExpiresAt) }

// MayImpersonate reports whether operator may use the site as user. Nobody may use it as
// another operator.
func MayImpersonate(operator, user *User) bool {
	return operator.OperatorRole == OperatorAdmin && !user.Operator() && !user.Disabled()
}

// Impersonate lets the operator whose session s is use the site as u. It returns ErrChanged if
// they may not, or do so already.
func (db *DB) Impersonate(ctx context.Context, s *Session, u *User, writes bool) error {
	return db.InTx(ctx, func(tx *DB) error {
		locked, err := tx.lockUnchanged(ctx, u)
		if err != nil {
			return err
		}
		if !MayImpersonate(s.User, locked) {
			return ErrChanged
		}
		t := now()
		i := &Impersonation{SessionID: s.ID, OperatorID: s.UserID, UserID: u.ID, Writes: writes, CreatedAt: t, ExpiresAt: t.Add(ImpersonationLife)}
		result, err := tx.bun.NewInsert().Model(i).On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		return asChanged(requireRows(result))
	})
}

// How an impersonation ends.
const (
	ImpersonationStopped   = "stopped"
	ImpersonationRanOut    = "ran out"
	ImpersonationSignedOut = "signed out"
	ImpersonationRevoked   = "no longer allowed" // the session, the role or the setting ended it
)

// EndImpersonation ends i and tells the person, at an address that they have confirmed. The
// event, which is recorded in the same transaction, says from where. The end is what ends it
// unless its time is up. EndImpersonation returns ErrNotFound if i has ended already.
func (db *DB) EndImpersonation(ctx context.Context, i *Impersonation, end string, e Event) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, i.UserID)
		if err != nil {
			return err
		}
		result, err := tx.bun.NewDelete().Model(i).WherePK().Where("created_at = ?", i.CreatedAt).Exec(ctx)
		if err != nil {
			return err
		}
		if err := requireRows(result); err != nil {
			return err
		}
		until := now()
		if i.Over() {
			until, end = i.ExpiresAt, ImpersonationRanOut
		}
		e.Kind, e.UserID, e.ActorID = EventImpersonationEnded, i.UserID, i.OperatorID
		e.OperatorID, e.OperatorRole, e.Detail = uuid.Nil, OperatorAdmin, EventDetail{End: end}
		if err := tx.Record(ctx, e); err != nil {
			return err
		}
		return tx.mailUser(ctx, u, MailImpersonated, MailDetail{When: i.CreatedAt, Until: until, Writes: i.Writes})
	})
}

// impersonationGrace is how long an expired impersonation is left for the operator's next
// request, which tells them that it has ended.
const impersonationGrace = 2 * time.Minute

// EndImpersonations ends the impersonations that nobody uses any more: their time is up, or
// the operator lost the session or the role. It returns their number. Several processes may
// call it at once; each impersonation ends once.
func (db *DB) EndImpersonations(ctx context.Context) (n int, err error) {
	var over []Impersonation
	t := now()
	session := db.bun.NewSelect().Model((*Session)(nil)).ColumnExpr("1").Where("s.id = imp.session_id").Where("s.expires_at > ?", t)
	operator := db.bun.NewSelect().Model((*User)(nil)).ColumnExpr("1").Where("u.id = imp.operator_id").Where("u.operator_role = ?", OperatorAdmin)
	err = db.bun.NewSelect().Model(&over).Where("imp.expires_at <= ?", t.Add(-impersonationGrace)).
		WhereOr("NOT EXISTS (?)", session).WhereOr("NOT EXISTS (?)", operator).Order("imp.created_at").Limit(pageSize).Scan(ctx)
	if err != nil {
		return 0, err
	}
	return db.revokeImpersonations(ctx, over)
}

// revokeImpersonations ends those that haven't ended in the meantime, and returns their number.
func (db *DB) revokeImpersonations(ctx context.Context, all []Impersonation) (n int, err error) {
	for _, i := range all {
		switch failed := db.EndImpersonation(ctx, &i, ImpersonationRevoked, Event{}); {
		case failed == nil:
			n++
		case !errors.Is(failed, ErrNotFound): // another process was faster
			err = errors.Join(err, failed)
		}
	}
	return n, err
}

// endImpersonationsOf ends the impersonations by u and of u, who may not go on with them, now
// or once that is undone.
func (db *DB) endImpersonationsOf(ctx context.Context, u *User) error {
	var all []Impersonation
	if err := db.bun.NewSelect().Model(&all).Where("imp.user_id = ?", u.ID).WhereOr("imp.operator_id = ?", u.ID).Scan(ctx); err != nil {
		return err
	}
	_, err := db.revokeImpersonations(ctx, all)
	return err
}
