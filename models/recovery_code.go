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
	CodeHash  []byte    `bun:",pk"`
	CreatedAt time.Time
}

// A set has 10 codes of 80 bits. SHA-256 is enough to store them: nobody guesses 80 random
// bits, whatever a hash costs.
const (
	recoveryCodes     = 10
	recoveryCodeBytes = 10
)

var recoveryEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// hashRecoveryCode returns the stored hash of a code of user. It ignores case, spaces and
// hyphens.
func hashRecoveryCode(user uuid.UUID, code string) []byte {
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	sum := sha256.Sum256([]byte("recovery code of " + user.String() + "\x00" + code))
	return sum[:]
}

// NewRecoveryCodes gives u a new set of codes, and notifies them by email. The old set is
// void. It returns ErrChanged if u has changed since it was read, or has no second factor.
func (db *DB) NewRecoveryCodes(ctx context.Context, u *User) ([]string, error) {
	var codes []string
	err := db.InTx(ctx, func(tx *DB) error {
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
		rows := make([]RecoveryCode, recoveryCodes)
		codes = make([]string, recoveryCodes)
		for i := range rows {
			bits := make([]byte, recoveryCodeBytes)
			rand.Read(bits)
			code := strings.ToLower(recoveryEncoding.EncodeToString(bits))
			codes[i] = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
			rows[i] = RecoveryCode{UserID: u.ID, CodeHash: hashRecoveryCode(u.ID, code), CreatedAt: now()}
		}
		if _, err := tx.bun.NewInsert().Model(&rows).Exec(ctx); err != nil {
			return err
		}
		return tx.factorChanged(ctx, u, EventRecoveryCodesCreated)
	})
	return codes, err
}

// UseRecoveryCode uses up a code of u, and notifies them by email. It returns ErrNotFound
// if it is not one, or was used before, maybe by another request at this moment.
func (db *DB) UseRecoveryCode(ctx context.Context, u *User, code string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, u.ID); err != nil {
			return err
		}
		result, err := tx.bun.NewDelete().Model((*RecoveryCode)(nil)).Where("user_id = ?", u.ID).
			Where("code_hash = ?", hashRecoveryCode(u.ID, code)).Exec(ctx)
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
