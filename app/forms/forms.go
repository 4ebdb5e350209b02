// Package forms carries an HTML form from the request to the page and back:
// it binds, trims and checks what a person typed, and keeps each wrong field's
// sentence beside it. It knows no page.
//
// A form is a struct, which may embed others for the fields that forms have in
// common. Tags on each of its strings, or lists of strings, say all about a field:
//
//	form          the field's name in HTML
//	label         its label on the page
//	noun          what a sentence calls it, such as "your e-mail"; "your" and the
//	              label in lower case if absent
//	type          the input's type; "text" if absent. A "password" is never
//	              trimmed and never sent back. A "textarea" holds lines. A
//	              "select" holds one and "choices", a list, any of what
//	              Form.Offer offers
//	autocomplete  the token for browsers and password managers
//	hint          a line of help below the input
//	validate      its rules, for github.com/go-playground/validator
//
// Rules that need more than one field go into a method Check(*Form).
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

// ErrUnreadable says that a request's body is not a form.
var ErrUnreadable = errors.New("the request body is not a form")

// Form is one form on its way: the struct that holds its values, and the
// sentence for each field that is wrong.
type Form struct {
	in      reflect.Value // the caller's struct
	fields  []field
	offered map[string][]Option
	errors  map[string]string

	// Error is the sentence for the form as a whole.
	Error string
	// CheckURL is the URL that checks one field at a time, if the page has one. It
	// does so with no current password: that is tried with the whole form alone.
	CheckURL string
	// Prefix begins the ids of its fields, where a page has more forms of the kind.
	Prefix string
	// Focus names the field where the person goes on when none is wrong.
	Focus string
}

// Checker is a form with rules that the tags cannot say. Check calls f.Fail
// for each one broken.
type Checker interface{ Check(f *Form) }

// Option is one of the values to choose from.
type Option struct {
	Value, Label string
	Chosen       bool // set when it is drawn
}

// Offer says what there is to choose from in a field. Nothing else is taken.
func (f *Form) Offer(name string, options []Option) { f.offered[name] = options }

// New makes a form of in, a pointer to a struct whose fields are strings or
// lists of them.
func New(in any) *Form {
	v := reflect.ValueOf(in).Elem()
	return &Form{in: v, fields: fieldsOf(v.Type()), offered: map[string][]Option{}, errors: map[string]string{}}
}

// Bind fills the form from r's body, trims it and checks it. It returns
// ErrUnreadable when the body is no form, and *http.MaxBytesError when it is
// larger than the server takes. Of a repeated field the first counts, unless it
// is a list.
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
	for _, fd := range f.fields {
		if fd.list {
			f.in.FieldByIndex(fd.index).Set(reflect.ValueOf(r.PostForm[fd.Name]))
		} else {
			f.in.FieldByIndex(fd.index).SetString(r.PostForm.Get(fd.Name))
		}
	}
	f.check()
	return nil
}

// Validate trims and checks what the struct holds already, for a form that no
// request fills. The error has a line for each wrong field: label and sentence.
func (f *Form) Validate() error {
	f.check()
	var errs []error
	for _, fd := range f.fields {
		if sentence, wrong := f.errors[fd.Name]; wrong {
			errs = append(errs, errors.New(fd.Label+": "+sentence))
		}
	}
	return errors.Join(errs...)
}

// Valid tells whether nothing is wrong.
func (f *Form) Valid() bool { return f.Error == "" && len(f.errors) == 0 }

// Blank tells whether the form is as everybody first sees it: with no value, no
// choice and nothing wrong.
func (f *Form) Blank() bool { return f.in.IsZero() && len(f.offered) == 0 && f.Valid() }

// Fail says what is wrong with a field. The first sentence of a field stays.
func (f *Form) Fail(name, sentence string) {
	if _, ok := f.errors[name]; !ok {
		f.errors[name] = sentence
	}
}

// ValidValue returns the value of a field that nothing is wrong with, else nothing.
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

	Value     string // empty for a password
	Error     string
	Required  bool
	MinLength string
	Focus     bool   // the person goes on here: the first wrong field
	CheckURL  string // see Form.Checks
	OOB       bool   // not the main part of an htmx response
	Options   []Option
}

// Field returns the field of that name for a template. An unknown name is an
// error, which stops the template and so shows in every test of the page.
func (f *Form) Field(name string) (Field, error) {
	first := true // no wrong field before this one
	for _, fd := range f.fields {
		sentence := f.errors[fd.Name]
		if fd.Name != name {
			first = first && sentence == ""
			continue
		}
		out := fd.Field
		out.ID = f.Prefix + fd.Name
		out.Error = sentence
		out.Focus = first && sentence != "" || len(f.errors) == 0 && name == f.Focus
		if fd.alone() {
			out.CheckURL = f.CheckURL
		}
		values := f.values(fd)
		if !fd.secret() && !fd.list {
			out.Value = values[0]
		}
		for _, o := range f.offered[fd.Name] {
			o.Chosen = slices.Contains(values, o.Value)
			out.Options = append(out.Options, o)
		}
		return out, nil
	}
	return Field{}, errors.New("the form has no field " + name)
}

// Refresh returns the fields to draw anew when a person leaves the field of that
// name: itself, and any filled one that must equal it. There are none when the
// name is unknown, or that of a field which is not checked alone.
func (f *Form) Refresh(name string) []Field {
	var left []Field
	for _, fd := range f.fields {
		repeats := name != "" && fd.repeats == name && f.in.FieldByIndex(fd.index).String() != ""
		if fd.Name != name && !repeats || !fd.alone() {
			continue
		}
		out, err := f.Field(fd.Name)
		if err != nil {
			return nil
		}
		out.Focus = false // the person is on the way to another field
		out.OOB = repeats
		left = append(left, out)
	}
	return left
}

type field struct {
	Field
	noun    string
	index   []int  // of the struct, and of those it embeds
	list    bool   // of strings, not one
	repeats string // the name of the field that it must equal
}

// alone tells whether the field may be checked before the whole form is sent, which
// one without a label, a hidden one, may not.
func (fd field) alone() bool {
	return !fd.list && fd.Label != "" && fd.Autocomplete != "current-password"
}

func (fd field) secret() bool { return fd.Type == "password" }

// values returns what a field holds: one string, unless it is a list.
func (f *Form) values(fd field) []string {
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
			continue // what a form's Check needs beside the fields
		}
		fd := field{index: sf.Index, list: sf.Type.Kind() == reflect.Slice, noun: tag.Get("noun"), Field: Field{
			Name:         tag.Get("form"),
			Label:        tag.Get("label"),
			Type:         tag.Get("type"),
			Autocomplete: tag.Get("autocomplete"),
			Hint:         tag.Get("hint"),
		}}
		if fd.Type == "" {
			fd.Type = "text"
		}
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
