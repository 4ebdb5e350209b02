package account_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vestibule/app/apptest"
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
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		a := s.Get("/account").Wants(http.StatusOK).Page().WantsErrors(nil)
		for name := range profile() {
			if got, want := a.Value(name), profile().Get(name); got != want {
				t.Errorf("%s holds %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(a.Text("main"), "anna@example.com") {
			t.Error("the page does not name the email")
		}

		s.Post("/account", apptest.With(profile(), "first_name", " Annabel ")).LeadsTo("/account")
		a = s.Get("/account")
		if a.Value("first_name") != "Annabel" || !strings.Contains(a.Text("#toasts"), "Changes saved") {
			t.Errorf("the page holds %q and says %q", a.Value("first_name"), a.Text("#toasts"))
		}

		a = s.Post("/account", apptest.With(profile(), "username", "Anna.Smith", "last_name", "Jones"), apptest.HTMX).Wants(http.StatusOK).Fragment("form#account")
		if a.Value("last_name") != "Jones" || !strings.Contains(a.Body, "Changes saved") {
			t.Errorf("the fragment holds %q: %s", a.Value("last_name"), a.Body)
		}
		if u := s.Users()[0]; u.Username != "Anna.Smith" || u.FullName() != "Anna Jones" || u.Email != "anna@example.com" || !u.UpdatedAt.After(u.CreatedAt) {
			t.Errorf("stored is %+v", u)
		}
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
	})
}

func TestAccountRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		form  url.Values
		wrong map[string]string
	}{
		"username taken":     {apptest.With(profile(), "username", "BENJAMIN"), map[string]string{"username": apptest.TakenUsername}},
		"username of 4":      {apptest.With(profile(), "username", "anna"), map[string]string{"username": apptest.AtLeast5}},
		"username of 33":     {apptest.With(profile(), "username", strings.Repeat("u", 33)), map[string]string{"username": apptest.AtMost32}},
		"username odd":       {apptest.With(profile(), "username", "anna smith"), map[string]string{"username": apptest.PlainUsername}},
		"names empty":        {apptest.With(profile(), "first_name", "", "last_name", " "), map[string]string{"first_name": "Enter your first name.", "last_name": "Enter your last name."}},
		"names of 101":       {apptest.With(profile(), "first_name", strings.Repeat("ß", 101)), map[string]string{"first_name": apptest.AtMost100}},
		"name of two lines":  {apptest.With(profile(), "last_name", "a\nb"), map[string]string{"last_name": apptest.OddCharacter}},
		"nothing":            {url.Values{}, map[string]string{"username": "Enter your username.", "first_name": "Enter your first name.", "last_name": "Enter your last name."}},
		"taken and too long": {apptest.With(profile(), "username", "benjamin", "last_name", strings.Repeat("x", 101)), map[string]string{"username": apptest.TakenUsername, "last_name": apptest.AtMost100}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		before := s.Users()[0]
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				a := s.Post("/account", tt.form).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				if got := a.Text("main dd"); !strings.Contains(got, before.Email) {
					t.Errorf("the details say %q", got)
				}
				s.Post("/account", tt.form, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#account").WantsErrors(tt.wrong)
			})
		}
		if s.Users()[0] != before {
			t.Errorf("a wrong form changes the user to %+v", s.Users()[0])
		}
	})
}

func TestAccountTakesItsOwnFieldsAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		before := s.Users()[0]
		s.Post("/account", apptest.With(profile(), "email", "eve@example.com", "password_hash", "x", "id", "1", "verified_at", "2020-01-01")).LeadsTo("/account")
		after := s.Users()[0]
		after.UpdatedAt = before.UpdatedAt
		if after != before {
			t.Errorf("the user is now %+v", after)
		}
	})
}

func TestFieldChecks(t *testing.T) {
	t.Parallel()
	mine := apptest.Anna.Form()
	tests := []struct {
		name, field string
		form        url.Values
		fields      []string          // the fields in the answer, in order
		wrong       map[string]string // and what they say
	}{
		{"good", "username", mine, []string{"username"}, nil},
		{"first of an empty form", "username", apptest.With(url.Values{}, "username", "carol"), []string{"username"}, nil},
		{"left empty", "username", url.Values{}, []string{"username"}, map[string]string{"username": "Enter your username."}},
		{"too short", "username", apptest.With(mine, "username", "abc", "email", "wrong"), []string{"username"}, map[string]string{"username": apptest.AtLeast5}},
		{"taken username", "username", apptest.With(mine, "username", "BENJAMIN", "email", "ben@example.com"), []string{"username"}, map[string]string{"username": apptest.TakenUsername}},
		{"taken email", "email", apptest.With(mine, "username", "benjamin", "email", "BEN@example.com"), []string{"email"}, map[string]string{"email": apptest.TakenEmail}},
		{"wrong email", "email", apptest.With(mine, "email", "anna@", "username", ""), []string{"email"}, map[string]string{"email": apptest.WantsAddress}},
		{"other fields wrong", "first_name", url.Values{"first_name": {"Anna"}}, []string{"first_name"}, nil},
		{"name turned around", "last_name", apptest.With(mine, "last_name", "\u202e"), []string{"last_name"}, map[string]string{"last_name": apptest.OddCharacter}},
		{"password alone", "password", url.Values{"password": {"zuvokeli"}}, []string{"password"}, nil},
		{"password short, not repeated yet", "password", url.Values{"password": {"zuvok"}}, []string{"password"}, map[string]string{"password": apptest.AtLeast8}},
		{"password with the name", "password", apptest.With(url.Values{}, "first_name", "Anna", "password", "anna anna anna"), []string{"password"}, map[string]string{"password": apptest.Personal}},
		{"password and its repetition", "password", mine, []string{"password", "confirm_password"}, nil},
		{"password changed after its repetition", "password", apptest.With(mine, "password", "zuvokelimantra"), []string{"password", "confirm_password"}, map[string]string{"confirm_password": apptest.PasswordsDiffer}},
		{"repetition", "confirm_password", apptest.With(mine, "confirm_password", "correct horse"), []string{"confirm_password"}, map[string]string{"confirm_password": apptest.PasswordsDiffer}},
		{"repetition empty", "confirm_password", apptest.With(mine, "confirm_password", ""), []string{"confirm_password"}, map[string]string{"confirm_password": "Enter your password again."}},
		{"HTML", "first_name", apptest.With(mine, "first_name", `"><script>alert(1)</script>`), []string{"first_name"}, nil},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Ben)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				a := s.Visit(t).Post("/sign-up/check?field="+tt.field, tt.form, apptest.HTMX).Wants(http.StatusOK)
				a.Fragment("#" + tt.field + "-field").WantsErrors(tt.wrong).Harmless()
				var fields []string
				a.Find("input").Each(func(_ int, input apptest.Selection) { fields = append(fields, input.AttrOr("name", "")) })
				if !slices.Equal(fields, tt.fields) {
					t.Errorf("the answer has the fields %v, want %v", fields, tt.fields)
				}
				if oob := a.Find("[hx-swap-oob]").Length(); oob != len(tt.fields)-1 {
					t.Errorf("%d fields are out of band, want %d", oob, len(tt.fields)-1)
				}
				if a.Find("[autofocus]").Length() > 0 {
					t.Error("the focus is pulled back")
				}
				if got := a.Find(`input[type="password"][value!=""]`).Length(); got > 0 {
					t.Error("a password came back")
				}
			})
		}
		for _, field := range []string{"", "?field=", "?field=nothing", "?field=Username", "?field=username%00", "?other=username", "?field=%3Cscript%3E"} {
			s.Visit(t).Post("/sign-up/check"+field, mine).Wants(http.StatusNotFound).Page()
			if a := s.Visit(t).Post("/sign-up/check"+field, mine, apptest.HTMX); strings.HasPrefix(field, "?field=") && field != "?field=" {
				a.Silent(http.StatusNotFound)
			} else {
				a.Wants(http.StatusNotFound)
			}
		}
		s.Get("/sign-up/check?field=username").Wants(http.StatusMethodNotAllowed)
		if len(s.Users()) != 1 {
			t.Error("a check makes a user")
		}
	})
}

func TestAccountFieldChecks(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		for username, sentence := range map[string]string{
			"anna.smith": "", "ANNA.SMITH": "", "somebody": "", "benjamin": apptest.TakenUsername, "Benjamin": apptest.TakenUsername, "ann": apptest.AtLeast5,
		} {
			want := map[string]string{"username": sentence}
			if sentence == "" {
				want = nil
			}
			s.Post("/account/check?field=username", apptest.With(profile(), "username", username, "first_name", ""), apptest.HTMX).
				Wants(http.StatusOK).Fragment("#username-field").WantsErrors(want)
		}
		s.Post("/account/check?field=email", profile(), apptest.HTMX).Wants(http.StatusNotFound)
		if s.Users()[0].Username != "anna.smith" {
			t.Error("a check changes the account")
		}
	})
}
