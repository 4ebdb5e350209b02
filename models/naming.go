package models

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"vestibule/app/text"
)

// Naming says by which names the site knows people.
type Naming struct {
	Usernames Usernames
	Names     Names
}

// Names says how the name of a person is asked for. The zero value is NamesBoth.
type Names string

// The values of Names.
const (
	NamesBoth Names = "both" // a first name and a last name
	NamesOne  Names = "one"  // one name, as the person writes it
)

// UnmarshalText reads "both" or "one".
func (n *Names) UnmarshalText(text []byte) error {
	if *n = Names(text); *n != NamesBoth && *n != NamesOne {
		return errors.New(`it must be "both" or "one"`)
	}
	return nil
}

// Usernames says who has a username. The zero value is UsernamesRequired.
type Usernames string

// The values of Usernames.
const (
	UsernamesRequired Usernames = "required"
	UsernamesOptional Usernames = "optional"
	UsernamesOff      Usernames = "off"
)

// Required reports whether everybody who signs up has a username.
func (n Usernames) Required() bool { return n != UsernamesOptional && n != UsernamesOff }

// UnmarshalText reads "required", "optional" or "off".
func (n *Usernames) UnmarshalText(text []byte) error {
	if *n = Usernames(text); *n != UsernamesRequired && *n != UsernamesOptional && *n != UsernamesOff {
		return errors.New(`it must be "required", "optional" or "off"`)
	}
	return nil
}

// FullName returns the name as people read it. A person with one name has it in FirstName:
// what greets them by that keeps working, and either setting shows what the other stored.
func (u *User) FullName() string { return strings.TrimSpace(u.FirstName + " " + u.LastName) }

// Rename gives u one name. If it's the one that u has, its parts are kept, so that nothing
// is lost if the site asks for both again.
func (u *User) Rename(name string) {
	if name != u.FullName() {
		u.FirstName, u.LastName = name, ""
	}
}

// Personal returns what u's password must not contain: the names, the words of one name,
// the username and the email address.
func (u *User) Personal() []string {
	personal := []string{u.FirstName, u.LastName, u.Username, u.Email}
	if u.LastName == "" {
		personal = append(personal, strings.Fields(u.FirstName)...)
	}
	return personal
}

// Login returns by what u knows the account: the username, or the email address if u has
// none. It's what u types to sign in.
func (u *User) Login() string { return cmp.Or(u.Username, u.ShownEmail()) }

// IsLogin reports whether somebody who typed that means u, in any case and spelling.
func (u *User) IsLogin(typed string) bool {
	key := text.EmailKey(typed)
	return key != "" && (key == u.EmailKey || u.Username != "" && key == u.UsernameKey)
}

// usernameKey returns what no other user has as their key. Without a username that is the
// id, after an @, which no username contains: so nobody can type it, and the column stays
// unique and not null. To let it be null, SQLite would have to copy the table of users, to
// which most others refer, while the previous version writes to it.
func (u *User) usernameKey() string {
	if u.Username == "" {
		return "@" + u.ID.String()
	}
	return Key(u.Username)
}

// ForUsernames returns db as a site with these usernames sees it. If it has none, every user
// is read as one without: what was stored before stays, but no page, mail or command can show
// or accept it. Closing it closes db.
func (db *DB) ForUsernames(usernames Usernames) *DB {
	if usernames != UsernamesOff || db.usernames == UsernamesOff {
		return db
	}
	site := *db
	site.usernames = usernames
	var d schema.Dialect = sqlitedialect.New()
	if db.Postgres() {
		d = pgdialect.New()
	}
	site.pool = bun.NewDB(db.pool.DB, d, discardUnknown)
	site.bun = site.pool
	users := site.pool.Table(reflect.TypeFor[User]())
	for _, column := range []string{"username", "username_key"} {
		users.FieldMap[column].Scan = func(field reflect.Value, _ any) error {
			field.SetString("")
			return nil
		}
	}
	return &site
}

// StoredUsername returns the username that is stored for u, also if db is for a site without
// usernames.
func (db *DB) StoredUsername(ctx context.Context, u *User) (username string, err error) {
	err = db.bun.NewSelect().Model((*User)(nil)).Column("username").Where("id = ?", u.ID).Scan(ctx, &username)
	return username, asNotFound(err)
}
