package app_test

import (
	"net/http"
	"net/url"
	"testing"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// changePassword gives anna another password.
func (v *visitor) changePassword(options ...option) *answer {
	v.t.Helper()
	form := with(twice(anotherPassword), "current_password", annasPassword)
	return v.submit(v.get("/account/password").wants(http.StatusOK).page(), "form#change-password", form, options...)
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		phone := s.visit(t)
		phone.post("/sign-in", annas()).leadsTo("/dashboard")
		s.confirmed()
		s.deliver()
		reset := "/reset-password?token=" + s.resetToken(annasEmail)
		thief := s.visit(t)
		thief.keep("session", s.cookie("session"))

		s.changePassword(options...).leadsTo("/account")
		s.get("/account").wants(http.StatusOK).says("Your new password is set, and all other devices are signed out.")
		if thief.signedIn() || phone.signedIn() || len(s.sessions()) != 1 {
			t.Error("an old cookie still works")
		}
		if !s.signedIn() {
			t.Error("the person is signed out")
		}
		s.get(reset).gone()
		s.letterTo(annasEmail, newPasswordSubject)
		s.visit(t).post("/sign-in", annas()).wants(http.StatusUnprocessableEntity)
		s.visit(t).post("/sign-in", credentials("anna.smith", anotherPassword)).leadsTo("/dashboard")
	})
}

// TestNewPasswordFieldChecks leaves the fields of a new password, on both pages
// where one is chosen.
func TestNewPasswordFieldChecks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		field string
		typed url.Values
		wrong map[string]string
	}{
		"good":                           {"password", twice(anotherPassword), nil},
		"not repeated yet":               {"password", fill("password", anotherPassword), nil},
		"empty":                          {"password", fill("current_password", "x"), map[string]string{"password": "Enter your new password."}},
		"short":                          {"password", fill("password", "zuvokel"), map[string]string{"password": atLeast8}},
		"common":                         {"password", fill("password", "sunshine"), map[string]string{"password": common}},
		"with the name":                  {"password", fill("password", "my ANNA 7 zuvok"), map[string]string{"password": personal}},
		"changed after its repetition":   {"password", with(twice(anotherPassword), "confirm_password", annasPassword), map[string]string{"confirm_password": differ}},
		"repetition":                     {"confirm_password", twice(anotherPassword), nil},
		"repetition empty":               {"confirm_password", fill("password", anotherPassword), map[string]string{"confirm_password": "Enter your new password again."}},
		"repetition of another":          {"confirm_password", with(twice("zuvok"), "confirm_password", annasPassword), map[string]string{"confirm_password": differ}},
		"repetition of a short password": {"confirm_password", twice("zuvok"), nil},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		before := s.users()[0]
		token := s.resetToken(annasEmail)
		page := s.get("/account/password").wants(http.StatusOK)
		reset := s.get("/reset-password?token=" + token).wants(http.StatusOK)
		for _, field := range []string{"password", "confirm_password"} {
			if at := page.find("#"+field+"-field").AttrOr("hx-post", ""); at != "/account/password/check?field="+field {
				t.Errorf("%s is checked at %q", field, at)
			}
			if at := reset.find("#"+field+"-field").AttrOr("hx-post", ""); at != "/reset-password/check?field="+field {
				t.Errorf("%s is checked at %q for a reset", field, at)
			}
		}
		if _, checked := page.find("#current_password-field").Attr("hx-post"); checked {
			t.Error("the current password is checked by itself")
		}
		s.grownOld() // the page for the password has no place in a field
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s.leaves("/account/password/check", tt.field, tt.typed, tt.wrong)
				s.visit(t).leaves("/reset-password/check", tt.field, with(tt.typed, "token", token), tt.wrong)
			})
		}
		s.post("/account/password/check?field=current_password", twice(anotherPassword), htmx).wants(http.StatusNotFound)
		s.visit(t).post("/account/password/check?field=password", twice(anotherPassword), htmx).leadsTo("/sign-in")
		s.post("/reset-password/check?field=password", with(twice("zuvok"), "token", "used"), htmx).wants(http.StatusNoContent)
		if after := s.users()[0]; after != before {
			t.Errorf("the user is now %+v", after)
		}
	})
}

func TestChangePasswordRules(t *testing.T) {
	t.Parallel()
	tests := map[string]choice{}
	for name, tt := range badChoices {
		tests[name] = choice{with(tt.typed, "current_password", annasPassword), tt.wrong}
	}
	for current, wrong := range map[string]string{"": wantsCurrentPassword, "wrong horse battery": wrongPassword, annasPassword + " ": wrongPassword} {
		tests["after "+current] = choice{with(twice(anotherPassword), "current_password", current), map[string]string{"current_password": wrong}}
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.deliver()
		before, session := s.users()[0], s.session()
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				page := s.post("/account/password", tt.typed).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				s.post("/account/password", tt.typed, htmx).wants(http.StatusUnprocessableEntity).fragment("form#change-password").wantsErrors(tt.wrong)
				if page.value("current_password")+page.value("password")+page.value("confirm_password") != "" {
					t.Error("the passwords came back")
				}
			})
		}
		if after := s.users()[0]; after != before || string(s.session().TokenHash) != string(session.TokenHash) {
			t.Errorf("the user is now %+v", after)
		}
		s.noLetter()
	})
}
