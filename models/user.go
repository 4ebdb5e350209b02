package models

import (
	"context"
	"strings"
	"time"

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
	PasswordHash string // a PHC string of argon2id
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// FullName is the first and the last name.
func (u *User) FullName() string { return u.FirstName + " " + u.LastName }

// Key folds a username or an e-mail address to the form that decides whether
// two are the same.
func Key(s string) string { return norm.NFC.String(cases.Fold().String(norm.NFC.String(s))) }

var userConstraints = map[string]string{
	"username_key": "username",
	"email_key":    "email",
}

// CreateUser stores a new user and fills in the id, the keys and the times.
// It returns a *TakenError when the username or the e-mail belongs to another.
func (db *DB) CreateUser(ctx context.Context, u *User) error {
	u.ID = newID()
	u.UsernameKey, u.EmailKey = Key(u.Username), Key(u.Email)
	u.CreatedAt = now()
	u.UpdatedAt = u.CreatedAt
	_, err := db.bun.NewInsert().Model(u).Exec(ctx)
	return taken(err, userConstraints)
}

// UpdateProfile stores u's username, first and last name. It returns a
// *TakenError when the username belongs to another.
func (db *DB) UpdateProfile(ctx context.Context, u *User) error {
	u.UsernameKey = Key(u.Username)
	u.UpdatedAt = now()
	_, err := db.bun.NewUpdate().Model(u).WherePK().
		Column("username", "username_key", "first_name", "last_name", "updated_at").Exec(ctx)
	return taken(err, userConstraints)
}

// SetPasswordHash stores a new hash of u's password.
func (db *DB) SetPasswordHash(ctx context.Context, u *User, hash string) error {
	u.PasswordHash = hash
	u.UpdatedAt = now()
	_, err := db.bun.NewUpdate().Model(u).WherePK().Column("password_hash", "updated_at").Exec(ctx)
	return err
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
	err := db.bun.NewSelect().Model(u).Where("? = ?", bun.Ident(column), Key(login)).Scan(ctx)
	if err != nil {
		return nil, one(err)
	}
	return u, nil
}

// Taken tells which of username and email belong to a user other than self, as
// the names of the form fields. Empty ones belong to nobody.
func (db *DB) Taken(ctx context.Context, self uuid.UUID, username, email string) ([]string, error) {
	usernameKey, emailKey := Key(username), Key(email)
	var users []User
	err := db.bun.NewSelect().Model(&users).Column("username_key", "email_key").
		Where("username_key = ? OR email_key = ?", usernameKey, emailKey).
		Where("id <> ?", self).Scan(ctx)
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
