package auth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const again = "form#sign-in-again"

func againAs(p apptest.Person) url.Values {
	return apptest.Fill("again_login", p.Username, "again_password", p.Password)
}

// TestFormsKnowWhoseTheyAre opens every page with a form as Anna, and sends each of its
// forms when Ben is signed in.
func TestFormsKnowWhoseTheyAre(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMember("the.member", "Member")
		s.Post("/o/acme/invitations", apptest.Fill("email", "new@example.com", "role", s.Role("Member").ID.String())).LeadsTo("/o/acme/invitations")
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		s.Admit(apptest.Ben.Username, "Owner")
		tables := []string{"users", "sessions", "organizations", "memberships", "invitations", "roles", "mails", "events"}
		content := func() (all string) {
			for _, table := range tables {
				all += s.Dump(table)
			}
			return all
		}
		s.SetTime("sessions", "last_seen_at", time.Now().Add(time.Hour)) // which is written once a minute
		sent := 0
		for _, path := range []string{"/dashboard", "/account", "/account/email", "/account/password", "/account/delete", "/account/sessions", "/organizations",
			"/o/acme", "/o/acme/members", "/o/acme/invitations", "/o/acme/settings", "/o/acme/roles", "/o/acme/transfer", "/o/acme/dissolve", "/forgot-password"} {
			page := s.Get(path).Wants(http.StatusOK)
			// The theme is the browser's, whoever uses it.
			page.Find("form[method=post]:not([action='/theme'])").Each(func(_ int, form apptest.Selection) {
				action := form.AttrOr("action", "")
				typed := url.Values{}
				form.Find("[name]").Each(func(_ int, input apptest.Selection) {
					typed.Add(input.AttrOr("name", ""), input.AttrOr("value", "typed"))
				})
				if !strings.HasSuffix(typed.Get("signed_in_as"), " anna.smith") {
					t.Errorf("%s has a form to %s that doesn't say whose it is", path, action)
				}
				sent++
				before := content()
				for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
					a := ben.Post(action, typed, options...).AsksToSignIn(http.StatusConflict)
					a.Says("This page was opened by anna.smith, but benjamin is signed in now. Nothing was changed")
					for name, values := range typed {
						if got := a.Find(`form[action="`+action+`"] input[type=hidden][name="`+name+`"]`).AttrOr("value", ""); !strings.Contains(name, "password") && name != "signed_in_as" && got != values[0] {
							a.Failf("%s is %q, want %q", name, got, values[0])
						}
					}
				}
				if content() != before {
					t.Errorf("%s, opened by Anna, acts for Ben", action)
				}
			})
		}
		if sent < 20 {
			t.Errorf("there are only %d forms", sent)
		}
		typed := s.Get("/account").Find("#account input[name=signed_in_as]").AttrOr("value", "")
		check := apptest.Fill("signed_in_as", typed, "username", "someone", "email", "x", "password", "zuvok")
		for _, path := range []string{"/account/check?field=username", "/account/email/check?field=email", "/o/acme/roles/check?field=name", "/password-strength?field=password"} {
			ben.Post(path, check, apptest.HTMX).Silent(http.StatusConflict)
		}
		// What names nobody, or nobody that there could be, passes.
		for _, owner := range []string{"", "anna.smith", "x anna.smith", strings.Repeat("0", 5000)} {
			ben.Post("/account", apptest.With(apptest.Ben.Form(), "signed_in_as", owner)).LeadsTo("/account")
		}
	})
}

// TestSignInAgain sends forms after the session has ended.
func TestSignInAgain(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Ben)
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Join(apptest.Anna)
		page := s.Get("/account").Wants(http.StatusOK)
		end := func(v *apptest.Visitor) { v.SetCookie("session", strings.Repeat("A", 43)) }
		profile := apptest.Fill("first_name", `<i> "A"`, "last_name", "Line\nbreak")

		end(s.Visitor)
		a := s.Submit(page, "form#account", profile).AsksToSignIn(http.StatusForbidden).Says("Your session has ended. What you typed is still here.")
		if a.Value("first_name") != `<i> "A"` || a.Value("again_login") != apptest.Anna.Username {
			a.Failf("what was typed, or who, is gone")
		}
		for _, wrong := range []url.Values{apptest.Fill("again_login", "", "again_password", ""), apptest.Fill("again_login", "anna.smith", "again_password", "not mine, really")} {
			a = s.Submit(a, again, wrong).AsksToSignIn(http.StatusUnprocessableEntity)
			if s.User(apptest.Anna.Username).FirstName != "Anna" || a.Value("first_name") != `<i> "A"` {
				a.Failf("a wrong password loses what was typed, or stores it")
			}
		}
		without := s.Visit(t)
		without.Submit(a, again, againAs(apptest.Anna)).AsksToSignIn(http.StatusUnprocessableEntity).Says("Your browser didn't keep our cookie")
		ben := s.Visit(t)
		ben.Get("/sign-in")
		ben.Submit(a, again, againAs(apptest.Ben)).AsksToSignIn(http.StatusConflict).Says("This page was opened by anna.smith, but benjamin is signed in now.")
		if !ben.SignedIn() || s.User("benjamin").FirstName != "Ben" || s.User("anna.smith").FirstName != "Anna" {
			t.Error("Anna's form acts for Ben")
		}
		s.Submit(a, again, againAs(apptest.Anna)).Wants(http.StatusUnprocessableEntity).Says("character that can't be used") // the line break
		if !s.SignedIn() {
			t.Error("the sign-in is lost with a wrong field")
		}

		// Anybody at this browser could have prepared a form that doesn't say whose it is.
		end(s.Visitor)
		planted := apptest.Fill("username", "anna.smith", "first_name", "Planted", "last_name", "Smith")
		a = s.Post("/account", planted).AsksToSignIn(http.StatusForbidden)
		a = s.Submit(a, again, againAs(apptest.Anna)).Wants(http.StatusOK).Page().Says("Before that, this was sent to /account:").Says("First name Planted")
		if got := s.User("anna.smith").FirstName; got != "Anna" {
			t.Errorf("the first name is %q", got)
		}
		s.Submit(a, `main form[action="/account"]`, nil).LeadsTo("/account")
		if got := s.User("anna.smith").FirstName; got != "Planted" {
			t.Errorf("after the question, the first name is %q", got)
		}

		// A form that needs a password asks for it once more: it was not kept.
		page = s.Get("/account/email").Wants(http.StatusOK)
		end(s.Visitor)
		a = s.Submit(page, "form#change-email", apptest.NewEmail("new@example.com")).AsksToSignIn(http.StatusForbidden)
		s.Submit(a, again, againAs(apptest.Anna)).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"current_password": apptest.WantsCurrentPassword})

		// Under htmx the page keeps everything, and sends it again after the sign-in.
		page = s.Get("/account").Wants(http.StatusOK)
		end(s.Visitor)
		profile = apptest.Fill("first_name", "Augusta")
		a = s.Submit(page, "form#account", profile, apptest.HTMX).AsksToSignIn(http.StatusForbidden)
		s.Submit(a, again, apptest.Fill("again_password", "not mine, really"), apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment(again).Says(apptest.WrongSignIn)
		s.Submit(a, again, againAs(apptest.Anna), apptest.HTMX).Wants(http.StatusNoContent).WantsHeader("HX-Trigger", "signed-in")
		s.Submit(page, "form#account", profile, apptest.HTMX).Wants(http.StatusOK).Fragment("form#account")
		if s.User(apptest.Anna.Username).FirstName != "Augusta" {
			t.Error("the form is not saved")
		}
	})
}

// TestSigningInAgainIsThrottled guesses a password by the form that stands in for a page.
func TestSigningInAgainIsThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 3, First: time.Minute, Longest: time.Hour, Forget: apptest.Day}
		})
		s.Visit(t).Join(apptest.Anna)
		guess := apptest.Fill("again_login", "anna.smith", "again_password", "not mine, really", "first_name", "Eve")
		for range 3 {
			s.Post("/account", guess).AsksToSignIn(http.StatusUnprocessableEntity)
		}
		if a := s.Post("/account", guess).AsksToSignIn(http.StatusTooManyRequests); a.Value("first_name") != "Eve" {
			a.Failf("a throttle loses what was typed")
		}
	})
}
