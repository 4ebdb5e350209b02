// Package forms carries an HTML form from the request to the page and back: it binds
// what a user typed, brings it into normal form, checks it, and keeps an error for each
// wrong field. It knows no page.
//
// A form is a struct that embeds [Form], and may embed others for the fields that
// forms share. Tags on each of its strings, or lists of strings, describe a field:
//
//	form          the field's name in HTML
//	label         its label on the page
//	noun          what a sentence calls it, such as "your email"; "your" and the
//	              label in lower case if absent
//	type          the input's type; "text" if absent. A "password" is never
//	              changed and never sent back. A "textarea" holds lines, and
//	              "emails" any number of addresses. A "select" holds one and "choices", a list, any of what
//	              Form.Offer offers
//	autocomplete  the token for browsers and password managers
//	hint          a line of help below the input
//	inputmode     which keyboard of a phone fits; that of an "email" type is clear
//	exact         "true" for what keyboards must not correct or capitalize, such as
//	              a username
//	validate      its rules, for github.com/go-playground/validator
//
// Rules that need more than tags go into Form.Check. A page names a field by a pointer
// to it, so a wrong name doesn't compile.
package forms

import (
	"errors"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// ErrUnreadable means that a request's body is not a form.
var ErrUnreadable = errors.New("the request body is not a form")

// Form is the state of one form: it fills the struct that embeds it, and keeps an error
// for each wrong field.
type Form struct {
	in      reflect.Value // the struct that embeds it
	fields  []field
	offered map[string][]Option
	errors  map[string]string

	// Error is the error of the form as a whole. If it ends with how long to wait, Wait
	// has that in seconds.
	Error, Wait string
	// Check applies the rules that tags can't express, after those of the tags, and
	// calls Fail for each error. It may be nil.
	Check func()
	// CheckURL checks one field at a time, if the page has one. It never checks a
	// current password, which is only checked when the form is sent.
	CheckURL string
	// Prefix starts the ids of the fields, if a page has several forms of this kind.
	Prefix string
	// Focus points to the field that gets the focus if none is wrong.
	Focus any
}

// Option is a value to choose.
type Option struct {
	Value, Label string
	Chosen       bool // set by Field
}

// base returns f, for New, which gets a form as the struct that embeds it.
func (f *Form) base() *Form { return f }

// New prepares form, a pointer to a struct that embeds [Form], and returns it.
func New[F interface{ base() *Form }](form F) F {
	f := form.base()
	f.in = reflect.ValueOf(form).Elem()
	f.fields = fieldsOf(f.in.Type())
	f.errors = map[string]string{}
	return form
}

// Offer sets the options of the field that ptr points to. No other value is valid.
func (f *Form) Offer(ptr any, options []Option) {
	if f.offered == nil {
		f.offered = map[string][]Option{}
	}
	f.offered[f.find(ptr).Name] = options
}

// Omit leaves the field that ptr points to out: it is neither read nor checked, and a page
// must not draw it.
func (f *Form) Omit(ptr any) {
	omitted := f.find(ptr)
	f.fields = slices.DeleteFunc(slices.Clone(f.fields), func(fd field) bool { return fd.Name == omitted.Name })
}

// optional follows the label of a field that may stay empty.
const optional = " (optional)"

// Optional lets the field that ptr points to stay empty, whatever its rules are.
func (f *Form) Optional(ptr any) {
	f.change(ptr, func(fd *field) { fd.Required, fd.optional, fd.Label = false, true, fd.Label+optional })
}

// Rename gives the field that ptr points to another label, and what a sentence calls it.
func (f *Form) Rename(ptr any, label, noun string) {
	f.change(ptr, func(fd *field) { fd.Label, fd.noun = label, noun })
}

func (f *Form) change(ptr any, change func(*field)) {
	f.fields = slices.Clone(f.fields) // every form of this type shares them
	change(f.find(ptr))
}

// FocusFirst gives the focus to the first field that the user sees, if none is wrong.
func (f *Form) FocusFirst() {
	i := slices.IndexFunc(f.fields, func(fd field) bool { return fd.Label != "" })
	if i >= 0 {
		f.Focus = f.pointer(&f.fields[i])
	}
}

// Asks reports whether the form has a field of that name.
func (f *Form) Asks(name string) bool {
	return slices.ContainsFunc(f.fields, func(fd field) bool { return fd.Name == name })
}

// Visible returns the names of the fields that the user sees, but for passwords, separated
// by spaces.
func (f *Form) Visible() string {
	var names []string
	for i := range f.fields {
		if fd := &f.fields[i]; fd.Label != "" && !fd.secret() {
			names = append(names, fd.Name)
		}
	}
	return strings.Join(names, " ")
}

// Has reports whether the field that ptr points to is in the form: see Omit.
func (f *Form) Has(ptr any) bool {
	return slices.ContainsFunc(f.fields, func(fd field) bool { return f.pointer(&fd) == ptr })
}

// Bind fills the form from r's body, brings it into normal form and checks it. It returns ErrUnreadable
// if the body is not a form, and *http.MaxBytesError if it is too large. The first
// value of a repeated field counts, unless the field is a list.
func (f *Form) Bind(r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return ErrUnreadable
	}
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return ErrUnreadable
	}
	for i := range f.fields {
		fd := &f.fields[i]
		if fd.list {
			f.in.FieldByIndex(fd.index).Set(reflect.ValueOf(r.PostForm[fd.Name]))
		} else {
			f.in.FieldByIndex(fd.index).SetString(r.PostForm.Get(fd.Name))
		}
	}
	f.check()
	return nil
}

// Validate brings into normal form and checks a form that isn't filled by a request. The error has a line
// for each wrong field, with its label.
func (f *Form) Validate() error {
	f.check()
	var errs []error
	for _, fd := range f.fields {
		if sentence, wrong := f.errors[fd.Name]; wrong {
			errs = append(errs, errors.New(strings.TrimSuffix(fd.Label, optional)+": "+sentence))
		}
	}
	return errors.Join(errs...)
}

// Valid reports whether the form has no error.
func (f *Form) Valid() bool { return f.Error == "" && len(f.errors) == 0 }

// Wrong returns how many fields have an error.
func (f *Form) Wrong() int { return len(f.errors) }

// FocusError reports whether the error of the form as a whole gets the focus: no field
// does.
func (f *Form) FocusError() bool { return len(f.errors) == 0 && f.Focus == nil }

// Fail sets the error of a field, unless it has one already.
func (f *Form) Fail(name, sentence string) {
	if _, ok := f.errors[name]; !ok {
		f.errors[name] = sentence
	}
}

// Excuse removes the errors of fields that need not be filled in after all.
func (f *Form) Excuse(names ...string) {
	for _, name := range names {
		delete(f.errors, name)
	}
}

// ValidValue returns the value of a field, or "" if the field has an error.
func (f *Form) ValidValue(name string) string {
	for _, fd := range f.fields {
		if fd.Name == name && f.errors[name] == "" {
			return f.in.FieldByIndex(fd.index).String()
		}
	}
	return ""
}

// Field is what a template needs to draw a field.
type Field struct {
	ID string // in HTML: the name, after the form's prefix

	Name, Label, Type, Autocomplete, Hint string

	InputMode string // which keyboard of a phone fits
	Exact     bool   // it isn't prose: keyboards must not correct or capitalize it

	Value     string // empty for a password
	Error     string
	Required  bool
	MinLength string
	Focus     bool   // the field gets the focus
	CheckURL  string // see Form.CheckURL
	OOB       bool   // not the main part of an htmx response
	Withheld  bool   // a password was typed and isn't wrong, but doesn't come back
	Options   []Option
}

// Field returns what a template needs to draw the field that ptr points to. It panics
// if ptr points elsewhere, so every test of the page fails.
func (f *Form) Field(ptr any) Field { return f.draw(f.find(ptr)) }

func (f *Form) find(ptr any) *field {
	for i := range f.fields {
		if f.pointer(&f.fields[i]) == ptr {
			return &f.fields[i]
		}
	}
	panic("the pointer is to no field of the form " + f.in.Type().String())
}

// pointer returns the pointer to a field of the struct.
func (f *Form) pointer(fd *field) any { return f.in.FieldByIndex(fd.index).Addr().Interface() }

func (f *Form) draw(fd *field) Field {
	out := fd.Field
	out.ID = f.Prefix + fd.Name
	out.Error = f.errors[fd.Name]
	out.Focus = f.focused(fd)
	if fd.alone() {
		out.CheckURL = f.CheckURL
	}
	values := f.values(fd)
	if fd.secret() {
		out.Withheld = values[0] != "" && out.Error == ""
	} else if !fd.list {
		out.Value = values[0]
	}
	if options := f.offered[fd.Name]; options != nil {
		out.Options = slices.Clone(options)
		for i := range out.Options {
			out.Options[i].Chosen = slices.Contains(values, out.Options[i].Value)
		}
	}
	return out
}

// focused reports whether the field gets the focus: it is the first wrong one, or none
// is wrong and Focus points to it.
func (f *Form) focused(fd *field) bool {
	if len(f.errors) == 0 {
		return f.Focus != nil && f.Focus == f.pointer(fd)
	}
	first := slices.IndexFunc(f.fields, func(fd field) bool { return f.errors[fd.Name] != "" })
	return first >= 0 && f.fields[first].Name == fd.Name
}

// Refresh returns the fields to redraw when a user leaves the field of that name: the
// field, and any filled one that must equal it. It returns none if the name is unknown
// or the field is never checked alone.
func (f *Form) Refresh(name string) []Field {
	var fresh []Field
	for i := range f.fields {
		fd := &f.fields[i]
		repeats := name != "" && fd.repeats == name && f.in.FieldByIndex(fd.index).String() != ""
		if fd.Name != name && !repeats || !fd.alone() {
			continue
		}
		out := f.draw(fd)
		out.Focus = false // the user is moving to another field
		out.OOB, out.Withheld = repeats, false
		fresh = append(fresh, out)
	}
	return fresh
}

type field struct {
	Field
	noun     string
	index    []int  // for reflect.Value.FieldByIndex
	list     bool   // a []string, not a string
	optional bool   // see Form.Optional
	repeats  string // the name of the field that it must equal
}

// alone reports whether the field may be checked before the form is sent. A field
// without a label is hidden and may not.
func (fd *field) alone() bool {
	return !fd.list && fd.Label != "" && fd.Autocomplete != "current-password"
}

func (fd *field) secret() bool { return fd.Type == "password" }

// values returns the values of a field: one string, unless it is a list.
func (f *Form) values(fd *field) []string {
	value := f.in.FieldByIndex(fd.index)
	if fd.list {
		return value.Interface().([]string)
	}
	return []string{value.String()}
}

var fieldsByType sync.Map // reflect.Type → []field; a type's tags never change

func fieldsOf(t reflect.Type) []field {
	if known, ok := fieldsByType.Load(t); ok {
		return known.([]field)
	}
	var fields []field
	for _, sf := range reflect.VisibleFields(t) {
		tag := sf.Tag
		if tag.Get("form") == "" {
			continue // Form itself, or other data of the page
		}
		fd := field{index: sf.Index, list: sf.Type.Kind() == reflect.Slice, noun: tag.Get("noun"), Field: Field{
			Name:         tag.Get("form"),
			Label:        tag.Get("label"),
			Type:         tag.Get("type"),
			Autocomplete: tag.Get("autocomplete"),
			Hint:         tag.Get("hint"),
			InputMode:    tag.Get("inputmode"),
			Exact:        tag.Get("exact") == "true",
		}}
		if fd.Type == "" {
			fd.Type = "text"
		}
		isEmail := fd.Type == "email" || fd.Type == "emails"
		if isEmail {
			fd.InputMode = "email"
		}
		fd.Exact = fd.Exact || isEmail || fd.Type == "password" // which may be shown
		if fd.noun == "" {
			fd.noun = "your " + strings.ToLower(fd.Label)
		}
		for rule := range strings.SplitSeq(tag.Get("validate"), ",") {
			if rule == "required" {
				fd.Required = true
			}
			if n, ok := strings.CutPrefix(rule, "min="); ok {
				fd.MinLength = n
			}
			if other, ok := strings.CutPrefix(rule, "eqfield="); ok {
				if sf, ok := t.FieldByName(other); ok {
					fd.repeats = sf.Tag.Get("form")
				}
			}
		}
		fields = append(fields, fd)
	}
	fieldsByType.Store(t, fields)
	return fields
}
