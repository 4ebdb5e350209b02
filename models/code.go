package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// Code is a mailed code. It works once, where it was asked for: in the browser that has the
// secret of its request or, if it has no browser, in the sessions of its user.
type Code struct {
	bun.BaseModel `bun:"table:codes,alias:mc"`

	ID          uuid.UUID `bun:",pk"`
	UserID      uuid.UUID
	Purpose     Purpose
	Email       string // where it was sent
	BrowserHash []byte // see CodeRequest; NULL if a session asked
	CodeHash    string // like a password's
	Next        string // where it leads
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// CodeLife is how long a mailed code works (ASVS 5.0, 6.5.5).
const CodeLife = 10 * time.Minute

// MaxCodeTries is how often a browser may try to type its code.
const MaxCodeTries = 5

// CodeRequest says which browser has asked for a code, and where that leads. It is stored
// with the mail, whether or not anybody has the address.
type CodeRequest struct {
	Browser []byte `json:"browser,omitempty"` // the hash of the browser's secret and the address
	Next    string `json:"next,omitempty"`
}

// NewCodeRequest returns a request for a code to that address, and the secret for the
// browser's cookie. Each has a new one, so nobody who used the browser before has it.
func NewCodeRequest(email, next string) (secret string, r *CodeRequest) {
	secret, _ = newSecret()
	return secret, &CodeRequest{Browser: hashCodeRequest(secret, email), Next: next}
}

// hashCodeRequest returns what identifies a request. It takes the address in, so that a
// browser can't claim to have asked for another's code.
func hashCodeRequest(secret, email string) []byte {
	sum := sha256.Sum256([]byte(secret + " " + text.EmailKey(email)))
	return sum[:]
}

// RequestKey returns what identifies the request of a browser, for counting its tries.
func RequestKey(secret, email string) string {
	return base64.RawURLEncoding.EncodeToString(hashCodeRequest(secret, email))
}

// Codes use Crockford's base 32 alphabet, which has no look-alikes. Eight characters are 40
// bits: enough for a code that can be tried five times.
const (
	codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength   = 8
)

// NewCode returns a random code, as it is mailed.
func NewCode() string {
	bits := make([]byte, codeLength)
	rand.Read(bits)
	for i, b := range bits {
		bits[i] = codeAlphabet[int(b)%len(codeAlphabet)] // which divides 256
	}
	return FormatCode(string(bits))
}

// FormatCode returns a code of NormalizeCode as people read it.
func FormatCode(code string) string { return code[:codeLength/2] + "-" + code[codeLength/2:] }

// NormalizeCode returns what is hashed of a typed code, or "" if it can't be one. It
// ignores case, spaces and hyphens, and reads what looks like another letter as that.
func NormalizeCode(typed string) string {
	code := codeReader.Replace(strings.ToUpper(typed))
	if len(code) != codeLength || strings.Trim(code, codeAlphabet) != "" {
		return ""
	}
	return code
}

var codeReader = strings.NewReplacer(" ", "", "\u00a0", "", "-", "", "\u2010", "", "\u2011", "", "\u2013", "", "O", "0", "I", "1", "L", "1")

// CreateCode stores a code for user, to be sent to email by mail m. It takes the hash like a
// password's. It voids the user's older code for that purpose, and returns ErrNotFound if m
// was removed from the queue in the meantime.
func (db *DB) CreateCode(ctx context.Context, m *Mail, user *User, purpose Purpose, email, hash string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUser(ctx, user.ID); err != nil {
			return err
		}
		if err := tx.requireQueued(ctx, m); err != nil {
			return err
		}
		if err := tx.deleteCodes(ctx, user.ID, purpose); err != nil {
			return err
		}
		t := now()
		code := &Code{ID: newID(), UserID: user.ID, Purpose: purpose, Email: email, CodeHash: hash, CreatedAt: t, ExpiresAt: t.Add(CodeLife)}
		if r := m.Detail.Code; r != nil {
			code.BrowserHash, code.Next = r.Browser, r.Next
		}
		_, err := tx.bun.NewInsert().Model(code).Exec(ctx)
		return err
	})
}

// CodeOf finds the code for that purpose that the browser with that secret has asked for to
// be sent to email. It returns ErrNotFound if there is none.
func (db *DB) CodeOf(ctx context.Context, secret, email string, purpose Purpose) (*Code, error) {
	code := new(Code)
	err := db.bun.NewSelect().Model(code).Where("browser_hash = ?", hashCodeRequest(secret, email)).
		Where("purpose = ?", purpose).Where("expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return code, nil
}

// OwnCode finds the code for that purpose that a session of user has asked for. It returns
// ErrNotFound if there is none.
func (db *DB) OwnCode(ctx context.Context, user uuid.UUID, purpose Purpose) (*Code, error) {
	code := new(Code)
	err := db.bun.NewSelect().Model(code).Where("user_id = ?", user).Where("purpose = ?", purpose).
		Where("browser_hash IS NULL").Where("expires_at > ?", now()).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return code, nil
}

// ExchangeCode uses up code for the secret of a token with its purpose, which voids the one
// that was mailed with it. It returns ErrNotFound as UseCode does.
func (db *DB) ExchangeCode(ctx context.Context, code *Code) (secret string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		u, err := tx.takeCode(ctx, code)
		if err != nil {
			return err
		}
		if u.Email != code.Email {
			return ErrNotFound
		}
		secret, err = tx.insertToken(ctx, nil, newToken(u, code.Purpose, code.Email))
		return err
	})
	return secret, err
}

// TokenOfCode uses up code for the token that was mailed with it. It returns ErrNotFound as
// UseCode does, and if the token was used or replaced.
func (db *DB) TokenOfCode(ctx context.Context, code *Code) (token *Token, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		u, err := tx.takeCode(ctx, code)
		if err != nil {
			return err
		}
		token = &Token{User: u}
		err = tx.bun.NewSelect().Model(token).Where("t.user_id = ?", u.ID).Where("t.purpose = ?", code.Purpose).
			Where("t.email = ?", code.Email).Where("t.expires_at > ?", now()).Scan(ctx)
		token.User = u
		return asNotFound(err)
	})
	return token, err
}

// UseCode uses up code, and returns its user. That proves the address: if nobody had before,
// it ends what others may have prepared there (the password, the sessions and every other
// way in), and reports claimed. It returns ErrNotFound if the code was used or replaced in
// the meantime, or the user is disabled or has another address now.
func (db *DB) UseCode(ctx context.Context, code *Code) (u *User, claimed bool, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		if u, err = tx.takeCode(ctx, code); err != nil {
			return err
		}
		if u.Email != code.Email {
			return ErrNotFound
		}
		if u.Verified() {
			return nil
		}
		claimed = true
		if err := tx.deleteWaysIn(ctx, u.ID); err != nil {
			return err
		}
		if err := tx.markVerified(ctx, u); err != nil {
			return err
		}
		u.MailSignInAt = now() // no other way in is left
		if err := tx.updateUser(ctx, u, "mail_sign_in_at"); err != nil {
			return err
		}
		return tx.setPassword(ctx, u, "", uuid.Nil, MailFactorChanged, MailDetail{Change: EventPasswordRemoved})
	})
	return u, claimed, err
}

// takeCode deletes code and returns its user, who is then locked. It returns ErrNotFound if
// the code was used or replaced in the meantime, or the user is disabled.
func (db *DB) takeCode(ctx context.Context, code *Code) (*User, error) {
	u, err := db.lockUser(ctx, code.UserID)
	if err != nil {
		return nil, err
	}
	if u.Disabled() {
		return nil, ErrNotFound
	}
	result, err := db.bun.NewDelete().Model(code).WherePK().Where("expires_at > ?", now()).Exec(ctx)
	if err != nil {
		return nil, err
	}
	return u, requireRows(result)
}

// deleteCodes voids the codes of user for these purposes.
func (db *DB) deleteCodes(ctx context.Context, user uuid.UUID, purposes ...Purpose) error {
	_, err := db.bun.NewDelete().Model((*Code)(nil)).Where("user_id = ?", user).Where("purpose IN (?)", bun.List(purposes)).Exec(ctx)
	return err
}
