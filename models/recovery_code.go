package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// RecoveryCode works once in place of a code from an app.
type RecoveryCode struct {
	bun.BaseModel `bun:"table:recovery_codes,alias:rc"`

	UserID    uuid.UUID `bun:",pk"`
	CodeHash  []byte    `bun:",pk"` // like a password's
	Selector  string    // the first letter of the code; empty if CodeHash is a SHA-256 of an earlier version
	CreatedAt time.Time
}

// PasswordHash returns the stored password hash of the code. It is empty for a code of an
// earlier version: those are found by their whole hash.
func (c *RecoveryCode) PasswordHash() string {
	if c.Selector == "" {
		return ""
	}
	return string(c.CodeHash)
}

// A set has 10 codes. Each begins with another of the selectors, so that a typed code is
// compared with one hash. The other 75 bits are random.
const (
	recoverySelectors = "ABCDEFGHIJ"
	recoveryCodeBytes = 10
)

var recoveryEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewRecoveryCodes returns the codes of a new set.
func NewRecoveryCodes() []string {
	codes := make([]string, len(recoverySelectors))
	for i := range codes {
		bits := make([]byte, recoveryCodeBytes)
		rand.Read(bits)
		code := strings.ToLower(recoverySelectors[i:i+1] + recoveryEncoding.EncodeToString(bits)[1:])
		codes[i] = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
	}
	return codes
}

// NormalizeRecoveryCode returns what is hashed of a code: it ignores case, spaces and
// hyphens.
func NormalizeRecoveryCode(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

// SetRecoveryCodes gives u a new set of codes, of which it takes the password hashes, and
// notifies them by email. The old set is void. It returns ErrChanged if u has changed
// since it was read, or has no second factor.
func (db *DB) SetRecoveryCodes(ctx context.Context, u *User, hashes []string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		factors, err := tx.Factors(ctx, u)
		if err != nil {
			return err
		}
		if !factors.HasSecond() { // the last app was removed in another tab
			return ErrChanged
		}
		if err := tx.deleteRecoveryCodes(ctx, u.ID); err != nil {
			return err
		}
		rows := make([]RecoveryCode, len(hashes))
		for i, hash := range hashes {
			rows[i] = RecoveryCode{UserID: u.ID, CodeHash: []byte(hash), Selector: recoverySelectors[i : i+1], CreatedAt: now()}
		}
		if _, err := tx.bun.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return err
		}
		return tx.factorChanged(ctx, u, EventRecoveryCodesCreated)
	})
}

// RecoveryCode finds the code of user that typed may be; its PasswordHash tells. It
// returns ErrNotFound if there is none.
func (db *DB) RecoveryCode(ctx context.Context, user uuid.UUID, typed string) (*RecoveryCode, error) {
	code, selector := NormalizeRecoveryCode(typed), "none"
	if strings.IndexAny(code, recoverySelectors) == 0 {
		selector = code[:1]
	}
	sum := sha256.Sum256([]byte("recovery code of " + user.String() + "\x00" + code)) // as earlier versions stored it
	found := new(RecoveryCode)
	err := db.bun.NewSelect().Model(found).Where("user_id = ?", user).
		Where("selector = ? OR selector = '' AND code_hash = ?", selector, sum[:]).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return found, nil
}

// UseRecoveryCode uses up code, one of u's, and notifies them by email. It returns
// ErrNotFound if it was used before, maybe by another request at this moment.
func (db *DB) UseRecoveryCode(ctx context.Context, u *User, code *RecoveryCode) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, u.ID); err != nil {
			return err
		}
		result, err := tx.bun.NewDelete().Model(code).WherePK().Exec(ctx)
		if err != nil {
			return err
		}
		if err := requireRows(result); err != nil {
			return err
		}
		return tx.mailFactorChange(ctx, u, EventRecoveryCodeUsed)
	})
}

// RecoveryCodes lists the codes that u has left.
func (db *DB) RecoveryCodes(ctx context.Context, user uuid.UUID) ([]RecoveryCode, error) {
	var codes []RecoveryCode
	err := db.bun.NewSelect().Model(&codes).Where("user_id = ?", user).Scan(ctx)
	return codes, err
}

func (db *DB) deleteRecoveryCodes(ctx context.Context, user uuid.UUID) error {
	_, err := db.bun.NewDelete().Model((*RecoveryCode)(nil)).Where("user_id = ?", user).Exec(ctx)
	return err
}
