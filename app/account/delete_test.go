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

func TestDeleteAccountWantsToBeSure(t *testing.T) {
	t.Parallel()
	const notYours = "That isn't your username."
	tests := map[string]struct {
		username, password string
		wrong              map[string]string
	}{
		"nothing":                {"", "", map[string]string{"username": "Enter your username.", "current_password": apptest.WantsCurrentPassword}},
		"another's username":     {"benjamin", apptest.Anna.Password, map[string]string{"username": notYours}},
		"the email":              {apptest.Anna.Email, apptest.Anna.Password, map[string]string{"username": notYours}},
		"wrong password":         {"anna.smith", apptest.AnotherPassword, map[string]string{"current_password": apptest.WrongPassword}},
		"no password":            {"anna.smith", "", map[string]string{"current_password": apptest.WantsCurrentPassword}},
		"both wrong":             {"anna", apptest.AnotherPassword, map[string]string{"username": notYours}},
		"the username and a dot": {"anna.smith.", apptest.Anna.Password, map[string]string{"username": notYours}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Visit(t).Join(apptest.Ben)
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				typed := apptest.Fill("username", tt.username, "current_password", tt.password)
				s.Post("/account/delete", typed).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				a := s.Post("/account/delete", typed, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#delete-account").WantsErrors(tt.wrong)
				if a.Value("username") != tt.username || a.Value("current_password") != "" {
					t.Errorf("the form holds %q and %q", a.Value("username"), a.Value("current_password"))
				}
			})
		}
		if len(s.Users()) != 2 || !s.SignedIn() {
			t.Error("the account is gone")
		}
	})
}

// counted is a change for NewSite: everything that may be limited is counted, and
// nothing held up.
func counted(c *app.Config) {
	many := models.Limit{Free: 1000, First: time.Second, Longest: time.Minute, Forget: apptest.Day}
	c.LimitAccount, c.LimitAddress, c.LimitSignUp, c.LimitMail, c.LimitCheck = many, many, many, many, many
}

func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Ben)
		s.Join(apptest.Anna)
		phone := s.Visit(t)
		phone.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.Confirmed()
		s.Deliver()
		bens := strings.Count(s.Everything("events"), s.User("benjamin").ID.String())
		s.Post("/account/email", apptest.NewEmail("new@example.com")).Wants(http.StatusOK) // waits in the queue
		if s.Dump("throttles") == "" {
			t.Error("nothing was counted")
		}
		link := "/reset-password?token=" + s.ResetToken(apptest.Anna.Email)
		id := s.User("anna.smith").ID.String()

		page := s.Get("/account/delete").Wants(http.StatusOK).Page()
		s.Submit(page, "form#delete-account", apptest.Fill("username", "ANNA.smith", "current_password", apptest.Anna.Password), options...).LeadsTo("/").Clears("session")
		s.Get("/").Wants(http.StatusOK).Says("Account deleted")
		if s.SignedIn() || phone.SignedIn() {
			t.Error("a session lives on")
		}
		s.MailTo(apptest.Anna.Email, "Your account was deleted")
		left := s.Everything("events") // the audit log keeps what happened, by the id
		for _, trace := range []string{apptest.Anna.Email, "anna.smith", "Anna", "new@example.com"} {
			if strings.Contains(s.Dump("events"), trace) {
				t.Errorf("%q is left in the audit log", trace)
			}
		}
		for _, trace := range []string{id, apptest.Anna.Email, "anna.smith", "Anna", "new@example.com"} {
			if strings.Contains(left, trace) {
				t.Errorf("%q is left in the database", trace)
			}
		}
		if got := strings.Count(left, s.User("benjamin").ID.String()); got != bens {
			t.Errorf("of ben %d rows are left, want %d", got, bens)
		}
		s.NoMail()
		s.Get(link).Gone()
		s.Join(apptest.Anna) // the name is free again
	}, counted)
}

func TestDeleteAccountOfAnOwner(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		member := s.AddMember("the.member", "Member")
		typed := apptest.Fill("username", "anna.smith", "current_password", apptest.Anna.Password)
		page := s.Owner.Get("/account/delete").Wants(http.StatusOK).Says("transfer or delete Acme. You're its only owner")
		blocked := func(a *apptest.Answer) bool {
			button := a.Find("form#delete-account .submit[aria-disabled=true]")
			return strings.Contains(a.Text("#"+button.AttrOr("aria-describedby", "nothing")), "transfer or delete Acme.")
		}
		if !blocked(page) || page.Find("form#delete-account input:not([type=hidden])").Length() > 0 {
			t.Error("the button does not say why it is disabled, or there is something to fill in for nothing")
		}
		s.Owner.Submit(page, "form#delete-account", nil, options...).Wants(http.StatusConflict).Says("You're the only owner of Acme, which has other members.")
		s.Owner.Post("/account/delete", typed, options...).Wants(http.StatusConflict).Says("You're the only owner of Acme, which has other members.")
		if a := s.Owner.Post("/account/delete", typed, options...); !blocked(a) {
			t.Error("after an error, the button does not say why it is disabled")
		}
		if !s.Owner.SignedIn() {
			t.Fatal("the account is gone")
		}
		member.Submit(member.Get("/o/acme/members"), `form[action$="/leave"]`, nil).LeadsTo("/organizations")
		page = s.Owner.Get("/account/delete").Wants(http.StatusOK).Says("Your organization Acme has no other members, so this deletes it too.")
		if blocked(page) {
			t.Error("the button is disabled for nothing")
		}
		s.Owner.Post("/account/delete", typed, options...).LeadsTo("/")
		if left := s.Dump("organizations") + s.Dump("memberships"); strings.Contains(left, s.First.OrganizationID.String()) {
			t.Errorf("the organization is left: %s", left)
		}
	})
}
