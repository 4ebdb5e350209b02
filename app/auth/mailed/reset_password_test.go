package mailed_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestResetPassword(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		phone := s.Visit(t)
		phone.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.Deliver()

		v := s.Visit(t)
		v.Submit(v.Get("/forgot-password"), "form#forgot-password", apptest.Fill("email", apptest.Anna.Email), options...).Wants(http.StatusOK)
		link := s.MailTo(apptest.Anna.Email, apptest.ResetSubject).Link
		var page *apptest.Answer
		for range 2 {
			page = v.Get(link).Wants(http.StatusOK).Page().WantsErrors(nil).WantsHeader("Cache-Control", "no-store")
		}
		v.Submit(page, "form#reset-password", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/dashboard")
		v.Get("/dashboard").Wants(http.StatusOK).Says("Password changed, other devices signed out")
		if s.SignedIn() || phone.SignedIn() || len(s.Sessions()) != 1 {
			t.Error("an old session lives on")
		}
		if !s.Users()[0].Verified() {
			t.Error("the email is not verified, though the mail arrived")
		}
		s.MailTo(apptest.Anna.Email, apptest.WasResetSubject) // and none of a new browser

		v.Submit(page, "form#reset-password", apptest.Twice("another one altogether"), options...).Gone()
		s.Get(link).Gone().Page()
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusUnprocessableEntity)
		s.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword)).LeadsTo("/dashboard")
	})
}

func TestResetLinkIsGoodForTenMinutes(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		s.ResetToken(apptest.Anna.Email)
		token := new(models.Token)
		if err := db.Bun().NewSelect().Model(token).Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := token.ExpiresAt.Sub(token.CreatedAt); got != 10*time.Minute {
			t.Errorf("it is good for %v", got)
		}
	})
}

func TestNewResetLinkVoidsTheOld(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		s.Deliver()
		var links []string
		for range 2 {
			s.Post("/forgot-password", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
			links = append(links, s.MailTo(apptest.Anna.Email, apptest.ResetSubject).Link)
		}
		s.Get(links[0]).Gone()
		s.Submit(s.Get(links[1]), "form#reset-password", apptest.Twice(apptest.AnotherPassword)).LeadsTo("/dashboard")
	})
}

func TestResetPasswordInABrowserThatIsSignedIn(t *testing.T) {
	t.Parallel()
	for name, person := range map[string]url.Values{"as the same": apptest.Anna.Form(), "as another": apptest.Ben.Form()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
				for name, p := range map[string]url.Values{"anna.smith": apptest.Anna.Form(), "benjamin": apptest.Ben.Form()} {
					if name != person.Get("username") {
						s.Visit(t).JoinAs(p)
					}
				}
				s.JoinAs(person)
				old := s.Cookie("session")
				page := s.Get("/reset-password?token=" + s.ResetToken(apptest.Anna.Email)).Wants(http.StatusOK)
				page.Says("This link is for the account anna.smith.")
				if name == "as another" {
					page.Says("You're signed in as benjamin. Setting the password signs you in to the other account instead.")
				}
				s.Submit(page, "form#reset-password", apptest.Twice(apptest.AnotherPassword), options...).LeadsTo("/dashboard")
				if got := s.Get("/account").Value("username"); got != "anna.smith" || s.Cookie("session") == old {
					t.Errorf("signed in is %s", got)
				}
			})
		})
	}
}

func TestResetPasswordRules(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		before := s.Users()[0]
		link := "/reset-password?token=" + s.ResetToken(apptest.Anna.Email)
		for name, tt := range apptest.BadPasswords {
			t.Run(name, func(t *testing.T) {
				page := s.Get(link).Wants(http.StatusOK)
				again := s.Submit(page, "form#reset-password", tt.Typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.Wrong)
				s.Submit(again, "form#reset-password", tt.Typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#reset-password").WantsErrors(tt.Wrong)
				if again.Value("password")+again.Value("confirm_password") != "" {
					t.Error("the passwords came back")
				}
			})
		}
		if after := s.Users()[0]; after != before {
			t.Errorf("the user is now %+v", after)
		}
		s.Submit(s.Get(link), "form#reset-password", apptest.Twice(apptest.AnotherPassword)).LeadsTo("/dashboard") // and the link is still good
	})
}

func TestDisabledUserCannotReset(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Anna)
		before := s.Users()[0].PasswordHash
		form := apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.ResetToken(apptest.Anna.Email))
		if err := s.DB.DisableUser(t.Context(), s.User(apptest.Anna.Email)); err != nil {
			t.Fatal(err)
		}
		s.Post("/reset-password", form, options...).Gone()
		if s.SignedIn() || s.Users()[0].PasswordHash != before {
			t.Error("a disabled user gets in")
		}
	})
}
