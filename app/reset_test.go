package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// resetToken makes a token as the mail for a forgotten password holds.
func (s *site) resetToken(email string) string {
	s.t.Helper()
	token, err := s.db.CreateToken(s.t.Context(), nil, s.user(email), models.ResetPassword, email)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.log.hide(token) })
	return token
}

// twice is a new password, typed twice.
func twice(password string) url.Values {
	return fill("password", password, "confirm_password", password)
}

func TestResetPassword(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		phone := s.visit(t)
		phone.post("/sign-in", annas()).leadsTo("/dashboard")
		s.deliver()

		v := s.visit(t)
		v.submit(v.get("/forgot-password"), "form#forgot-password", fill("email", annasEmail), options...).wants(http.StatusOK)
		link := s.letterTo(annasEmail, resetSubject).link
		var page *answer
		for range 2 {
			page = v.get(link).wants(http.StatusOK).page().wantsErrors(nil).wantsHeader("Cache-Control", "no-store")
		}
		v.submit(page, "form#reset-password", twice(anotherPassword), options...).leadsTo("/dashboard")
		v.get("/dashboard").wants(http.StatusOK).says("Your new password is set, and all other devices are signed out.")
		if s.signedIn() || phone.signedIn() || len(s.sessions()) != 1 {
			t.Error("an old session lives on")
		}
		if !s.users()[0].Verified() {
			t.Error("the e-mail is not verified, though the mail arrived")
		}
		s.letterTo(annasEmail, wasResetSubject) // and none of a new browser

		v.submit(page, "form#reset-password", twice("another one altogether"), options...).gone()
		s.get(link).gone().page()
		s.visit(t).post("/sign-in", annas()).wants(http.StatusUnprocessableEntity)
		s.visit(t).post("/sign-in", credentials("anna.smith", anotherPassword)).leadsTo("/dashboard")
	})
}

func TestResetLinkIsGoodForAnHour(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		s.resetToken(annasEmail)
		token := new(models.Token)
		if err := db.Bun().NewSelect().Model(token).Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := token.ExpiresAt.Sub(token.CreatedAt); got != time.Hour {
			t.Errorf("it is good for %v", got)
		}
	})
}

func TestNewResetLinkVoidsTheOld(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		s.deliver()
		var links []string
		for range 2 {
			s.post("/forgot-password", fill("email", annasEmail)).wants(http.StatusOK)
			links = append(links, s.letterTo(annasEmail, resetSubject).link)
		}
		s.get(links[0]).gone()
		s.submit(s.get(links[1]), "form#reset-password", twice(anotherPassword)).leadsTo("/dashboard")
	})
}

func TestResetPasswordInABrowserThatIsSignedIn(t *testing.T) {
	t.Parallel()
	for name, person := range map[string]url.Values{"as the same": anna(), "as another": ben()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, s *site, options ...option) {
				for name, p := range map[string]url.Values{"anna.smith": anna(), "benjamin": ben()} {
					if name != person.Get("username") {
						s.visit(t).join(p)
					}
				}
				s.join(person)
				old := s.cookie("session")
				page := s.get("/reset-password?token=" + s.resetToken(annasEmail)).wants(http.StatusOK)
				s.submit(page, "form#reset-password", twice(anotherPassword), options...).leadsTo("/dashboard")
				if got := s.get("/account").value("username"); got != "anna.smith" || s.cookie("session") == old {
					t.Errorf("signed in is %s", got)
				}
			})
		})
	}
}

// choice is a new password as it is typed, and what is wrong with it.
type choice struct {
	typed url.Values
	wrong map[string]string
}

// badChoices are new passwords that anna cannot have, wherever she chooses one.
var badChoices = map[string]choice{
	"nothing":               {twice(""), map[string]string{"password": "Enter your new password.", "confirm_password": "Enter your new password again."}},
	"of 7":                  {twice("zuvokel"), map[string]string{"password": atLeast8}},
	"of 129":                {twice(strings.Repeat("zuvokel", 19)[:129]), map[string]string{"password": atMost128}},
	"common":                {twice("sunshine"), map[string]string{"password": common}},
	"with the first name":   {twice("my ANNA 7 zuvok"), map[string]string{"password": personal}},
	"with the last name":    {twice("42 smith 42 zuvok"), map[string]string{"password": personal}},
	"with the username":     {twice("zuvok anna.smith"), map[string]string{"password": personal}},
	"with the e-mail":       {twice("anna@example.com!"), map[string]string{"password": personal}},
	"repeated otherwise":    {fill("password", anotherPassword, "confirm_password", "zuvokelimantra"), map[string]string{"confirm_password": differ}},
	"not repeated":          {fill("password", anotherPassword), map[string]string{"confirm_password": "Enter your new password again."}},
	"common, and not again": {fill("password", "sunshine"), map[string]string{"password": common, "confirm_password": "Enter your new password again."}},
}

func TestResetPasswordRules(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(anna())
		before := s.users()[0]
		link := "/reset-password?token=" + s.resetToken(annasEmail)
		for name, tt := range badChoices {
			t.Run(name, func(t *testing.T) {
				page := s.get(link).wants(http.StatusOK)
				again := s.submit(page, "form#reset-password", tt.typed).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				s.submit(again, "form#reset-password", tt.typed, htmx).wants(http.StatusUnprocessableEntity).fragment("form#reset-password").wantsErrors(tt.wrong)
				if again.value("password")+again.value("confirm_password") != "" {
					t.Error("the passwords came back")
				}
			})
		}
		if after := s.users()[0]; after != before {
			t.Errorf("the user is now %+v", after)
		}
		s.submit(s.get(link), "form#reset-password", twice(anotherPassword)).leadsTo("/dashboard") // and the link is still good
	})
}

func TestDisabledUserCannotReset(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.visit(t).join(anna())
		before := s.users()[0].PasswordHash
		form := with(twice(anotherPassword), "token", s.resetToken(annasEmail))
		if err := s.db.DisableUser(t.Context(), s.user(annasEmail)); err != nil {
			t.Fatal(err)
		}
		s.post("/reset-password", form, options...).gone()
		if s.signedIn() || s.users()[0].PasswordHash != before {
			t.Error("a disabled user gets in")
		}
	})
}
