package account_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestChangeEmail(t *testing.T) {
	t.Parallel()
	const email = "Anna.Jones@Example.org"
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		verify := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		reset := "/reset-password?token=" + s.ResetToken(apptest.Anna.Email)
		s.Submit(s.Get("/account/email").Wants(http.StatusOK).Page(), "form#change-email", apptest.NewEmail(email), options...).
			Wants(http.StatusOK).Says("We sent a link to " + email + ".")
		link := s.MailTo(email, apptest.ChangeSubject)
		s.Get(verify).Wants(http.StatusOK)
		page := s.Get(link.Link).Wants(http.StatusOK).Page().Says("Your account's email address will change to " + email + ".")
		if u := s.Users()[0]; u.Email != apptest.Anna.Email || u.Verified() {
			t.Fatalf("before the link is used, the user is %+v", u)
		}

		s.Confirmed()
		s.Submit(page, "form#verify", nil, options...).LeadsTo("/dashboard")
		if u := s.Users()[0]; u.Email != email || !u.Verified() {
			t.Errorf("the user is %+v", u)
		}
		notice := s.MailTo(apptest.Anna.Email, apptest.ChangedSubject)
		if !strings.Contains(notice.Text, email) || !strings.HasPrefix(notice.Link, "/not-me?token=") {
			t.Errorf("the old address is told %s", notice.Text)
		}
		for _, void := range []string{link.Link, verify, reset} {
			s.Get(void).Gone()
		}
		s.Visit(t).Post("/sign-in", apptest.Credentials(apptest.Anna.Email, apptest.Anna.Password)).Wants(http.StatusUnprocessableEntity)
		s.Visit(t).Post("/sign-in", apptest.Credentials(email, apptest.Anna.Password)).LeadsTo("/dashboard")
	})
}

// Whoever reads mail at the new address can't take the account: the one who asked for
// the change may have mistyped it.
func TestChangeEmailInAnotherBrowser(t *testing.T) {
	t.Parallel()
	const email = "new@example.com"
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		for name, confirmed := range map[string]bool{"unconfirmed": false, "confirmed": true} {
			t.Run(name, func(t *testing.T) {
				person, email := apptest.Anna, name+email
				person.Username, person.Email = name, name+person.Email
				v := s.Visit(t)
				v.Join(person)
				s.Deliver()
				if confirmed {
					s.Confirmed()
				}
				v.Post("/account/email", apptest.NewEmail(email)).Wants(http.StatusOK)
				mail := s.MailTo(email, apptest.ChangeSubject)
				if !strings.Contains(mail.Text, "account "+name) {
					t.Errorf("the mail does not name the account: %s", mail.Text)
				}
				stranger := s.Visit(t)
				page := stranger.Get(mail.Link).Wants(http.StatusOK).Page().Says("This link is for the account " + name + ".").
					Says("Your account's email address will change to " + email + ".")
				if page.Find("main a[href^='/verify-email']").Length() > 0 {
					t.Error("it leads to a new password")
				}
				form := apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.TokenOf(mail))
				stranger.Post("/verify-email/password", form, options...).Gone()
				stranger.Post("/reset-password", form, options...).Gone()
				stranger.Submit(page, "form#verify", nil, options...).Wants(http.StatusUnprocessableEntity)
				if got := s.User(name); got.Email != person.Email || stranger.SignedIn() || !v.SignedIn() {
					t.Errorf("the link alone does something: %+v", got)
				}
				stranger.Submit(page, "form#verify", apptest.Fill("password", person.Password), options...).LeadsTo("/dashboard")
				if got := s.User(name); got.Email != email || !got.Verified() || !stranger.SignedIn() {
					t.Errorf("with the password, the user is %+v", got)
				}
				s.Deliver()
			})
		}
	})
}

func TestChangeEmailRules(t *testing.T) {
	t.Parallel()
	const own, wantsNew = "This is already your email address.", "Enter your new email address."
	tests := map[string]struct {
		email, password string
		wrong           map[string]string
	}{
		"nothing":                      {"", "", map[string]string{"email": wantsNew, "current_password": apptest.WantsCurrentPassword}},
		"no email":                     {"anna@", apptest.Anna.Password, map[string]string{"email": apptest.WantsAddress}},
		"of 255":                       {apptest.EmailOf(255), apptest.Anna.Password, map[string]string{"email": apptest.AtMost254}},
		"two lines":                    {"a@example.com\nb", apptest.Anna.Password, map[string]string{"email": apptest.OddCharacter}},
		"own":                          {apptest.Anna.Email, apptest.Anna.Password, map[string]string{"email": own}},
		"own in another case":          {"Anna@EXAMPLE.com", apptest.Anna.Password, map[string]string{"email": own}},
		"taken":                        {"ben@example.com", apptest.Anna.Password, map[string]string{"email": apptest.TakenEmail}},
		"taken in another case":        {" BEN@example.com", apptest.Anna.Password, map[string]string{"email": apptest.TakenEmail}},
		"taken, wrong password":        {"ben@example.com", apptest.AnotherPassword, map[string]string{"email": apptest.TakenEmail}},
		"taken, no password":           {"ben@example.com", "", map[string]string{"email": apptest.TakenEmail, "current_password": apptest.WantsCurrentPassword}},
		"free, no password":            {"free@example.com", "", map[string]string{"current_password": apptest.WantsCurrentPassword}},
		"free, wrong password":         {"free@example.com", apptest.AnotherPassword, map[string]string{"current_password": apptest.WrongPassword}},
		"free, password with one more": {"free@example.com", apptest.Anna.Password + " ", map[string]string{"current_password": apptest.WrongPassword}},
		"no email, and wrong password": {"anna@", apptest.AnotherPassword, map[string]string{"email": apptest.WantsAddress}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		s.Deliver()
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				typed := apptest.Fill("email", tt.email, "current_password", tt.password)
				s.Post("/account/email", typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				a := s.Post("/account/email", typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#change-email").WantsErrors(tt.wrong)
				if got := a.Value("email"); got != apptest.Parsed.Replace(strings.TrimSpace(tt.email)) && !strings.Contains(tt.email, "\n") {
					t.Errorf("the form holds %q", got)
				}
				if a.Value("current_password") != "" {
					t.Error("the password came back")
				}
			})
		}
		s.NoMail()
	})
}

func TestEmailFieldChecks(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		s.AgePassword() // the page for the password has no place in a field
		s.Visit(t).Post("/account/email/check?field=email", apptest.NewEmail("x@example.com"), apptest.HTMX).Silent(http.StatusForbidden)
		for email, sentence := range map[string]string{
			"free@example.com": "", " free@example.com ": "", "": "Enter your new email address.", "anna@": apptest.WantsAddress, "a@example.com\nb": apptest.OddCharacter,
			apptest.EmailOf(255): apptest.AtMost254, "Anna@example.com": "This is already your email address.", "BEN@example.com": apptest.TakenEmail,
		} {
			want := map[string]string{"email": sentence}
			if sentence == "" {
				want = nil
			}
			s.Leaves("/account/email/check", "email", apptest.NewEmail(email), want)
			s.Leaves("/account/email/check", "email", apptest.Fill("email", email), want)
		}
		s.Post("/account/email/check?field=current_password", apptest.NewEmail("free@example.com"), apptest.HTMX).Wants(http.StatusNotFound)
		s.Age("authenticated_at", time.Now())
		if at := s.Get("/account/email").Find("#email-field").AttrOr("hx-post", ""); at != "/account/email/check?field=email" {
			t.Errorf("the email is checked at %q", at)
		}
		if _, checked := s.Get("/account/email").Find("#current_password-field").Attr("hx-post"); checked {
			t.Error("the current password is checked by itself")
		}
	})
}

func TestNewEmailTakenMeanwhile(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Deliver()
		s.Post("/account/email", apptest.NewEmail("ben@example.com")).Wants(http.StatusOK)
		page := s.Get(s.MailTo("ben@example.com", apptest.ChangeSubject).Link)
		s.Visit(t).Join(apptest.Ben)
		s.Submit(page, "form#verify", nil, options...).Wants(http.StatusConflict).
			Says("Another account now uses this email address, so yours wasn't changed.")
		if got := s.User("anna.smith"); got.Email != apptest.Anna.Email || got.Verified() {
			t.Errorf("the user is %+v", got)
		}
		s.MailTo("ben@example.com", apptest.VerifySubject) // and none to anna
	})
}

// A person who fears that somebody else asked for the change has ways to stop
// it.
func TestPendingChangeOfEmailIsVoid(t *testing.T) {
	t.Parallel()
	const email = "evil@example.com"
	acts := map[string]func(s *apptest.Site){
		"a new password": func(s *apptest.Site) { s.ChangePassword().LeadsTo("/account") },
		"a reset": func(s *apptest.Site) {
			s.Visit(s.T).Post("/reset-password", apptest.Fill("token", s.ResetToken(apptest.Anna.Email), "password", apptest.AnotherPassword, "confirm_password", apptest.AnotherPassword)).LeadsTo("/dashboard")
		},
		"another request": func(s *apptest.Site) {
			s.Post("/account/email", apptest.NewEmail("good@example.com")).Wants(http.StatusOK)
		},
		"the account is disabled": func(s *apptest.Site) {
			if err := s.DB.DisableUser(s.T.Context(), s.User(apptest.Anna.Email)); err != nil {
				s.T.Fatal(err)
			}
		},
	}
	for name, act := range acts {
		for when, sent := range map[string]bool{"before the link is sent": false, "after the link is sent": true} {
			t.Run(when+", "+name, func(t *testing.T) {
				t.Parallel()
				modelstest.Each(t, func(t *testing.T, db *models.DB) {
					s := apptest.NewSite(t, db)
					s.Join(apptest.Anna)
					s.Deliver()
					s.Post("/account/email", apptest.NewEmail(email)).Wants(http.StatusOK)
					var page *apptest.Answer
					if sent {
						page = s.Get(s.MailTo(email, apptest.ChangeSubject).Link)
					}
					act(s)
					for _, l := range s.Deliver() {
						if l.To == email {
							t.Errorf("sent is %+v", l)
						}
					}
					if sent {
						s.Submit(page, "form#verify", nil).Gone()
					}
					if s.Users()[0].Email != apptest.Anna.Email {
						t.Error("the email is changed")
					}
				})
			})
		}
	}
}

func TestPendingEmail(t *testing.T) {
	t.Parallel()
	const email, another = "new@example.com", "another@example.com"
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		pending := func() string {
			return s.Get("/account/email").Wants(http.StatusOK).Page().Text("#pending-email strong")
		}
		press := func(button string) *apptest.Answer {
			t.Helper()
			return s.Submit(s.Get("/account/email"), `form[action="/account/email/`+button+`"]`, nil, options...)
		}
		sent := s.Post("/account/email", apptest.NewEmail(email), options...).Wants(http.StatusOK).Says("Check your inbox and spam folder.")
		if sent.Find(`#pending-email form[action="/account/email/resend"], #pending-email form[action="/account/email/cancel"], #pending-email a[href^="/account/email"]`).Length() != 3 {
			sent.Failf("there's no way on: %s", sent.Text("#pending-email"))
		}
		if pending() != email { // whose mail is in the queue
			t.Errorf("pending is %q", pending())
		}
		first := s.MailTo(email, apptest.ChangeSubject).Link
		if pending() != email {
			t.Errorf("pending is %q", pending())
		}

		resent := press("resend")
		if len(options) > 0 {
			resent.Wants(http.StatusOK).Says("Link sent")
		} else {
			s.Get(resent.LeadsTo("/account/email").Header.Get("Location")).Says("Link sent")
		}
		second := s.MailTo(email, apptest.ChangeSubject).Link
		s.Get(first).Gone()
		s.Get(second).Wants(http.StatusOK)

		page := s.Get("/account/email?another").Wants(http.StatusOK).Page()
		s.Submit(page, "form#change-email", apptest.NewEmail(another), options...).Wants(http.StatusOK)
		s.Get(second).Gone()
		if pending() != another {
			t.Errorf("pending is %q", pending())
		}
		page = s.Get("/account/email")
		press("cancel").LeadsTo("/account/email")
		if form := s.Get("/account/email").Says("Email change canceled").Find("form#change-email"); form.Length() != 1 {
			t.Error("the form isn't back")
		}
		s.NoMail()
		recorded := map[string]int{}
		for _, e := range s.Events() {
			recorded[e.Kind]++
		}
		if recorded[models.EventEmailRequested] != 3 || recorded[models.EventEmailCanceled] != 1 {
			t.Errorf("recorded are %v", recorded)
		}
		// On a page that is out of date, the buttons do nothing.
		for _, button := range []string{"resend", "cancel"} {
			s.Submit(page, `form[action="/account/email/`+button+`"]`, nil, append(options, apptest.Header("Referer", s.URL+"/account/email"))...).LeadsTo("/account/email")
			s.Get("/account/email").Says("Your account changed in the meantime")
		}
		s.NoMail()
		if u := s.Users()[0]; u.Email != apptest.Anna.Email {
			t.Errorf("the address is %s", u.Email)
		}
	})
}

func TestResendEmailIsLimited(t *testing.T) {
	t.Parallel()
	limit := func(c *app.Config) {
		c.LimitMail = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: apptest.Day}
	}
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Deliver()
		s.Post("/account/email", apptest.NewEmail("new@example.com")).Wants(http.StatusOK)
		s.Post("/account/email/resend", nil).LeadsTo("/account/email")
		a := s.Post("/account/email/resend", nil, options...).Wants(http.StatusTooManyRequests).Says("Try again in ")
		if len(options) == 0 && (strings.Count(a.Text("main"), "Too many attempts") != 1 || a.Find("main [data-wait]").AttrOr("data-wait", "") != a.Header.Get("Retry-After")) {
			a.Failf("it says %s", a.Text("main"))
		}
		if len(s.Queue()) != 1 {
			t.Errorf("in the queue are %+v", s.Queue())
		}
	}, limit)
}
