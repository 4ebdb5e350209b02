package models

import "context"

// OperatorRole is the role of an operator of the site. It is empty for everybody else.
type OperatorRole string

// The roles of operators.
const (
	OperatorSupport OperatorRole = "support" // looks, ends sessions, lifts throttles and sends links
	OperatorAdmin   OperatorRole = "admin"   // does everything
)

// Operator reports whether the user is an operator of the site.
func (u *User) Operator() bool { return u.OperatorRole != "" }

// SetOperator makes u an operator with that role. With the empty role, u is none any more.
// It returns ErrChanged if u has changed since it was read.
func (db *DB) SetOperator(ctx context.Context, u *User, role OperatorRole) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		u.OperatorRole = role
		if err := tx.endImpersonationsOf(ctx, u); err != nil {
			return err
		}
		return tx.updateUser(ctx, u, "operator_role")
	})
}
