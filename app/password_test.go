package app_test

import (
	"net/http"
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
