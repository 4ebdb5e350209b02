package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// profile is the account form as it stands for anna.
func profile() url.Values {
	return url.Values{"username": {"anna.smith"}, "first_name": {"Anna"}, "last_name": {"Smith"}}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		a := s.get("/account").wants(http.StatusOK).page().wantsErrors(nil)
		for name := range profile() {
			if got, want := a.value(name), profile().Get(name); got != want {
				t.Errorf("%s holds %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(a.text("main"), "anna@example.com") {
			t.Error("the page does not name the e-mail")
		}

		s.post("/account", with(profile(), "first_name", " Annabel ")).leadsTo("/account")
		a = s.get("/account")
		if a.value("first_name") != "Annabel" || !strings.Contains(a.text("#toasts"), "Your changes are saved.") {
			t.Errorf("the page holds %q and says %q", a.value("first_name"), a.text("#toasts"))
		}

		a = s.post("/account", with(profile(), "username", "Anna.Smith", "last_name", "Jones"), htmx).wants(http.StatusOK).fragment("form#account")
		if a.value("last_name") != "Jones" || !strings.Contains(a.body, "Your changes are saved.") {
			t.Errorf("the fragment holds %q: %s", a.value("last_name"), a.body)
		}
		if u := s.users()[0]; u.Username != "Anna.Smith" || u.FullName() != "Anna Jones" || u.Email != "anna@example.com" || !u.UpdatedAt.After(u.CreatedAt) {
			t.Errorf("stored is %+v", u)
		}
		s.visit(t).post("/sign-in", annas()).leadsTo("/dashboard")
	})
}

func TestAccountRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		form  url.Values
		wrong map[string]string
	}{
		"username taken":     {with(profile(), "username", "BENJAMIN"), map[string]string{"username": takenUsername}},
		"username of 4":      {with(profile(), "username", "anna"), map[string]string{"username": atLeast5}},
		"username of 33":     {with(profile(), "username", strings.Repeat("u", 33)), map[string]string{"username": atMost32}},
		"username odd":       {with(profile(), "username", "anna smith"), map[string]string{"username": plainUsername}},
		"names empty":        {with(profile(), "first_name", "", "last_name", " "), map[string]string{"first_name": "Enter your first name.", "last_name": "Enter your last name."}},
		"names of 101":       {with(profile(), "first_name", strings.Repeat("ß", 101)), map[string]string{"first_name": atMost100}},
		"name of two lines":  {with(profile(), "last_name", "a\nb"), map[string]string{"last_name": oddCharacter}},
		"nothing":            {url.Values{}, map[string]string{"username": "Enter your username.", "first_name": "Enter your first name.", "last_name": "Enter your last name."}},
		"taken and too long": {with(profile(), "username", "benjamin", "last_name", strings.Repeat("x", 101)), map[string]string{"username": takenUsername, "last_name": atMost100}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.visit(t).join(ben())
		before := s.users()[0]
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				a := s.post("/account", tt.form).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				if got := a.text("main dd"); !strings.Contains(got, before.Email) {
					t.Errorf("the details say %q", got)
				}
				s.post("/account", tt.form, htmx).wants(http.StatusUnprocessableEntity).fragment("form#account").wantsErrors(tt.wrong)
			})
		}
		if s.users()[0] != before {
			t.Errorf("a wrong form changes the user to %+v", s.users()[0])
		}
	})
}

func TestAccountTakesItsOwnFieldsAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		before := s.users()[0]
		s.post("/account", with(profile(), "email", "eve@example.com", "password_hash", "x", "id", "1", "verified_at", "2020-01-01")).leadsTo("/account")
		after := s.users()[0]
		after.UpdatedAt = before.UpdatedAt
		if after != before {
			t.Errorf("the user is now %+v", after)
		}
	})
}

func TestFieldChecks(t *testing.T) {
	t.Parallel()
	mine := anna()
	tests := []struct {
		name, field string
		form        url.Values
		fields      []string          // the fields in the answer, in order
		wrong       map[string]string // and what they say
	}{
		{"good", "username", mine, []string{"username"}, nil},
		{"first of an empty form", "username", with(url.Values{}, "username", "carol"), []string{"username"}, nil},
		{"left empty", "username", url.Values{}, []string{"username"}, map[string]string{"username": "Enter your username."}},
		{"too short", "username", with(mine, "username", "abc", "email", "wrong"), []string{"username"}, map[string]string{"username": atLeast5}},
		{"taken username", "username", with(mine, "username", "BENJAMIN", "email", "ben@example.com"), []string{"username"}, map[string]string{"username": takenUsername}},
		{"taken e-mail", "email", with(mine, "username", "benjamin", "email", "BEN@example.com"), []string{"email"}, map[string]string{"email": takenEmail}},
		{"wrong e-mail", "email", with(mine, "email", "anna@", "username", ""), []string{"email"}, map[string]string{"email": wantsAddress}},
		{"other fields wrong", "first_name", url.Values{"first_name": {"Anna"}}, []string{"first_name"}, nil},
		{"name turned around", "last_name", with(mine, "last_name", "\u202e"), []string{"last_name"}, map[string]string{"last_name": oddCharacter}},
		{"password alone", "password", url.Values{"password": {"zuvokeli"}}, []string{"password"}, nil},
		{"password short, not repeated yet", "password", url.Values{"password": {"zuvok"}}, []string{"password"}, map[string]string{"password": atLeast8}},
		{"password with the name", "password", with(url.Values{}, "first_name", "Anna", "password", "anna anna anna"), []string{"password"}, map[string]string{"password": personal}},
		{"password and its repetition", "password", mine, []string{"password", "confirm_password"}, nil},
		{"password changed after its repetition", "password", with(mine, "password", "zuvokelimantra"), []string{"password", "confirm_password"}, map[string]string{"confirm_password": differ}},
		{"repetition", "confirm_password", with(mine, "confirm_password", "correct horse"), []string{"confirm_password"}, map[string]string{"confirm_password": differ}},
		{"repetition empty", "confirm_password", with(mine, "confirm_password", ""), []string{"confirm_password"}, map[string]string{"confirm_password": "Enter your password again."}},
		{"HTML", "first_name", with(mine, "first_name", `"><script>alert(1)</script>`), []string{"first_name"}, nil},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(ben())
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				a := s.visit(t).post("/sign-up/check?field="+tt.field, tt.form, htmx).wants(http.StatusOK)
				a.fragment("#" + tt.field + "-field").wantsErrors(tt.wrong).harmless()
				var fields []string
				a.find("input").Each(func(_ int, input selection) { fields = append(fields, input.AttrOr("name", "")) })
				if !slices.Equal(fields, tt.fields) {
					t.Errorf("the answer has the fields %v, want %v", fields, tt.fields)
				}
				if oob := a.find("[hx-swap-oob]").Length(); oob != len(tt.fields)-1 {
					t.Errorf("%d fields are out of band, want %d", oob, len(tt.fields)-1)
				}
				if a.find("[autofocus]").Length() > 0 {
					t.Error("the focus is pulled back")
				}
				if got := a.find(`input[type="password"][value!=""]`).Length(); got > 0 {
					t.Error("a password came back")
				}
			})
		}
		for _, field := range []string{"", "?field=", "?field=nothing", "?field=Username", "?field=username%00", "?other=username", "?field=%3Cscript%3E"} {
			s.visit(t).post("/sign-up/check"+field, mine).wants(http.StatusNotFound).page()
			s.visit(t).post("/sign-up/check"+field, mine, htmx).wants(http.StatusNotFound).fragment(".toast").wantsHeader("HX-Retarget", "#alerts")
		}
		s.get("/sign-up/check?field=username").wants(http.StatusMethodNotAllowed)
		if len(s.users()) != 1 {
			t.Error("a check makes a user")
		}
	})
}

// leaves has the visitor leave a field of the form, and wants that field anew with
// what is wrong, and no password in it.
func (v *visitor) leaves(path, field string, form url.Values, wrong map[string]string) *answer {
	v.t.Helper()
	a := v.post(path+"?field="+field, form, htmx).wants(http.StatusOK).fragment("#" + field + "-field").wantsErrors(wrong).harmless()
	if a.find(`input[type="password"][value!=""]`).Length() > 0 || a.find("[autofocus]").Length() > 0 {
		a.failf("a password came back, or the focus is pulled back\n%s", a.body)
	}
	return a
}

func TestAccountFieldChecks(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.visit(t).join(ben())
		for username, sentence := range map[string]string{
			"anna.smith": "", "ANNA.SMITH": "", "somebody": "", "benjamin": takenUsername, "Benjamin": takenUsername, "ann": atLeast5,
		} {
			want := map[string]string{"username": sentence}
			if sentence == "" {
				want = nil
			}
			s.post("/account/check?field=username", with(profile(), "username", username, "first_name", ""), htmx).
				wants(http.StatusOK).fragment("#username-field").wantsErrors(want)
		}
		s.post("/account/check?field=email", profile(), htmx).wants(http.StatusNotFound)
		if s.users()[0].Username != "anna.smith" {
			t.Error("a check changes the account")
		}
	})
}
