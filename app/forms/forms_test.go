package forms_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"vestibule/app/forms"
)

// booking is a form with a field of each kind.
type booking struct {
	forms.Form
	trip
}

type trip struct {
	Name   string `form:"name" label:"Full name" autocomplete:"name" hint:"As on the passport." validate:"required,min=2,max=5"`
	Handle string `form:"handle" label:"Handle" validate:"username"`
	Email  string `form:"email" label:"Email" type:"email" validate:"omitempty,email"`
	Secret string `form:"secret" label:"Secret" type:"password" validate:"required"`
	Again  string `form:"again" label:"Again" noun:"your secret again" type:"password" validate:"required,eqfield=Secret"`
	Note   string `form:"note" label:"Note" validate:"omitempty,number"`
}

func newBooking() *booking {
	b := forms.New(new(booking))
	b.Check = func() {
		if b.Name == b.Handle && b.Name != "" {
			b.Fail("handle", "Choose another handle than your name.")
		}
	}
	return b
}

func post(kind, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/?name=query", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

const formType = "application/x-www-form-urlencoded"

func good() url.Values {
	return url.Values{"name": {"Ada"}, "handle": {"ada_l"}, "email": {"ada@example.com"}, "secret": {" s3cret "}, "again": {" s3cret "}, "note": {"1"}}
}

func with(form url.Values, name, value string) url.Values {
	form = maps.Clone(form)
	form.Set(name, value)
	return form
}

func bind(t *testing.T, values url.Values) *booking {
	t.Helper()
	form := newBooking()
	if err := form.Bind(post(formType, values.Encode())); err != nil {
		t.Fatal(err)
	}
	return form
}

func TestBind(t *testing.T) {
	t.Parallel()
	form := bind(t, with(with(good(), "name", " \t Ada \u00a0\n"), "unknown", "x"))
	want := trip{Name: "Ada", Handle: "ada_l", Email: "ada@example.com", Secret: " s3cret ", Again: " s3cret ", Note: "1"}
	if form.trip != want || !form.Valid() {
		t.Errorf("bound is %+v, valid %v; want %+v", form.trip, form.Valid(), want)
	}
	form = bind(t, with(with(with(good(), "name", "\ufeffA\u200bda\u2060"), "email", "ada\u200b@example.com"), "secret", "\u200bs3cret"))
	if form.Name != "Ada" || form.Email != "ada@example.com" || form.Secret != "\u200bs3cret" {
		t.Errorf("bound is %+q, want a password as typed and the others without what nobody sees", form.trip)
	}
	form = bind(t, url.Values{"name": {"first", "second"}})
	if form.Name != "first" {
		t.Errorf("of a repeated field, %q counts", form.Name)
	}
	form = bind(t, url.Values{})
	if form.Name != "" {
		t.Errorf("the query fills the form with %q", form.Name)
	}
}

func TestBindRefuses(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*http.Request{
		"JSON":          post("application/json", "{}"),
		"no type":       post("", "name=a"),
		"multipart":     post("multipart/form-data; boundary=x", ""),
		"broken type":   post("application/x-www-form-urlencoded; =", "name=a"),
		"bad escape":    post(formType, "name=%zz"),
		"semicolon":     post(formType, "name=a;b=c"),
		"another media": post("text/plain", "name=a"),
	} {
		form := newBooking()
		if err := form.Bind(r); !errors.Is(err, forms.ErrUnreadable) || form.trip != (trip{}) {
			t.Errorf("%s: the error is %v and the form %+v", name, err, form.trip)
		}
	}
	r := post(formType, "name="+strings.Repeat("a", 100))
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 50)
	var tooLarge *http.MaxBytesError
	if err := newBooking().Bind(r); !errors.As(err, &tooLarge) {
		t.Errorf("too large a body is %v", err)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ field, value, want string }{
		"good":               {"name", "Ada", ""},
		"required":           {"name", " ", "Enter your full name."},
		"required with noun": {"again", "", "Enter your secret again."},
		"too short":          {"name", "A", "Use at least 2 characters."},
		"shortest":           {"name", "Äb", ""},
		"longest":            {"name", "日本語日本", ""},
		"too long":           {"name", "日本語日本語", "Use at most 5 characters."},
		"odd handle":         {"handle", "a b", "Use only letters a to z, digits, dots, underscores and hyphens."},
		"no handle":          {"handle", "", ""},
		"bad email":          {"email", "ada@", "Enter an email address such as name@example.com."},
		"differs":            {"again", "s3cret", "The passwords don't match."},
		"rule without words": {"note", "x", "This can't be used."},
		"Check":              {"handle", "Ada", "Choose another handle than your name."},
		"line break":         {"name", "A\nb", "This contains a character that can't be used here."},
		"NUL":                {"note", "\x00", "This contains a character that can't be used here."},
		"C1 control":         {"name", "A\u0085b", "This contains a character that can't be used here."},
		"line separator":     {"name", "A\u2028b", "This contains a character that can't be used here."},
		"turned around":      {"name", "A\u2066b", "This contains a character that can't be used here."},
		"not UTF-8":          {"name", "A\xff", "This contains a character that can't be used here."},
		"joined emoji":       {"name", "👩\u200d🚀", ""},
		"nothing visible":    {"name", "\u200b\u3164", "Enter your full name."},
		"longest, composed":  {"name", "e\u0301e\u0301e\u0301e\u0301\u200be\u0301", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form := bind(t, with(good(), tt.field, tt.value))
			fields := map[string]any{"name": &form.Name, "handle": &form.Handle, "email": &form.Email, "again": &form.Again, "note": &form.Note}
			if got := form.Field(fields[tt.field]).Error; got != tt.want || form.Valid() != (tt.want == "") {
				t.Errorf("%q says %q, valid %v; want %q", tt.value, got, form.Valid(), tt.want)
			}
		})
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	form := bind(t, with(with(good(), "handle", "a b"), "email", "x"))
	form.CheckURL = "/check"
	form.Prefix = "trip-"
	want := forms.Field{
		ID: "trip-name", Name: "name", Label: "Full name", Type: "text", Autocomplete: "name", Hint: "As on the passport.",
		Value: "Ada", Required: true, MinLength: "2", CheckURL: "/check",
	}
	if got := form.Field(&form.Name); !reflect.DeepEqual(got, want) {
		t.Errorf("the field is %+v, want %+v", got, want)
	}
	if !form.Field(&form.Handle).Focus || form.Field(&form.Email).Focus {
		t.Error("the focus is not on the first wrong field")
	}
	if got := form.Field(&form.Secret).Value + form.Field(&form.Again).Value; got != "" {
		t.Errorf("a secret is given back: %q", got)
	}

	blank := newBooking()
	blank.Focus = &blank.Email
	if !blank.Valid() || !blank.Field(&blank.Email).Focus || blank.Field(&blank.Name).Focus {
		t.Error("a new form is not blank with the focus where it was put")
	}
}

// TestFieldElsewhere has a page ask for what is no field of its form.
func TestFieldElsewhere(t *testing.T) {
	t.Parallel()
	form, other := newBooking(), newBooking()
	for name, ptr := range map[string]any{
		"another form's": &other.Name, "no field": &form.Prefix, "the form": form, "a value": form.Name, "nothing": nil,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is drawn", name)
				}
			}()
			form.Field(ptr)
		}()
	}
}

// TestEmbedded has a form share fields with others.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	type secrets struct {
		Secret string `form:"secret" label:"Secret" type:"password" validate:"required"`
		Again  string `form:"again" label:"Again" type:"password" validate:"required,eqfield=Secret"`
	}
	type named struct {
		Name string `form:"name" label:"Name" validate:"required"`
	}
	type all struct {
		forms.Form
		named
		Note string `form:"note" label:"Note"`
		secrets
	}
	form := forms.New(&all{named: named{Name: "before"}})
	if got := form.Field(&form.Name).Value; got != "before" {
		t.Errorf("the name is %q", got)
	}
	body := url.Values{"name": {" Ada "}, "note": {"x"}, "secret": {" s3cret "}, "again": {"other"}}
	if err := form.Bind(post(formType, body.Encode())); err != nil {
		t.Fatal(err)
	}
	if want := (secrets{" s3cret ", "other"}); form.Name != "Ada" || form.Note != "x" || form.secrets != want {
		t.Errorf("bound are %q, %q and %+v", form.Name, form.Note, form.secrets)
	}
	if got := form.Field(&form.Again); got.Error != "The passwords don't match." || !got.Focus || !got.Required {
		t.Errorf("the repetition is %+v", got)
	}
	if left := form.Refresh("secret"); len(left) != 2 || left[1].Name != "again" {
		t.Errorf("left are %+v", left)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	form := bind(t, good())
	form.Fail("name", "first")
	form.Fail("name", "second")
	if got := form.Field(&form.Name).Error; got != "first" || form.Valid() {
		t.Errorf("the field says %q, valid %v", got, form.Valid())
	}
	if form.ValidValue("name") != "" || form.ValidValue("handle") != "ada_l" || form.ValidValue("missing") != "" {
		t.Errorf("good are %q, %q, %q", form.ValidValue("name"), form.ValidValue("handle"), form.ValidValue("missing"))
	}
	form = bind(t, good())
	form.Error = "The form as a whole is wrong."
	if form.Valid() {
		t.Error("a form with an error is valid")
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	form := bind(t, with(good(), "again", "other"))
	left := form.Refresh("secret")
	if len(left) != 2 || left[0].Name != "secret" || left[0].OOB || left[1].Name != "again" || !left[1].OOB || left[1].Error == "" {
		t.Errorf("leaving the secret draws %+v", left)
	}
	if left := form.Refresh("again"); len(left) != 1 || left[0].OOB || left[0].Focus {
		t.Errorf("leaving its repetition draws %+v", left)
	}
	form = bind(t, with(good(), "again", ""))
	if left := form.Refresh("secret"); len(left) != 1 {
		t.Errorf("a repetition not typed yet is drawn: %+v", left)
	}
	if left := form.Refresh("missing"); len(left) != 0 {
		t.Errorf("leaving no field draws %+v", left)
	}
}

// A current password is tried with the whole form, where tries are counted, and a
// list is left box by box.
func TestNotCheckedAlone(t *testing.T) {
	t.Parallel()
	form := forms.New(new(struct {
		forms.Form
		Old   string   `form:"old" label:"Old" type:"password" autocomplete:"current-password" validate:"required"`
		New   string   `form:"new" label:"New" type:"password" autocomplete:"new-password" validate:"required"`
		Seals []string `form:"seals" label:"Seals" type:"choices"`
		Token string   `form:"token" validate:"required"`
	}))
	form.CheckURL = "/check"
	if err := form.Validate(); err == nil {
		t.Fatal("the empty form is good")
	}
	for name, tt := range map[string]struct {
		ptr  any
		want string
	}{"old": {&form.Old, ""}, "new": {&form.New, "/check"}, "seals": {&form.Seals, ""}, "token": {&form.Token, ""}} {
		if got := form.Field(tt.ptr).CheckURL; got != tt.want {
			t.Errorf("%s is checked at %q, want %q", name, got, tt.want)
		}
		if got := len(form.Refresh(name)); (got > 0) != (tt.want != "") {
			t.Errorf("leaving %s draws %d fields", name, got)
		}
	}
}

// TestOptional wants a field that may stay empty to say so on a page, but not in an error.
func TestOptional(t *testing.T) {
	t.Parallel()
	form := forms.New(new(struct {
		forms.Form
		Handle string `form:"handle" label:"Handle" validate:"required,username"`
	}))
	form.Optional(&form.Handle)
	if err := form.Validate(); err != nil {
		t.Errorf("an empty field is wrong: %v", err)
	}
	if label := form.Field(&form.Handle).Label; label != "Handle (optional)" {
		t.Errorf("the label is %q", label)
	}
	form.Handle = "?"
	if err := form.Validate(); err == nil || !strings.HasPrefix(err.Error(), "Handle: ") {
		t.Errorf("the error is %v", err)
	}
}

// letter is a form with fields that are no inputs.
type letter struct {
	forms.Form
	Body  string   `form:"body" label:"Body" type:"textarea" validate:"required,max=20"`
	Paper string   `form:"paper" label:"Paper" type:"select" validate:"required"`
	Seals []string `form:"seals" label:"Seals" type:"choices"`
}

func TestFieldsThatAreNoInputs(t *testing.T) {
	t.Parallel()
	const foreign = "Choose one of the options."
	tests := map[string]struct {
		typed url.Values
		body  string
		wrong map[string]string
	}{
		"good":            {url.Values{"body": {" a\r\nb\tc\rd "}, "paper": {"white"}, "seals": {"red", "blue"}}, "a\nb\tc\nd", nil},
		"no choice":       {url.Values{"body": {"a"}, "paper": {"white"}}, "a", nil},
		"nothing":         {url.Values{}, "", map[string]string{"body": "Enter your body.", "paper": foreign}},
		"not offered":     {url.Values{"body": {"a"}, "paper": {"gold"}, "seals": {"red", "wax"}}, "a", map[string]string{"paper": foreign, "seals": foreign}},
		"no text":         {url.Values{"body": {"a\x00"}, "paper": {"white"}}, "a\x00", map[string]string{"body": "This contains a character that can't be used here."}},
		"not UTF-8":       {url.Values{"body": {"a"}, "paper": {"white"}, "seals": {"\xff"}}, "a", map[string]string{"seals": "This contains a character that can't be used here."}},
		"too long a text": {url.Values{"body": {strings.Repeat("ä", 21)}, "paper": {"white"}}, strings.Repeat("ä", 21), map[string]string{"body": "Use at most 20 characters."}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			form := forms.New(new(letter))
			form.Offer(&form.Paper, []forms.Option{{Value: "white", Label: "White"}, {Value: "grey", Label: "Grey"}})
			form.Offer(&form.Seals, []forms.Option{{Value: "red"}, {Value: "green"}, {Value: "blue"}})
			if err := form.Bind(post(formType, tt.typed.Encode())); err != nil {
				t.Fatal(err)
			}
			for name, ptr := range map[string]any{"body": &form.Body, "paper": &form.Paper, "seals": &form.Seals} {
				if got := form.Field(ptr).Error; got != tt.wrong[name] {
					t.Errorf("%s says %q, want %q", name, got, tt.wrong[name])
				}
			}
			if form.Body != tt.body || !slices.Equal(form.Seals, tt.typed["seals"]) {
				t.Errorf("it holds %q and %q", form.Body, form.Seals)
			}
			for _, o := range append(form.Field(&form.Paper).Options, form.Field(&form.Seals).Options...) {
				if o.Chosen != (slices.Contains(tt.typed["seals"], o.Value) || tt.typed.Get("paper") == o.Value) {
					t.Errorf("%s is chosen: %v", o.Value, o.Chosen)
				}
			}
		})
	}
}
