package app_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
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
		"the email":             {apptest.Anna.Email, apptest.Anna.Password, map[string]string{"username": notYours}},
		"wrong password":         {"anna.smith", apptest.AnotherPassword, map[string]string{"current_password": apptest.WrongPassword}},
		"no password":            {"anna.smith", "", map[string]string{"current_password": apptest.WantsCurrentPassword}},
		"both wrong":             {"anna", apptest.AnotherPassword, map[string]string{"username": notYours, "current_password": apptest.WrongPassword}},
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

func TestDownloadData(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Ben)
		s.Join(apptest.Anna)
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials(), apptest.Header("User-Agent", "curl/8.5.0 <script>")).LeadsTo("/dashboard")
		path := s.Get("/account/delete").Find(`a[href="/account/data"]`).AttrOr("href", "")
		a := s.Get(path).Wants(http.StatusOK).WantsHeader("Cache-Control", "no-store").
			WantsHeader("Content-Type", "application/json; charset=utf-8").
			WantsHeader("Content-Disposition", `attachment; filename="my-data.json"`)
		var data struct {
			Username, Email string
			FirstName       string    `json:"first_name"`
			LastName        string    `json:"last_name"`
			CreatedAt       time.Time `json:"created_at"`
			Sessions        []map[string]string
			Browsers        []map[string]string
			Activity        []map[string]string
		}
		if err := json.Unmarshal([]byte(a.Body), &data); err != nil {
			t.Fatal(err)
		}
		u := s.User("anna.smith")
		if data.Username != u.Username || data.Email != u.Email || data.FirstName != u.FirstName || data.LastName != u.LastName || !data.CreatedAt.Equal(u.CreatedAt) {
			t.Errorf("it says %+v", data)
		}
		fields := []string{"created_at", "device", "expires_at", "ip", "last_seen_at", "user_agent"}
		if len(data.Sessions) != 2 {
			t.Fatalf("it has %d sessions, want 2", len(data.Sessions))
		}
		for _, session := range data.Sessions {
			if got := slices.Sorted(maps.Keys(session)); !slices.Equal(got, fields) || session["ip"] != "127.0.0.1" {
				t.Errorf("a session is %v", session)
			}
		}
		if newest := data.Sessions[0]; newest["device"] != "curl" || newest["user_agent"] != "curl/8.5.0 <script>" {
			t.Errorf("the newest session is %v", newest)
		}
		if len(data.Browsers) != 2 || len(data.Activity) != 2 || data.Activity[1]["event"] != "Signed up" {
			t.Errorf("the browsers are %v, the activity is %v", data.Browsers, data.Activity)
		}
		for _, secret := range []string{"hash", "argon2", "benjamin", "<script>", s.Sessions()[1].ID.String(), u.ID.String()} {
			if strings.Contains(strings.ToLower(a.Body), secret) {
				t.Errorf("%q is in it: %s", secret, a.Body)
			}
		}
		s.Visit(t).Get(path).LeadsTo("/sign-in?next=%2Faccount%2Fdata")
	})
}

// The download has the invitations that the person sent, and no other's.
func TestDownloadInvitations(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		host := s.AddMemberWith("the.host", "Host", models.InviteMembers)
		for address, inviter := range map[string]*models.Membership{"guest@example.com": s.First, "another@example.com": s.Membership("the.host")} {
			if err := s.DB.Invite(t.Context(), inviter, address, s.Role("Host").ID); err != nil {
				t.Fatal(err)
			}
		}
		for address, visitor := range map[string]*apptest.Visitor{"guest@example.com": s.Owner, "another@example.com": host} {
			var data struct{ Invitations []map[string]string }
			a := visitor.Get("/account/data").Wants(http.StatusOK)
			if err := json.Unmarshal([]byte(a.Body), &data); err != nil || len(data.Invitations) != 1 {
				t.Fatalf("it says %+v (%v), want one invitation", data, err)
			}
			i := data.Invitations[0]
			if i["email"] != address || i["organization"] != "Acme" || i["role"] != "Host" || i["created_at"] == "" || i["expires_at"] == "" || len(i) != 5 {
				t.Errorf("the invitation of %s is %v", address, i)
			}
		}
	})
}
