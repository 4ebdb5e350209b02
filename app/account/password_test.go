package account_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestChangePassword(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		phone := s.Visit(t)
		phone.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.Confirmed()
		s.Deliver()
		reset := "/reset-password?token=" + s.ResetToken(apptest.Anna.Email)
		thief := s.Visit(t)
		thief.SetCookie("session", s.Cookie("session"))

		s.ChangePassword(options...).LeadsTo("/account")
		s.Get("/account").Wants(http.StatusOK).Says("Password changed, other devices signed out")
		if thief.SignedIn() || phone.SignedIn() || len(s.Sessions()) != 1 {
			t.Error("an old cookie still works")
		}
		if !s.SignedIn() {
			t.Error("the person is signed out")
		}
		s.Get(reset).Gone()
		s.MailTo(apptest.Anna.Email, apptest.NewPasswordSubject)
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusUnprocessableEntity)
		s.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).LeadsTo("/dashboard")
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
		"good":                           {"password", apptest.Twice(apptest.AnotherPassword), nil},
		"not repeated yet":               {"password", apptest.Fill("password", apptest.AnotherPassword), nil},
		"empty":                          {"password", apptest.Fill("current_password", "x"), map[string]string{"password": "Enter your new password."}},
		"short":                          {"password", apptest.Fill("password", "zuvokel"), map[string]string{"password": apptest.AtLeast8}},
		"common":                         {"password", apptest.Fill("password", "sunshine"), map[string]string{"password": apptest.TooCommon}},
		"with the name":                  {"password", apptest.Fill("password", "my ANNA 7 zuvok"), map[string]string{"password": apptest.Personal}},
		"changed after its repetition":   {"password", apptest.With(apptest.Twice(apptest.AnotherPassword), "confirm_password", apptest.Anna.Password), map[string]string{"confirm_password": apptest.PasswordsDiffer}},
		"repetition":                     {"confirm_password", apptest.Twice(apptest.AnotherPassword), nil},
		"repetition empty":               {"confirm_password", apptest.Fill("password", apptest.AnotherPassword), map[string]string{"confirm_password": "Enter your new password again."}},
		"repetition of another":          {"confirm_password", apptest.With(apptest.Twice("zuvok"), "confirm_password", apptest.Anna.Password), map[string]string{"confirm_password": apptest.PasswordsDiffer}},
		"repetition of a short password": {"confirm_password", apptest.Twice("zuvok"), nil},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		before := s.Users()[0]
		token := s.ResetToken(apptest.Anna.Email)
		page := s.Get("/account/password").Wants(http.StatusOK)
		reset := s.Get("/reset-password?token=" + token).Wants(http.StatusOK)
		for _, field := range []string{"password", "confirm_password"} {
			if at := page.Find("#"+field+"-field").AttrOr("hx-post", ""); at != "/account/password/check?field="+field {
				t.Errorf("%s is checked at %q", field, at)
			}
			if at := reset.Find("#"+field+"-field").AttrOr("hx-post", ""); at != "/reset-password/check?field="+field {
				t.Errorf("%s is checked at %q for a reset", field, at)
			}
		}
		if _, checked := page.Find("#current_password-field").Attr("hx-post"); checked {
			t.Error("the current password is checked by itself")
		}
		s.AgePassword() // the page for the password has no place in a field
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s.Leaves("/account/password/check", tt.field, tt.typed, tt.wrong)
				s.Visit(t).Leaves("/reset-password/check", tt.field, apptest.With(tt.typed, "token", token), tt.wrong)
			})
		}
		s.Post("/account/password/check?field=current_password", apptest.Twice(apptest.AnotherPassword), apptest.HTMX).Wants(http.StatusNotFound)
		s.Visit(t).Post("/account/password/check?field=password", apptest.Twice(apptest.AnotherPassword), apptest.HTMX).Silent(http.StatusForbidden)
		s.Post("/reset-password/check?field=password", apptest.With(apptest.Twice("zuvok"), "token", "used"), apptest.HTMX).Wants(http.StatusNoContent)
		if after := s.Users()[0]; after != before {
			t.Errorf("the user is now %+v", after)
		}
	})
}

func TestChangePasswordRules(t *testing.T) {
	t.Parallel()
	tests := map[string]apptest.Choice{}
	for name, tt := range apptest.BadPasswords {
		tt.Typed = apptest.With(tt.Typed, "current_password", apptest.Anna.Password)
		tests[name] = tt
	}
	for current, wrong := range map[string]string{"": apptest.WantsCurrentPassword, "wrong horse battery": apptest.WrongPassword, apptest.Anna.Password + " ": apptest.WrongPassword} {
		tests["after "+current] = apptest.Choice{
			Typed: apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", current),
			Wrong: map[string]string{"current_password": wrong},
		}
	}
	tests["the same again"] = apptest.Choice{
		Typed: apptest.With(apptest.Twice(apptest.Anna.Password), "current_password", apptest.Anna.Password),
		Wrong: map[string]string{"password": "Choose a password that's different from your current one."},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Deliver()
		before, session := s.Users()[0], s.Session()
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				page := s.Post("/account/password", tt.Typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.Wrong)
				s.Post("/account/password", tt.Typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#change-password").WantsErrors(tt.Wrong)
				if page.Value("current_password")+page.Value("password")+page.Value("confirm_password") != "" {
					t.Error("the passwords came back")
				}
			})
		}
		if after := s.Users()[0]; after != before || string(s.Session().TokenHash) != string(session.TokenHash) {
			t.Errorf("the user is now %+v", after)
		}
		s.NoMail()
	})
}

// TestFormErrorsCostNoHash sends forms that are wrong whatever the current password is.
func TestFormErrorsCostNoHash(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		reset := s.ResetToken(apptest.Ben.Email)
		guest := s.Visit(t)
		wrong := func(v *apptest.Visitor, path string, form url.Values) {
			t.Helper()
			hashes := s.Hashes.During(func() { v.Post(path, form).Wants(http.StatusUnprocessableEntity) })
			if len(hashes) > 0 {
				t.Errorf("%s computes %v for %v", path, hashes, form)
			}
		}
		for _, tt := range apptest.BadPasswords {
			wrong(s.Visitor, "/account/password", apptest.With(tt.Typed, "current_password", apptest.Anna.Password))
			wrong(guest, "/sign-up", apptest.With(apptest.Nth(1).Form(), "password", tt.Typed.Get("password"), "confirm_password", "another"))
		}
		wrong(s.Visitor, "/account/password", apptest.With(apptest.Twice(apptest.Anna.Password), "current_password", apptest.Anna.Password))
		wrong(guest, "/reset-password", apptest.With(apptest.Twice("sunshine"), "token", reset))
		wrong(s.Visitor, "/account/email", apptest.NewEmail("anna@"))
		wrong(s.Visitor, "/account/email", apptest.NewEmail(apptest.Ben.Email))
		wrong(s.Visitor, "/account/delete", apptest.Fill("username", "benjamin", "current_password", apptest.Anna.Password))
		wrong(guest, "/sign-in", apptest.Credentials("", "anything at all"))
	})
}

// TestPasswordRemovedForCodes leaves a mailed code as the only way in.
func TestPasswordRemovedForCodes(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		const remove = "form[action='/account/password/remove']"
		s.Join(apptest.Anna)
		s.Deliver()
		refused := func() {
			t.Helper()
			if n := s.Get("/account/password").Wants(http.StatusOK).Find(remove).Length(); n > 0 {
				t.Error("the password can be removed")
			}
			s.Post("/account/password/remove", nil, options...).Wants(http.StatusConflict).Says("You can't sign in without a password.")
		}
		refused() // the address isn't confirmed
		s.Confirmed()
		m := models.Mail{Kind: models.MailNewBrowser, Recipient: apptest.Anna.Email}
		if err := s.DB.QueueMail(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		m = s.Queue()[0]
		if err := s.DB.RefuseMail(t.Context(), &m, "no such mailbox"); err != nil {
			t.Fatal(err)
		}
		refused() // and mail doesn't arrive
		s.SetTime("users", "verified_at", time.Now().Add(time.Second))
		s.Get("/account/security").Says("signs you in, too, if you ask for it in place of the password.")
		page := s.Get("/account/password").Says("You'll sign in with a code that we email you each time. This signs out all your other devices.")
		s.Submit(page, remove, nil, options...).LeadsTo("/account/password")
		s.MailTo(apptest.Anna.Email, "Your password was removed")
		s.Get("/account/security").Says("You sign in with a code that we email to anna@example.com.")
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Post("/sign-in", apptest.Anna.Credentials(), options...).Wants(http.StatusUnprocessableEntity)
		s.Post("/sign-in/code", apptest.Fill("email", apptest.Anna.Email), options...).Wants(http.StatusOK)
		s.Post("/sign-in/code", apptest.Fill("code", s.MailTo(apptest.Anna.Email, "Your code to sign in").Code), options...).LeadsTo("/dashboard")

		// Whoever has chosen that can let another way in go, and set a password again.
		factors, err := s.DB.Factors(t.Context(), s.User(apptest.Anna.Username))
		if err != nil || !factors.WayIn() {
			t.Errorf("there is no way in (%v)", err)
		}
		s.Submit(s.Get("/account/password").Says("Set a password"), "form#change-password", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/account")
	})
}
