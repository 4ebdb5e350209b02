package organization_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
)

// Somebody unknown follows the link, signs up on the way, and is in: the mail
// that brought the link has proved the address.
func TestInvitationOfSomebodyNew(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		link := s.Invite("ben@example.com", "Admin")
		guest := s.Visit(t)
		page := guest.Get(link).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store").Says("Anna Smith").Says("Acme").Says("Admin")
		to := page.Find("a.quiet").AttrOr("href", "")
		if typed := guest.Get(to).Wants(http.StatusOK).Page(); typed.Value("email") != "ben@example.com" {
			t.Errorf("the email is %q", typed.Value("email"))
		}
		guest.Post(to, apptest.Ben.Form(), options...).LeadsTo(link)
		page = guest.Get(link).Wants(http.StatusOK)
		if s.User("benjamin").Verified() {
			t.Error("the address is verified before the button is pressed")
		}
		guest.Submit(page, "form#accept", nil, options...).LeadsTo("/o/acme")
		guest.Get("/o/acme").Wants(http.StatusOK).Says("Invitation accepted").Says("Admin")
		if !s.User("benjamin").Verified() {
			t.Error("the address is not verified")
		}
		if sent := s.Deliver(); len(sent) > 0 {
			t.Errorf("sent are %+v: there is nothing to verify", sent)
		}
		guest.Get(link).Gone()
		guest.Post("/invitation", apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link})), options...).Gone()
	})
}

// Somebody known signs in on the way.
func TestInvitationOfSomebodyKnown(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Ben)
		s.SetTime("users", "verified_at", time.Now())
		s.Deliver()
		link := s.Invite("BEN@example.com", "Member")
		guest := s.Visit(t)
		to := guest.Get(link).Wants(http.StatusOK).Find("main a:not(.quiet)").AttrOr("href", "")
		guest.Post(to, apptest.Credentials("benjamin", apptest.Ben.Form().Get("password")), options...).LeadsTo(link)
		guest.Submit(guest.Get(link), "form#accept", nil, options...).LeadsTo("/o/acme")
		guest.Get("/o/acme/members").Wants(http.StatusOK).Says("Ben Jones You benjamin · ben@example.com Member")
	})
}

// TestWaitingInvitation accepts an invitation on the dashboard, without its link.
func TestWaitingInvitation(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		ben, other := s.Visit(t), s.Visit(t)
		ben.Join(apptest.Ben)
		other.JoinAs(apptest.With(apptest.Ben.Form(), "username", "another.one", "email", "another@example.com"))
		s.Deliver()
		s.Invite(apptest.Ben.Email, "Admin")
		const form = `#invitations form[action$="/accept"]`
		if a := ben.Get("/dashboard"); a.Find(form).Length() > 0 {
			a.Failf("an address that nobody confirmed has invitations")
		}
		s.Confirmed()
		page := ben.Get("/dashboard").Wants(http.StatusOK).Says("Acme Anna Smith invited you. You'll join as Admin.")
		if a := other.Get("/dashboard"); a.Find(form).Length() > 0 {
			a.Failf("somebody else sees the invitation")
		}
		other.Submit(page, form, apptest.Fill("signed_in_as", ""), options...).Gone()
		ben.Submit(page, form, nil, options...).LeadsTo("/o/acme")
		ben.Get("/o/acme").Wants(http.StatusOK).Says("Invitation accepted").Says("Admin")
		ben.Submit(page, form, nil, options...).Gone()
		if a := ben.Get("/dashboard"); a.Find(form).Length() > 0 {
			a.Failf("the invitation is still there")
		}
		s.Deliver()
		s.Invite("another@example.com", "Member")
		page = other.Get("/dashboard")
		s.SetTime("invitations", "expires_at", time.Now())
		if a := other.Get("/dashboard"); a.Find(form).Length() > 0 {
			a.Failf("an invitation that expired is still there")
		}
		other.Submit(page, form, nil, options...).Gone()
	})
}

// TestDeclineInvitation has a person decline an invitation on the dashboard, beside one
// whose sender may no longer invite.
func TestDeclineInvitation(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		ben, other := s.Visit(t), s.Visit(t)
		ben.Join(apptest.Ben)
		other.JoinAs(apptest.With(apptest.Ben.Form(), "username", "another.one", "email", "another@example.com"))
		s.Confirmed()
		s.Deliver()
		s.Invite(apptest.Ben.Email, "Member")
		page := ben.Get("/dashboard")
		const form = `#invitations form[action$="/decline"]`
		other.Submit(page, form, apptest.Fill("signed_in_as", ""), options...).Gone()
		done := ben.Submit(page, form, apptest.Fill("confirm", "yes"), options...)
		if len(options) == 0 {
			done.LeadsTo("/dashboard")
		} else {
			done.Wants(http.StatusOK).Says("Invitation declined")
		}
		if a := ben.Get("/dashboard"); a.Find(form).Length() > 0 {
			a.Failf("the invitation is still there")
		}
		ben.Submit(page, form, apptest.Fill("confirm", "yes"), options...).Gone()
		ben.Submit(page, `#invitations form[action$="/accept"]`, nil, options...).Gone()
		ben.Get("/account/activity").Says("Declined an invitation")
		if a := s.Get("/o/acme/activity"); strings.Contains(a.Text("main"), "Declined") {
			a.Failf("the organization learns who has an account")
		}

		s.AddMember("carla.braun", "Admin").Post("/o/acme/invitations", apptest.Fill("email", apptest.Ben.Email, "role", s.Role("Member").ID.String()))
		s.Deliver()
		if a := ben.Get("/dashboard"); a.Find(form).Length() != 1 {
			a.Failf("there are %d invitations, want 1", a.Find(form).Length())
		}
		page = ben.Get("/dashboard")
		s.Roles["Admin"].Post("/o/acme/leave", nil)
		if a := ben.Get("/dashboard"); a.Find(form).Length() > 0 {
			a.Failf("a void invitation is there")
		}
		ben.Submit(page, `#invitations form[action$="/accept"]`, nil, options...).Gone()
	})
}

func TestInvitationIsForItsAddressAlone(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		link := s.Invite("ben@example.com", "Member")
		token := apptest.Fill("token", s.TokenOf(apptest.Mail{Link: link}))
		s.Visit(t).Post("/invitation", token).LeadsTo("/sign-in?next=" + url.QueryEscape(link))

		other := s.Visit(t)
		other.JoinAs(apptest.With(apptest.Ben.Form(), "email", "else@example.com"))
		s.SetTime("users", "verified_at", time.Now())
		a := other.Get(link).Wants(http.StatusOK).Says("You're signed in as else@example.com, but this invitation is for a different address.")
		if a.Find("form#accept").Length() != 0 {
			t.Error("there is a button")
		}
		other.Post("/invitation", token).LeadsTo(link)
		other.Get("/o/acme").Wants(http.StatusNotFound)
		other.Submit(a, "main form[action='/sign-out']", nil).LeadsTo(link)
		other.Get(link).Wants(http.StatusOK).Says("Sign in to join")

		// Not verified, and the token was sent to another spelling.
		shouted := s.Visit(t)
		shouted.JoinAs(apptest.With(apptest.Ben.Form(), "username", "shouted", "email", "BEN@example.com"))
		shouted.Get(link).Wants(http.StatusOK).Says("Confirm your email address first")
		shouted.Post("/invitation", token).LeadsTo(link)
		shouted.Get("/o/acme").Wants(http.StatusNotFound)
		for _, secret := range []string{"", "x", strings.Repeat("A", 43)} {
			s.Visit(t).Get("/invitation?token=" + secret).Gone()
			shouted.Post("/invitation", apptest.Fill("token", secret)).Gone()
		}
	})
}
