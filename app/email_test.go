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

// newEmail is the form that asks for another address.
func newEmail(email string) url.Values {
	return fill("email", email, "current_password", annasPassword)
}

func TestChangeEmail(t *testing.T) {
	t.Parallel()
	const email = "Anna.Jones@Example.org"
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		verify := s.letterTo(annasEmail, verifySubject).link
		reset := "/reset-password?token=" + s.resetToken(annasEmail)
		s.submit(s.get("/account/email").wants(http.StatusOK).page(), "form#change-email", newEmail(email), options...).
			wants(http.StatusOK).says("We sent a link to " + email + ".")
		link := s.letterTo(email, changeSubject)
		s.get(verify).wants(http.StatusOK)
		page := s.get(link.link).wants(http.StatusOK).page().says("The e-mail of your account becomes " + email + ".")
		if u := s.users()[0]; u.Email != annasEmail || u.Verified() {
			t.Fatalf("before the link is used, the user is %+v", u)
		}

		s.confirmed()
		s.submit(page, "form#verify", nil, options...).leadsTo("/dashboard")
		if u := s.users()[0]; u.Email != email || !u.Verified() {
			t.Errorf("the user is %+v", u)
		}
		notice := s.letterTo(annasEmail, changedSubject)
		if !strings.Contains(notice.text, email) || s.tokenOf(notice) != "" {
			t.Errorf("the old address is told %s", notice.text)
		}
		for _, void := range []string{link.link, verify, reset} {
			s.get(void).gone()
		}
		s.visit(t).post("/sign-in", credentials(annasEmail, annasPassword)).wants(http.StatusUnprocessableEntity)
		s.visit(t).post("/sign-in", credentials(email, annasPassword)).leadsTo("/dashboard")
	})
}

func TestChangeEmailRules(t *testing.T) {
	t.Parallel()
	const own, wantsNew = "This is your e-mail already.", "Enter your new e-mail."
	tests := map[string]struct {
		email, password string
		wrong           map[string]string
	}{
		"nothing":                       {"", "", map[string]string{"email": wantsNew, "current_password": wantsCurrentPassword}},
		"no e-mail":                     {"anna@", annasPassword, map[string]string{"email": wantsAddress}},
		"of 255":                        {address(255), annasPassword, map[string]string{"email": atMost254}},
		"two lines":                     {"a@example.com\nb", annasPassword, map[string]string{"email": oddCharacter}},
		"own":                           {annasEmail, annasPassword, map[string]string{"email": own}},
		"own in another case":           {"Anna@EXAMPLE.com", annasPassword, map[string]string{"email": own}},
		"taken":                         {"ben@example.com", annasPassword, map[string]string{"email": takenEmail}},
		"taken in another case":         {" BEN@example.com", annasPassword, map[string]string{"email": takenEmail}},
		"taken, wrong password":         {"ben@example.com", anotherPassword, map[string]string{"email": takenEmail, "current_password": wrongPassword}},
		"taken, no password":            {"ben@example.com", "", map[string]string{"email": takenEmail, "current_password": wantsCurrentPassword}},
		"free, no password":             {"free@example.com", "", map[string]string{"current_password": wantsCurrentPassword}},
		"free, wrong password":          {"free@example.com", anotherPassword, map[string]string{"current_password": wrongPassword}},
		"free, password with one more":  {"free@example.com", annasPassword + " ", map[string]string{"current_password": wrongPassword}},
		"no e-mail, and wrong password": {"anna@", anotherPassword, map[string]string{"email": wantsAddress, "current_password": wrongPassword}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.visit(t).join(ben())
		s.deliver()
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				typed := fill("email", tt.email, "current_password", tt.password)
				s.post("/account/email", typed).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				a := s.post("/account/email", typed, htmx).wants(http.StatusUnprocessableEntity).fragment("form#change-email").wantsErrors(tt.wrong)
				if got := a.value("email"); got != parsed.Replace(strings.TrimSpace(tt.email)) && !strings.Contains(tt.email, "\n") {
					t.Errorf("the form holds %q", got)
				}
				if a.value("current_password") != "" {
					t.Error("the password came back")
				}
			})
		}
		s.noLetter()
	})
}

func TestEmailFieldChecks(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.visit(t).join(ben())
		s.grownOld() // the page for the password has no place in a field
		s.visit(t).post("/account/email/check?field=email", newEmail("x@example.com"), htmx).leadsTo("/sign-in")
		for email, sentence := range map[string]string{
			"free@example.com": "", " free@example.com ": "", "": "Enter your new e-mail.", "anna@": wantsAddress, "a@example.com\nb": oddCharacter,
			address(255): atMost254, "Anna@example.com": "This is your e-mail already.", "BEN@example.com": takenEmail,
		} {
			want := map[string]string{"email": sentence}
			if sentence == "" {
				want = nil
			}
			s.leaves("/account/email/check", "email", newEmail(email), want)
			s.leaves("/account/email/check", "email", fill("email", email), want)
		}
		s.post("/account/email/check?field=current_password", newEmail("free@example.com"), htmx).wants(http.StatusNotFound)
		s.age("authenticated_at", time.Now())
		if at := s.get("/account/email").find("#email-field").AttrOr("hx-post", ""); at != "/account/email/check?field=email" {
			t.Errorf("the e-mail is checked at %q", at)
		}
		if _, checked := s.get("/account/email").find("#current_password-field").Attr("hx-post"); checked {
			t.Error("the current password is checked by itself")
		}
	})
}

func TestNewEmailTakenMeanwhile(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		s.deliver()
		s.post("/account/email", newEmail("ben@example.com")).wants(http.StatusOK)
		page := s.get(s.letterTo("ben@example.com", changeSubject).link)
		s.visit(t).join(ben())
		s.submit(page, "form#verify", nil, options...).wants(http.StatusConflict).
			says("Another account has this e-mail by now, so yours was not changed.")
		if got := s.user("anna.smith"); got.Email != annasEmail || got.Verified() {
			t.Errorf("the user is %+v", got)
		}
		s.letterTo("ben@example.com", verifySubject) // and none to anna
	})
}

// A person who fears that somebody else asked for the change has ways to stop
// it.
func TestPendingChangeOfEmailIsVoid(t *testing.T) {
	t.Parallel()
	const email = "evil@example.com"
	acts := map[string]func(s *site){
		"a new password": func(s *site) { s.changePassword().leadsTo("/account") },
		"a reset": func(s *site) {
			s.visit(s.t).post("/reset-password", fill("token", s.resetToken(annasEmail), "password", anotherPassword, "confirm_password", anotherPassword)).leadsTo("/dashboard")
		},
		"another request": func(s *site) { s.post("/account/email", newEmail("good@example.com")).wants(http.StatusOK) },
		"the account is disabled": func(s *site) {
			if err := s.db.DisableUser(s.t.Context(), s.user(annasEmail)); err != nil {
				s.t.Fatal(err)
			}
		},
	}
	for name, act := range acts {
		for when, sent := range map[string]bool{"before the link is sent": false, "after the link is sent": true} {
			t.Run(when+", "+name, func(t *testing.T) {
				t.Parallel()
				modelstest.Each(t, func(t *testing.T, db *models.DB) {
					s := newSite(t, db)
					s.join(anna())
					s.deliver()
					s.post("/account/email", newEmail(email)).wants(http.StatusOK)
					var page *answer
					if sent {
						page = s.get(s.letterTo(email, changeSubject).link)
					}
					act(s)
					for _, l := range s.deliver() {
						if l.to == email {
							t.Errorf("sent is %+v", l)
						}
					}
					if sent {
						s.submit(page, "form#verify", nil).gone()
					}
					if s.users()[0].Email != annasEmail {
						t.Error("the e-mail is changed")
					}
				})
			})
		}
	}
}
