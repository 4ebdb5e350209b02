package organization_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestInvitationRefuses(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		admin := s.AddMember("the.admin", "Admin")
		s.Invite("ben@example.com", "Member")
		member, owner := s.Role("Member").ID.String(), s.Role("Owner").ID.String()
		for name, tt := range map[string]struct {
			email, role string
			wrong       map[string]string
		}{
			"nothing":      {"", "", map[string]string{"email": "Enter an email address.", "role": "Choose one of the options."}},
			"no address":   {"ben", member, map[string]string{"email": "Enter an email address such as name@example.com."}},
			"invited":      {"Ben@Example.com", member, map[string]string{"email": "This address has already been invited. You can resend the invitation below."}},
			"a member":     {"ANNA@example.com", member, map[string]string{"email": "This person is already a member."}},
			"more than it": {"new@example.com", owner, map[string]string{"role": "Choose one of the options."}},
		} {
			t.Run(name, func(t *testing.T) {
				typed := apptest.Fill("email", tt.email, "role", tt.role)
				admin.Post("/o/acme/invitations", typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				admin.Post("/o/acme/invitations", typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#invite").WantsErrors(tt.wrong)
			})
		}
		s.NoMail()
		if _, err := s.DB.Bun().ExecContext(t.Context(), "UPDATE users SET verified_at = NULL"); err != nil {
			t.Fatal(err)
		}
		s.Owner.Post("/o/acme/invitations", apptest.Fill("email", "new@example.com", "role", member)).Wants(http.StatusForbidden).Says("Confirm your email address first")
		// The page says so at once, and keeps what can still be done.
		a := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Page().
			Says("Confirm your email address before you invite anyone. Open the link we sent to " + apptest.Anna.Email).Says("ben@example.com Member")
		for selector, want := range map[string]int{"form#invite": 0, `form[action$="/resend"]`: 0, `form[action$="/revoke"]`: 1, `form[action="/account/verify"]`: 1} {
			if got := a.Find(selector).Length(); got != want {
				t.Errorf("there are %d %s, want %d", got, selector, want)
			}
		}
	})
}

func TestInvitationSentAgainAndTakenBack(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		link := s.Invite("ben@example.com", "Member")
		s.SetTime("invitations", "expires_at", time.Now().Add(-time.Minute))
		s.Visit(t).Get(link).Gone()
		page := s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("Expired")
		s.Owner.Submit(page, `form[action$="/resend"]`, nil, options...)
		again := s.MailTo("ben@example.com", "Anna Smith invited you to Vestibule").Link
		s.Visit(t).Get(link).Gone()
		s.Visit(t).Get(again).Wants(http.StatusOK)
		page = s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK)
		if strings.Contains(page.Body, "Expired") {
			t.Error("it is expired still")
		}
		s.Owner.Submit(page, `form[action$="/resend"]`, nil, options...)
		s.Owner.Submit(page, `form[action$="/revoke"]`, nil, options...)
		s.NoMail()
		s.Visit(t).Get(again).Gone()
		s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("No pending invitations.")
		s.Owner.Submit(page, `form[action$="/revoke"]`, nil, options...).Wants(http.StatusNotFound)
	})
}

func TestInvitationsPages(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		for i := range 25 {
			if err := s.DB.Invite(t.Context(), s.First, fmt.Sprintf("guest%02d@example.com", i), s.Role("Member").ID); err != nil {
				t.Fatal(err)
			}
		}
		var guests []string
		pages := 0
		for path := "/o/acme/invitations"; path != ""; pages++ {
			a := s.Owner.Get(path, options...).Wants(http.StatusOK)
			if len(options) > 0 {
				a.Fragment("li")
			}
			a.Find("li strong").Each(func(_ int, e apptest.Selection) { guests = append(guests, e.Text()) })
			if _, focused := a.Find("li").FilterFunction(func(_ int, e apptest.Selection) bool { return e.Find("strong").Length() > 0 }).Attr("autofocus"); focused != (pages > 0) {
				t.Errorf("the focus on the first of page %d is %v", pages, focused)
			}
			more := a.Find("li > a.quiet:only-child")
			path = more.AttrOr("href", "")
			if more.AttrOr("hx-get", "") != path || path != "" && more.AttrOr("hx-target", "") != "closest .rows > li" {
				t.Errorf("more comes by %q", more.AttrOr("hx-get", ""))
			}
		}
		if len(guests) != 25 || guests[0] != "guest24@example.com" || guests[24] != "guest00@example.com" || pages != 2 {
			t.Errorf("%d pages show %v", pages, guests)
		}
	})
}

func TestInvitationsAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db, func(c *app.Config) {
			c.LimitMail = models.Limit{Free: 2, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		link := "/o/acme/invitations"
		typed := apptest.Fill("email", "ben@example.com", "role", s.Role("Member").ID.String())
		s.Post(link, typed).LeadsTo(link)
		s.Submit(s.Get(link), `form[action$="/resend"]`, nil).LeadsTo(link)
		s.Submit(s.Get(link), `form[action$="/resend"]`, nil).Wants(http.StatusTooManyRequests)
		s.Submit(s.Get(link), `form[action$="/revoke"]`, nil).LeadsTo(link)
		a := s.Post(link, typed, apptest.HTMX).Wants(http.StatusTooManyRequests).Fragment("form#invite").Says("Too many attempts.")
		if a.Header.Get("Retry-After") == "" {
			t.Error("there is no Retry-After")
		}
		s.Post(link, apptest.With(typed, "email", "carla@example.com")).LeadsTo(link)
		a = s.Post(link, typed).TooEarly().Page().Says("Pending invitations carla@example.com")
		if got := a.Value("email"); got != "ben@example.com" {
			t.Errorf("the field holds %q", got)
		}
	})
}
