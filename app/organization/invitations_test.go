package organization_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
	"vestibule/templates/components"
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

// TestInviteSeveral invites several people by one form.
func TestInviteSeveral(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		s.Invite("ben@example.com", "Member")
		member := s.Role("Member").ID.String()
		invites := func(emails string) *apptest.Answer {
			return s.Owner.Post("/o/acme/invitations", apptest.Fill("email", emails, "role", member), options...)
		}
		pending := func() (all []string) {
			s.Owner.Get("/o/acme/invitations").Find("#invitations strong").Each(func(_ int, e apptest.Selection) { all = append(all, e.Text()) })
			slices.Sort(all)
			return all
		}
		// All are new, in every form that people paste.
		invites("a@example.com, b@example.com;c@example.com\r\nDora Maar <d@example.com>,\td@EXAMPLE.com  e@example.com,").LeadsTo("/o/acme/invitations")
		s.Owner.Get("/o/acme/invitations").Says("Invitations sent")
		want := []string{"a@example.com", "b@example.com", "ben@example.com", "c@example.com", "d@example.com", "e@example.com"}
		if got := pending(); !slices.Equal(got, want) {
			t.Errorf("pending are %q, want %q", got, want)
		}

		// Some are wrong. They lose no other, and stay.
		a := invites("f@example.com ben ANNA@example.com Ben@Example.com g@example.com").Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"email": "3 of 5 addresses couldn't be invited. They're still in the field."})
		var answers []string
		a.Find(".answers li").Each(func(_ int, e apptest.Selection) { answers = append(answers, strings.TrimSpace(e.Text())) })
		wantAnswers := []string{
			"f@example.com: Invited.", "ben: Enter an email address such as name@example.com.", "ANNA@example.com: This person is already a member.",
			"Ben@Example.com: This address has already been invited. You can resend the invitation below.", "g@example.com: Invited.",
		}
		if !slices.Equal(answers, wantAnswers) {
			t.Errorf("the answers are\n%q, want\n%q", answers, wantAnswers)
		}
		if got := a.Value("email"); got != "ben, ANNA@example.com, Ben@Example.com" {
			t.Errorf("the field holds %q", got)
		}
		if got := a.Text("#invitations") + a.Text(`hx-partial[hx-target="#invitations"]`); !strings.Contains(got, "g@example.com Member Pending") || !strings.Contains(got, "Invited by Anna Smith") {
			t.Errorf("the list says %q", got)
		}
		if got := pending(); !slices.Equal(got, append(want, "f@example.com", "g@example.com")) {
			t.Errorf("pending are %q", got)
		}
		s.Work(func() bool { return len(s.Queue()) == 0 })
		if n := len(s.Outbox()); n != 8 { // with Ben's
			t.Errorf("%d mails are sent, want 8", n)
		}

		invites("x, y").Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": "None of the 2 addresses could be invited."})
		invites(", ;").Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": "Enter an email address."})
		invites(strings.Repeat("x@example.com y@example.com ", 2) + addresses(51)).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"email": "Invite at most 50 people at a time."})
		check := func(emails, want string) {
			t.Helper()
			a := s.Owner.Post("/o/acme/invitations/check?field=email", apptest.Fill("email", emails, "role", member), apptest.HTMX).Wants(http.StatusOK)
			if got := a.Text("#email-error"); got != want {
				a.Failf("the check of %q says %q, want %q", emails, got, want)
			}
		}
		check("h@example.com, i@example.com", "")
		check("h@example.com, i@, j@", "i@: Enter an email address such as name@example.com.")
		check("i@", "Enter an email address such as name@example.com.")
		if got := pending(); len(got) != 8 {
			t.Errorf("pending are %q", got)
		}
	})
}

// addresses returns n addresses, as one text.
func addresses(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "guest%d@example.com ", i)
	}
	return all.String()
}

// TestInviteSeveralWithinLimits counts each of the people whom one form invites.
func TestInviteSeveralWithinLimits(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db, func(c *app.Config) {
			c.LimitInvite = models.Limit{Free: 3, First: time.Minute, Longest: time.Minute, Forget: time.Hour}
		})
		form := apptest.Fill("email", "a@example.com b@example.com wrong c@example.com d@example.com", "role", s.Role("Member").ID.String())
		a := s.Post("/o/acme/invitations", form).TooEarly().
			WantsErrors(map[string]string{"email": "2 of 5 addresses couldn't be invited. They're still in the field."}).
			Says("c@example.com: Invited.").Says("d@example.com: Too many attempts. Try again in 60 seconds.")
		if got := a.Value("email"); got != "wrong, d@example.com" {
			t.Errorf("the field holds %q", got)
		}
		s.Post("/o/acme/invitations", form).TooEarly().Says("a@example.com: Too many attempts.")
		if n := s.Get("/o/acme/invitations").Find("#invitations strong").Length(); n != 3 {
			t.Errorf("%d are invited, want 3", n)
		}
	})
}

func TestInvitationResentAndRevoked(t *testing.T) {
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

// invitationsTo has the owner invite these people, and returns the status of each answer.
func invitationsTo(s *apptest.Company, emails ...string) (statuses []int) {
	for _, email := range emails {
		a := s.Owner.Post("/o/acme/invitations", apptest.Fill("email", email, "role", s.Role("Member").ID.String()))
		statuses = append(statuses, a.StatusCode)
	}
	return statuses
}

// TestInvitationsOfOneAccount invites more strangers than an account and an organization
// may, by each way around the limits.
func TestInvitationsOfOneAccount(t *testing.T) {
	t.Parallel()
	const sent, early = http.StatusSeeOther, http.StatusTooManyRequests
	two := models.Limit{Free: 2, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
	for name, limit := range map[string]func(*app.Config){
		"in an hour": func(c *app.Config) { c.LimitInvite = two },
		"in a day":   func(c *app.Config) { c.LimitInviteDay = two },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewCompany(t, db, limit)
				admin := s.AddMember("the.admin", "Admin")
				other := s.AddMember("benjamin", "Member")
				s.Confirmed()
				if got := invitationsTo(s, "a@example.com", "b@example.com", "c@example.com"); !slices.Equal(got, []int{sent, sent, early}) {
					t.Errorf("the invitations of one account get %v", got)
				}
				waits, err := db.Waits(t.Context(), models.WaitSearch{Limit: 9})
				for _, w := range waits {
					if components.ThrottleLabel(w.Kind) == w.Kind {
						t.Errorf("there are no words for the throttle %q", w.Kind)
					}
				}
				if len(waits) != 2 || err != nil {
					t.Errorf("%d wait (%v)", len(waits), err)
				}
				// Neither another organization of the account nor another account of the
				// organization gets around it.
				s.Owner.Post("/organizations", apptest.Fill("name", "Other")).LeadsTo("/o/other")
				roles := s.Owner.Get("/o/other/invitations").Find("#role option")
				form := apptest.Fill("email", "d@example.com", "role", roles.First().AttrOr("value", ""))
				s.Owner.Post("/o/other/invitations", form).Wants(early)
				admin.Post("/o/acme/invitations", apptest.With(form, "role", s.Role("Member").ID.String())).Wants(early)
				resend := s.Owner.Get("/o/acme/invitations").Find(`form[action$="/resend"]`).First().AttrOr("action", "")
				s.Owner.Post(resend, nil).Wants(early)
				other.Post("/organizations", apptest.Fill("name", "Third")).LeadsTo("/o/third")
				role := other.Get("/o/third/invitations").Find("#role option").First().AttrOr("value", "")
				other.Post("/o/third/invitations", apptest.With(form, "role", role)).LeadsTo("/o/third/invitations")
			})
		})
	}
}

// TestInvitationsToOnePerson has several people invite one, in other spellings too. The
// limit of each is their own, and the person still gets no more than the limit.
func TestInvitationsToOnePerson(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db, func(c *app.Config) {
			c.LimitMail = models.Limit{Free: 2, First: time.Hour, Longest: time.Hour, Forget: 24 * time.Hour}
		})
		other := s.AddMember("benjamin", "Member")
		s.Confirmed()
		if _, err := db.Bun().ExecContext(t.Context(), "DELETE FROM mails"); err != nil {
			t.Fatal(err)
		}
		sent, early := http.StatusSeeOther, http.StatusTooManyRequests
		if got := invitationsTo(s, "carla@example.com", "car.la+x@example.com", "c.a.r.l.a@example.com", "CARLA+y@EXAMPLE.com"); !slices.Equal(got, []int{sent, sent, early, early}) {
			t.Errorf("the invitations of one to one get %v", got)
		}
		other.Post("/organizations", apptest.Fill("name", "Third")).LeadsTo("/o/third")
		form := apptest.Fill("email", "carla@example.com", "role", other.Get("/o/third/invitations").Find("#role option").First().AttrOr("value", ""))
		other.Post("/o/third/invitations", form).LeadsTo("/o/third/invitations")
		other.Post("/account/email", apptest.Fill("email", "carla@example.com", "current_password", apptest.Ben.Password)).Wants(http.StatusOK)
		s.Work(func() bool { return len(s.Logged("mail postponed: its recipient had too much of this kind")) == 2 })
		var got []string
		for _, m := range s.Outbox() {
			got = append(got, m.To+": "+m.Subject)
		}
		if want := []string{"carla@example.com: Confirm your new email address", "carla@example.com: Anna Smith invited you to Vestibule"}; !slices.Equal(got, want) {
			t.Errorf("sent are %q, want %q", got, want)
		}
		left := s.Queue()
		for _, m := range left {
			if m.Attempts != 0 || time.Until(m.NextAt) < 50*time.Minute {
				t.Errorf("left is %+v", m)
			}
		}
		s.SetTime("throttles", "until", time.Now())
		s.SetTime("mails", "next_at", time.Now())
		s.Work(func() bool { return len(s.Outbox()) == 3 })
		if len(left) != 2 || len(s.Queue()) != 1 {
			t.Errorf("%d were left, then %d", len(left), len(s.Queue()))
		}
	})
}

// TestInvitationSaysNothingOfStrangers names people and organizations, as they may have
// been called before the forms refused it, in a way that would make a mail an
// advertisement.
func TestInvitationSaysNothingOfStrangers(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		for name, tt := range map[string]struct {
			first, last, username, organization string
			subject                             string
			says                                []string
		}{
			"plain":         {"Anna", "Smith", "anna.smith", "Acme", "Anna Smith invited you to Vestibule", []string{"Anna Smith invited you to join Acme."}},
			"a link":        {"You have won", "500: prize.example.com/500", "anna.smith", "Acme", "anna.smith invited you to Vestibule", []string{"anna.smith invited you to join Acme."}},
			"links all":     {"See", "t.co", "prize.com", "Win at prize．com", "Someone invited you to Vestibule", []string{"Someone invited you to join an organization."}},
			"in two parts":  {"Call 0800", "123 456", "5550100999", "Call +1 555 010 9999", "Someone invited you to Vestibule", []string{"Someone invited you to join an organization."}},
			"hidden":        {"See", "pri\u200bze.co\u00adm", "anna.smith", "w\u2060ww.evil", "anna.smith invited you to Vestibule", []string{"anna.smith invited you to join an organization."}},
			"much to say":   {strings.Repeat("ü", 100), "Smith", "anna.smith", "Acme", strings.Repeat("ü", 39) + "… invited you to Vestibule", []string{strings.Repeat("ü", 39) + "… invited"}},
			"only a number": {"Anna", "Smith", "anna.smith", "Studio 54", "Anna Smith invited you to Vestibule", []string{"to join Studio 54."}},
		} {
			for column, value := range map[string]string{"first_name": tt.first, "last_name": tt.last, "username": tt.username} {
				if _, err := s.DB.Bun().NewUpdate().Table("users").Set("? = ?", bun.Ident(column), value).Where("id = ?", s.First.UserID).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.DB.Bun().NewUpdate().Table("organizations").Set("name = ?", tt.organization).Where("TRUE").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			email := strings.ReplaceAll(name, " ", "-") + "@example.org"
			if got := invitationsTo(s, email); got[0] != http.StatusSeeOther {
				t.Errorf("%s: the answer is %d", name, got[0])
			}
			m := s.MailTo(email, tt.subject)
			for _, want := range tt.says {
				if !strings.Contains(m.Text, want) {
					t.Errorf("%s: the mail says %s", name, m.Text)
				}
			}
			for _, link := range apptest.LinksIn(m.Text) {
				if !strings.HasPrefix(link, s.URL) {
					t.Errorf("%s: the mail links to %s", name, link)
				}
			}
		}
		wrong := map[string]string{"name": "Leave out web addresses."}
		s.Owner.Post("/o/acme/settings", apptest.Fill("name", "Win at prize.com")).Wants(http.StatusUnprocessableEntity).WantsErrors(wrong)
		s.Owner.Post("/organizations", apptest.Fill("name", "Win at prize.com")).Wants(http.StatusUnprocessableEntity).WantsErrors(wrong)
		s.Owner.Post("/o/acme/settings", apptest.Fill("name", "Call 555 0100 now")).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"name": "Leave out phone numbers."})
	})
}
