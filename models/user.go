package models

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// User is a person with an account. Username and Email are kept as typed; the
// keys beside them make both unique without regard to case.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID           uuid.UUID `bun:",pk"`
	Username     string
	UsernameKey  string
	Email        string
	EmailKey     string
	FirstName    string
	LastName     string
	NameKey      string
	PasswordHash string    // a PHC string of argon2id
	VerifiedAt   time.Time `bun:",nullzero"` // when the person proved that Email is theirs
	DisabledAt   time.Time `bun:",nullzero"` // since when the person may not sign in
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// FullName is the first and the last name.
func (u *User) FullName() string { return u.FirstName + " " + u.LastName }

// Verified tells whether the person proved that the e-mail is theirs.
func (u *User) Verified() bool { return !u.VerifiedAt.IsZero() }

// Disabled tells whether the person may not sign in.
func (u *User) Disabled() bool { return !u.DisabledAt.IsZero() }

// Key folds a username or an e-mail address to the form that decides whether
// two are the same.
func Key(s string) string {
	capital := strings.Map(cherokee, norm.NFC.String(s))
	return norm.NFC.String(cases.Fold().String(capital))
}

// cherokee returns the capital of a Cherokee letter. cases.Fold would turn each
// case of those into the other.
func cherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

var userConstraints = map[string]string{
	"username_key": "username",
	"email_key":    "email",
}

// CreateUser stores a new user, fills in the id, the keys and the times, and
// queues the mail that verifies the address unless it is verified. It returns a
// *TakenError when the username or the e-mail belongs to another.
func (db *DB) CreateUser(ctx context.Context, u *User) error {
	u.ID = newID()
	u.UsernameKey, u.EmailKey, u.NameKey = Key(u.Username), Key(u.Email), Key(u.FullName())
	u.CreatedAt = now()
	u.UpdatedAt = u.CreatedAt
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.bun.NewInsert().Model(u).Exec(ctx); err != nil {
			return taken(err, userConstraints)
		}
		if u.Verified() {
			return nil
		}
		return tx.mailUser(ctx, u, MailVerifyEmail, MailDetail{})
	})
}

// updateUser stores the given columns of u. It returns ErrChanged when u has gone.
func (db *DB) updateUser(ctx context.Context, u *User, columns ...string) error {
	u.UsernameKey, u.EmailKey, u.NameKey = Key(u.Username), Key(u.Email), Key(u.FullName())
	u.UpdatedAt = now()
	result, err := db.bun.NewUpdate().Model(u).WherePK().Column(append(columns, "updated_at")...).Exec(ctx)
	if err != nil {
		return taken(err, userConstraints)
	}
	return asChanged(requireRows(result))
}

// UpdateProfile stores u's username, first and last name. It returns a
// *TakenError when the username belongs to another.
func (db *DB) UpdateProfile(ctx context.Context, u *User) error {
	return db.updateUser(ctx, u, "username", "username_key", "first_name", "last_name", "name_key")
}

// RehashPassword stores a new hash of the same password. It returns ErrChanged
// when the hash was changed meanwhile.
func (db *DB) RehashPassword(ctx context.Context, u *User, hash string) error {
	result, err := db.bun.NewUpdate().Model((*User)(nil)).Set("password_hash = ?", hash).
		Where("id = ?", u.ID).Where("password_hash = ?", u.PasswordHash).Exec(ctx)
	if err != nil {
		return err
	}
	if err := asChanged(requireRows(result)); err != nil {
		return err
	}
	u.PasswordHash = hash
	return nil
}

// ChangePassword stores the hash of a new password and voids what the old one
// gave: it ends every session but s, forgets the known browsers and takes back
// what was mailed. It tells u by mail. The session s gets a new token, which is
// returned for the cookie; nil, for an operator, is none. It returns ErrChanged
// when u or s has changed since they were read.
func (db *DB) ChangePassword(ctx context.Context, u *User, hash string, s *Session) (token string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		locked, err := tx.lockAs(ctx, u)
		if err != nil {
			return err
		}
		keep := uuid.Nil
		if s != nil {
			keep = s.ID
			if token, err = tx.RenewSession(ctx, s); err != nil {
				return err
			}
		}
		if err := tx.setPassword(ctx, locked, hash, keep, MailPasswordChanged); err != nil {
			return err
		}
		u.PasswordHash = hash
		return nil
	})
	return token, err
}

// ResetPassword uses token up and stores the hash of a new password for its
// user. It ends every session, voids what was mailed before, and tells the user
// by mail. It returns ErrNotFound when the token was used meanwhile, or the user
// is disabled or has another address by now.
func (db *DB) ResetPassword(ctx context.Context, token *Token, hash string) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		if u.Disabled() || u.EmailKey != Key(token.Email) {
			return ErrNotFound
		}
		if err := tx.useToken(ctx, token); err != nil {
			return err
		}
		if !u.Verified() { // the mail has arrived
			u.VerifiedAt = now()
			if err := tx.updateUser(ctx, u, "verified_at"); err != nil {
				return err
			}
		}
		token.User = u
		return tx.setPassword(ctx, u, hash, uuid.Nil, MailPasswordReset)
	})
}

func (db *DB) setPassword(ctx context.Context, u *User, hash string, keep uuid.UUID, notice string) error {
	u.PasswordHash = hash
	if err := db.updateUser(ctx, u, "password_hash"); err != nil {
		return err
	}
	if _, err := db.DeleteSessions(ctx, u.ID, keep); err != nil {
		return err
	}
	if err := db.forgetBrowsers(ctx, u); err != nil {
		return err
	}
	if err := db.deleteTokens(ctx, u.ID, ResetPassword, ChangeEmail); err != nil {
		return err
	}
	if err := db.unqueue(ctx, u.ID, MailChangeEmail); err != nil {
		return err
	}
	return db.mailUser(ctx, u, notice, MailDetail{})
}

// RequestEmail queues the mail that confirms email as the new address of u.
// Until then the old one stays. It returns ErrChanged when u has changed since
// it was read.
func (db *DB) RequestEmail(ctx context.Context, u *User, email string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockAs(ctx, u); err != nil {
			return err
		}
		if err := tx.deleteTokens(ctx, u.ID, ChangeEmail); err != nil {
			return err
		}
		if err := tx.unqueue(ctx, u.ID, MailChangeEmail); err != nil {
			return err
		}
		return tx.QueueMail(ctx, Mail{Kind: MailChangeEmail, Recipient: email, UserID: u.ID, Detail: MailDetail{Email: email}})
	})
}

// ConfirmEmail uses token up: its address is verified, and becomes the user's
// if it was to be the new one, of which the old address is told. It returns
// ErrNotFound when the token was used meanwhile or is for another address, or
// the user is disabled, and a *TakenError when the address belongs to another by
// now.
func (db *DB) ConfirmEmail(ctx context.Context, token *Token) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		if u.Disabled() || token.Purpose != ChangeEmail && u.EmailKey != Key(token.Email) {
			return ErrNotFound
		}
		if err := tx.useToken(ctx, token); err != nil {
			return err
		}
		old := *u
		u.VerifiedAt = now()
		if token.Purpose == ChangeEmail {
			u.Email = token.Email
		}
		if err := tx.updateUser(ctx, u, "email", "email_key", "verified_at"); err != nil {
			return err
		}
		if token.Purpose != ChangeEmail {
			return nil
		}
		if err := tx.deleteTokens(ctx, u.ID, VerifyEmail, ChangeEmail, ResetPassword); err != nil {
			return err
		}
		return tx.mailUser(ctx, &old, MailEmailChanged, MailDetail{Email: u.Email})
	})
}

// DisableUser keeps u from signing in and ends every session.
func (db *DB) DisableUser(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		u.DisabledAt = now()
		if err := tx.updateUser(ctx, u, "disabled_at"); err != nil {
			return err
		}
		_, err := tx.DeleteSessions(ctx, u.ID, uuid.Nil)
		return err
	})
}

// EnableUser lets u sign in again.
func (db *DB) EnableUser(ctx context.Context, u *User) error {
	u.DisabledAt = time.Time{}
	return db.updateUser(ctx, u, "disabled_at")
}

// DeleteUser removes u and, by the foreign keys, all that hangs on it, and says
// so by mail. Notices that wait in the queue are still sent; mails with a token
// are not. It returns ErrChanged when u has changed since it was read, and a
// *LastOwnerError when that would leave an organization to nobody.
func (db *DB) DeleteUser(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockAs(ctx, u); err != nil {
			return err
		}
		if err := tx.leaveOrganizations(ctx, u); err != nil {
			return err
		}
		if err := tx.unqueue(ctx, u.ID, MailVerifyEmail, MailChangeEmail); err != nil {
			return err
		}
		if _, err := tx.bun.NewDelete().Model(u).WherePK().Exec(ctx); err != nil {
			return err
		}
		return tx.mailUser(ctx, u, MailAccountDeleted, MailDetail{})
	})
}

// UserByLogin finds a user by e-mail address or username, in any case. A
// username cannot hold an @, so the two never meet. It returns ErrNotFound
// when there is none.
func (db *DB) UserByLogin(ctx context.Context, login string) (*User, error) {
	column := "username_key"
	if strings.Contains(login, "@") {
		column = "email_key"
	}
	u := new(User)
	err := db.bun.NewSelect().Conn(db.prepared(Key(login))).Model(u).Where("? = ?", bun.Ident(column), db.parameter(1)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// UserByID finds a user. It returns ErrNotFound when there is none.
func (db *DB) UserByID(ctx context.Context, id uuid.UUID) (*User, error) {
	u := new(User)
	if err := db.bun.NewSelect().Conn(db.prepared(id)).Model(u).Where("id = ?", db.parameter(1)).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// Users lists at most limit users in the order of their sign-up, after the one
// with the id after, which may be zero.
func (db *DB) Users(ctx context.Context, after uuid.UUID, limit int64) ([]User, error) {
	var users []User
	err := db.bun.NewSelect().Model(&users).Where("id > ?", after).Order("id").Limit(limit).Scan(ctx)
	return users, err
}

// lockUser reads a user and, on PostgreSQL, keeps others from changing the row
// until the transaction ends; SQLite has one writer anyway. It comes before any
// other lock, so that two transactions never wait for each other. It returns
// ErrNotFound when there is no such user.
func (db *DB) lockUser(ctx context.Context, id uuid.UUID) (*User, error) {
	u := new(User)
	query := db.bun.NewSelect().Model(u).Where("id = ?", id)
	if db.Postgres() {
		query = query.For("UPDATE")
	}
	if err := query.Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// lockAs locks u's row as lockUser does. It returns ErrChanged when the user has
// gone, has another password or was disabled since u was read: what was checked
// then does not hold any more.
func (db *DB) lockAs(ctx context.Context, u *User) (*User, error) {
	locked, err := db.lockUser(ctx, u.ID)
	if err != nil {
		return nil, asChanged(err)
	}
	if locked.PasswordHash != u.PasswordHash || locked.Disabled() != u.Disabled() {
		return nil, ErrChanged
	}
	return locked, nil
}

// Taken tells which of username and email belong to a user other than self, as
// the names of the form fields. Empty ones belong to nobody.
func (db *DB) Taken(ctx context.Context, self uuid.UUID, username, email string) ([]string, error) {
	usernameKey, emailKey := Key(username), Key(email)
	var users []User
	err := db.bun.NewSelect().Conn(db.prepared(usernameKey, emailKey, self)).Model(&users).Column("username_key", "email_key").
		Where("username_key = ? OR email_key = ?", db.parameter(1), db.parameter(2)).
		Where("id <> ?", db.parameter(3)).Scan(ctx)
	var fields []string
	for _, u := range users {
		if u.UsernameKey == usernameKey {
			fields = append(fields, "username")
		}
		if u.EmailKey == emailKey {
			fields = append(fields, "email")
		}
	}
	return fields, err
}
