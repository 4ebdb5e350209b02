package forms_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"vestibule/app/forms"
	"vestibule/app/text"
)

type fuzzForm struct {
	forms.Form
	Username string `form:"username" label:"Username" validate:"required,min=5,max=32,username"`
	Email    string `form:"email" label:"Email" type:"email" validate:"required,max=254,email"`
	Name     string `form:"name" label:"Name" validate:"max=100"`
	Password string `form:"password" label:"Password" type:"password" validate:"required"`
	Again    string `form:"again" label:"Password again" type:"password" validate:"required,eqfield=Password"`
}

// FuzzBind reads forms of strangers. What is valid keeps the rules, and a
// password never comes back.
func FuzzBind(f *testing.F) {
	good := url.Values{"username": {"anna.smith"}, "email": {"anna@example.com"}, "name": {"Anna"}, "password": {"correct horse"}, "again": {"correct horse"}}
	for _, kind := range []string{"application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-8", "multipart/form-data; boundary=x", "application/json", "", ";"} {
		for _, body := range []string{good.Encode(), "", "&&==", "username=%zz", "a;b", "username=%00&name=%ff", "name=%E2%80%AE", "name=+a%0d%0ab+", "email=a%40b&email=c%40d",
			"name=%E2%80%8B&email=mira%E2%80%8B%40b%C3%BCcher.example", "username=%EF%BB%BFmira.k", "name=%E2%80%AAa%E2%80%AC%E3%85%A4"} {
			f.Add(kind, body)
		}
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/?username=query", strings.NewReader(body))
		r.Header["Content-Type"] = []string{kind}
		form := forms.New(new(fuzzForm))
		if err := form.Bind(r); err != nil {
			if !errors.Is(err, forms.ErrUnreadable) {
				t.Errorf("%q of the kind %q: %v", body, kind, err)
			}
			return
		}
		for name, ptr := range map[string]any{
			"username": &form.Username, "email": &form.Email, "name": &form.Name, "password": &form.Password, "again": &form.Again,
		} {
			field := form.Field(ptr)
			if field.Type == "password" && field.Value != "" {
				t.Errorf("%q comes back", field.Value)
			}
			if field.Error != "" && form.ValidValue(name) != "" || field.Error != "" && form.Valid() {
				t.Errorf("%s is wrong (%s), and good", name, field.Error)
			}
			if strings.Contains(field.Error, "validator") || strings.Contains(field.Error, "Key:") {
				t.Errorf("the sentence of %s is %q", name, field.Error)
			}
		}
		if !form.Valid() {
			return
		}
		for name, value := range map[string]string{"username": form.Username, "email": form.Email, "name": form.Name} {
			if !utf8.ValidString(value) || text.Line(value) != value || !text.IsLine(value) || strings.ContainsAny(value, "\x00\r\n\u202e") || value == "query" {
				t.Errorf("%s is %q and valid", name, value)
			}
		}
		if n := len(form.Username); n < 5 || n > 32 || strings.ContainsAny(form.Username, "@ <>") || !strings.Contains(form.Email, "@") ||
			utf8.RuneCountInString(form.Email) > 254 || utf8.RuneCountInString(form.Name) > 100 || form.Password == "" || form.Password != form.Again {
			t.Errorf("%+v is valid", *form)
		}
	})
}
