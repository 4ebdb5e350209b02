package forms

import (
	"errors"
	"reflect"
	"regexp"
	"slices"

	"github.com/go-playground/validator/v10"

	"vestibule/app/text"
)

var rules = newRules()

func newRules() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("form") })
	for name, f := range map[string]func(string) bool{
		"username": regexp.MustCompile(`^[A-Za-z0-9._-]*$`).MatchString,
		"slug":     regexp.MustCompile(`^([a-z0-9]+(-[a-z0-9]+)*)?$`).MatchString,
		"nolink":   func(s string) bool { return !text.HasLink(s) },
		"nophone":  func(s string) bool { return !text.HasPhone(s) },
		"local":    func(s string) bool { return !errors.Is(text.CheckEmail(s), text.ErrLongLocal) },
		"mailable": func(s string) bool { return !errors.Is(text.CheckEmail(s), text.ErrNoEmail) },
	} {
		err := v.RegisterValidation(name, func(fl validator.FieldLevel) bool { return f(fl.Field().String()) })
		if err != nil {
			panic(err) // only a wrong rule name, which no request can cause
		}
	}
	// A quoted local part is another spelling of the same mailbox (RFC 5321, 4.1.2),
	// and there are endless ones.
	v.RegisterAlias("address", `email,excludes=",local,mailable`)
	// Names go into mail to strangers, who must read nothing of a sender that they
	// could follow.
	v.RegisterAlias("wording", "nolink,nophone")
	return v
}

// check brings the fields into normal form and applies the rules of the tags and of
// Check.
func (f *Form) check() {
	for i := range f.fields {
		fd := &f.fields[i]
		if fd.secret() {
			continue
		}
		normal, holds := text.Line, text.IsLine
		if fd.Type == "textarea" || fd.Type == "emails" {
			normal, holds = text.Lines, text.IsLines
		}
		if value := f.in.FieldByIndex(fd.index); !fd.list {
			value.SetString(normal(value.String()))
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
				if fd := &f.fields[i]; fd.Name == e.Field() && !(fd.optional && e.Value() == "") {
					f.Fail(fd.Name, sentence(fd, e.ActualTag(), e.Param()))
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
	case "nolink":
		return "Leave out web addresses."
	case "nophone":
		return "Leave out phone numbers."
	case "local":
		return "Use at most 64 characters before the @."
	case "email", "excludes", "mailable":
		return "Enter an email address such as name@example.com."
	case "eqfield":
		return "The passwords don't match."
	case "line":
		return "This contains a character that can't be used here."
	}
	return "This can't be used."
}
