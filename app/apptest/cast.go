package apptest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Person is someone who has an account or is about to create one.
type Person struct{ Username, First, Last, Email, Password string }

// The cast.
var (
	Anna = Person{"anna.smith", "Anna", "Smith", "anna@example.com", "correct horse battery"}
	Ben  = Person{"benjamin", "Ben", "Jones", "ben@example.com", "violet kettle thunder"}
)

// AnotherPassword is a new password for any of the cast.
const AnotherPassword = "zuvokelimantra 38"

// Nth returns the nth of any number of people.
func Nth(n int) Person {
	return Person{fmt.Sprintf("person%d", n), "Pat", "Smith", fmt.Sprintf("p%d@example.com", n), "violet kettle thunder"}
}

// Form is what the person types to sign up.
func (p Person) Form() url.Values {
	return Fill("username", p.Username, "first_name", p.First, "last_name", p.Last, "email", p.Email,
		"password", p.Password, "confirm_password", p.Password)
}

// Credentials is what the person types to sign in.
func (p Person) Credentials() url.Values { return Credentials(p.Username, p.Password) }

// Credentials returns the form to sign in.
func Credentials(login, password string) url.Values {
	return Fill("login", login, "password", password)
}

// Fill returns a form of: name, value, name, value...
func Fill(pairs ...string) url.Values { return With(url.Values{}, pairs...) }

// With returns form with other values: name, value, name, value...
func With(form url.Values, pairs ...string) url.Values {
	form = maps.Clone(form)
	for pair := range slices.Chunk(pairs, 2) {
		form.Set(pair[0], pair[1])
	}
	return form
}

// NewEmail returns the form with which Anna requests an email change.
func NewEmail(email string) url.Values {
	return Fill("email", email, "current_password", Anna.Password)
}

// Twice returns a form with a new password, typed twice.
func Twice(password string) url.Values {
	return Fill("password", password, "confirm_password", password)
}

// EmailOf returns a valid email address of n characters.
func EmailOf(n int) string {
	const tail = ".example.com"
	host := strings.Repeat("h", 60)
	a := strings.Repeat("p", 60) + "@" + host + "." + host + "."
	return a + strings.Repeat("h", n-len(a)-len(tail)) + tail
}

// Choice is a new password as typed, and the error of each field.
type Choice struct {
	Typed url.Values
	Wrong map[string]string
}

// BadPasswords are new passwords that every page refuses Anna.
var BadPasswords = map[string]Choice{
	"nothing":               {Twice(""), map[string]string{"password": "Enter your new password.", "confirm_password": "Enter your new password again."}},
	"of 7":                  {Twice("zuvokel"), map[string]string{"password": AtLeast8}},
	"of 129":                {Twice(strings.Repeat("zuvokel", 19)[:129]), map[string]string{"password": AtMost128}},
	"common":                {Twice("sunshine"), map[string]string{"password": TooCommon}},
	"with the first name":   {Twice("my ANNA 7 zuvok"), map[string]string{"password": Personal}},
	"with the last name":    {Twice("42 smith 42 zuvok"), map[string]string{"password": Personal}},
	"with the username":     {Twice("zuvok anna.smith"), map[string]string{"password": Personal}},
	"with the email":        {Twice("anna@example.com!"), map[string]string{"password": Personal}},
	"repeated otherwise":    {Fill("password", AnotherPassword, "confirm_password", "zuvokelimantra"), map[string]string{"confirm_password": PasswordsDiffer}},
	"not repeated":          {Fill("password", AnotherPassword), map[string]string{"confirm_password": "Enter your new password again."}},
	"common, and not again": {Fill("password", "sunshine"), map[string]string{"password": TooCommon, "confirm_password": "Enter your new password again."}},
}
