package forms

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"
)

var rules = newRules()

func newRules() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("form") })
	for name, f := range map[string]func(string) bool{
		"username": regexp.MustCompile(`^[A-Za-z0-9._-]*$`).MatchString,
		"slug":     regexp.MustCompile(`^([a-z0-9]+(-[a-z0-9]+)*)?$`).MatchString,
		"line":     isLine,
		"wording":  isWording,
	} {
		err := v.RegisterValidation(name, func(fl validator.FieldLevel) bool { return f(fl.Field().String()) })
		if err != nil {
			panic(err) // only a wrong rule name, which no request can cause
		}
	}
	// A quoted local part is another spelling of the same mailbox (RFC 5321, 4.1.2),
	// and there are endless ones.
	v.RegisterAlias("address", `email,excludes="`)
	return v
}

// isWording reports whether s has no web address, so it is safe in mail to strangers.
func isWording(s string) bool {
	s = strings.ToLower(s)
	return !strings.Contains(s, "://") && !strings.Contains(s, "www.")
}

// isLine reports whether s is one line of text: valid UTF-8 without control characters
// or characters that change the direction of text. PostgreSQL rejects NUL, and mail
// headers reject CR and LF.
func isLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	})
}

// lines replaces the line breaks of a text area, which browsers send as CR LF, by LF.
var lines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// isText is isLine, except that line breaks and tabs are allowed.
func isText(s string) bool { return isLine(strings.NewReplacer("\n", "", "\t", "").Replace(s)) }

// check trims the fields and applies the rules of the tags and of Check.
func (f *Form) check() {
	for i := range f.fields {
		fd := &f.fields[i]
		if fd.secret() {
			continue
		}
		holds := isLine
		if fd.Type == "textarea" {
			holds = isText
		}
		if value := f.in.FieldByIndex(fd.index); !fd.list {
			value.SetString(strings.TrimSpace(lines.Replace(value.String())))
		}
		for _, value := range f.values(fd) {
			if !holds(value) {
				f.Fail(fd.Name, sentence(fd, "line", ""))
			}
			if options, ok := f.offered[fd.Name]; ok && !slices.ContainsFunc(options, func(o Option) bool { return o.Value == value }) {
				f.Fail(fd.Name, sentence(fd, "oneof", ""))
			}
		}
	}
	var wrong validator.ValidationErrors
	if errors.As(rules.Struct(f.in.Addr().Interface()), &wrong) {
		for _, e := range wrong {
			for i := range f.fields {
				if fd := &f.fields[i]; fd.Name == e.Field() {
					f.Fail(fd.Name, sentence(fd, e.Tag(), e.Param()))
				}
			}
		}
	}
	if f.Check != nil {
		f.Check()
	}
}

// sentence returns the error that a user reads for a broken rule.
func sentence(fd *field, rule, param string) string {
	switch rule {
	case "required":
		return "Enter " + fd.noun + "."
	case "min":
		return "Use at least " + param + " characters."
	case "max":
		return "Use at most " + param + " characters."
	case "username":
		return "Use only letters a to z, digits, dots, underscores and hyphens."
	case "slug":
		return "Use only lowercase letters a to z, digits, and hyphens between them."
	case "oneof":
		return "Choose one of the options."
	case "wording":
		return "Leave out web addresses."
	case "address", "email":
		return "Enter an email address such as name@example.com."
	case "eqfield":
		return "The passwords don't match."
	case "line":
		return "This contains a character that can't be used here."
	}
	return "This can't be used."
}
