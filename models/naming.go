package models

import (
	"errors"
	"strings"
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
