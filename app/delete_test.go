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
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestDeleteAccountWantsToBeSure(t *testing.T) {
	t.Parallel()
	const notYours = "This is not your username."
	tests := map[string]struct {
		username, password string
		wrong              map[string]string
	}{
		"nothing":                {"", "", map[string]string{"username": "Enter your username.", "current_password": wantsCurrentPassword}},
		"another's username":     {"benjamin", annasPassword, map[string]string{"username": notYours}},
		"the e-mail":             {annasEmail, annasPassword, map[string]string{"username": notYours}},
		"wrong password":         {"anna.smith", anotherPassword, map[string]string{"current_password": wrongPassword}},
		"no password":            {"anna.smith", "", map[string]string{"current_password": wantsCurrentPassword}},
		"both wrong":             {"anna", anotherPassword, map[string]string{"username": notYours, "current_password": wrongPassword}},
		"the username and a dot": {"anna.smith.", annasPassword, map[string]string{"username": notYours}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.visit(t).join(ben())
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				typed := fill("username", tt.username, "current_password", tt.password)
				s.post("/account/delete", typed).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				a := s.post("/account/delete", typed, htmx).wants(http.StatusUnprocessableEntity).fragment("form#delete-account").wantsErrors(tt.wrong)
				if a.value("username") != tt.username || a.value("current_password") != "" {
					t.Errorf("the form holds %q and %q", a.value("username"), a.value("current_password"))
				}
			})
		}
		if len(s.users()) != 2 || !s.signedIn() {
			t.Error("the account is gone")
		}
	})
}

// counted is a change for newSite: everything that may be limited is counted, and
// nothing held up.
func counted(c *app.Config) {
	many := models.Limit{Free: 1000, First: time.Second, Longest: time.Minute, Forget: day}
	c.LimitAccount, c.LimitAddress, c.LimitSignUp, c.LimitMail, c.LimitCheck = many, many, many, many, many
}

func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.visit(t).join(ben())
		s.join(anna())
		phone := s.visit(t)
		phone.post("/sign-in", annas()).leadsTo("/dashboard")
		s.confirmed()
		s.deliver()
		bens := strings.Count(s.everything("events"), s.user("benjamin").ID.String())
		s.post("/account/email", newEmail("new@example.com")).wants(http.StatusOK) // waits in the queue
		if s.dump("throttles") == "" {
			t.Error("nothing was counted")
		}
		link := "/reset-password?token=" + s.resetToken(annasEmail)
		id := s.user("anna.smith").ID.String()

		page := s.get("/account/delete").wants(http.StatusOK).page()
		s.submit(page, "form#delete-account", fill("username", "ANNA.smith", "current_password", annasPassword), options...).leadsTo("/").clears("session")
		s.get("/").wants(http.StatusOK).says("Your account is deleted.")
		if s.signedIn() || phone.signedIn() {
			t.Error("a session lives on")
		}
		s.letterTo(annasEmail, "Your account is deleted")
		left := s.everything("events") // the audit log keeps what happened, by the id
		for _, trace := range []string{annasEmail, "anna.smith", "Anna", "new@example.com"} {
			if strings.Contains(s.dump("events"), trace) {
				t.Errorf("%q is left in the audit log", trace)
			}
		}
		for _, trace := range []string{id, annasEmail, "anna.smith", "Anna", "new@example.com"} {
			if strings.Contains(left, trace) {
				t.Errorf("%q is left in the database", trace)
			}
		}
		if got := strings.Count(left, s.user("benjamin").ID.String()); got != bens {
			t.Errorf("of ben %d rows are left, want %d", got, bens)
		}
		s.noLetter()
		s.get(link).gone()
		s.join(anna()) // the name is free again
	}, counted)
}

func TestDownloadData(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.visit(t).join(ben())
		s.join(anna())
		s.visit(t).post("/sign-in", annas(), header("User-Agent", "curl/8.5.0 <script>")).leadsTo("/dashboard")
		path := s.get("/account/delete").find(`a[href="/account/data"]`).AttrOr("href", "")
		a := s.get(path).wants(http.StatusOK).wantsHeader("Cache-Control", "no-store").
			wantsHeader("Content-Type", "application/json; charset=utf-8").
			wantsHeader("Content-Disposition", `attachment; filename="my-data.json"`)
		var data struct {
			Username, Email string
			FirstName       string    `json:"first_name"`
			LastName        string    `json:"last_name"`
			CreatedAt       time.Time `json:"created_at"`
			Sessions        []map[string]string
			Browsers        []map[string]string
			Activity        []map[string]string
		}
		if err := json.Unmarshal([]byte(a.body), &data); err != nil {
			t.Fatal(err)
		}
		u := s.user("anna.smith")
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
		for _, secret := range []string{"hash", "argon2", "benjamin", "<script>", s.sessions()[1].ID.String(), u.ID.String()} {
			if strings.Contains(strings.ToLower(a.body), secret) {
				t.Errorf("%q is in it: %s", secret, a.body)
			}
		}
		s.visit(t).get(path).leadsTo("/sign-in?next=%2Faccount%2Fdata")
	})
}

// The download has the invitations that the person sent, and no other's.
func TestDownloadInvitations(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		host := s.employRole("the.host", "Host", models.InviteMembers)
		for address, inviter := range map[string]*models.Membership{"guest@example.com": s.first, "another@example.com": s.place("the.host")} {
			if err := s.db.Invite(t.Context(), inviter, address, s.role("Host").ID); err != nil {
				t.Fatal(err)
			}
		}
		for address, visitor := range map[string]*visitor{"guest@example.com": s.owner, "another@example.com": host} {
			var data struct{ Invitations []map[string]string }
			a := visitor.get("/account/data").wants(http.StatusOK)
			if err := json.Unmarshal([]byte(a.body), &data); err != nil || len(data.Invitations) != 1 {
				t.Fatalf("it says %+v (%v), want one invitation", data, err)
			}
			i := data.Invitations[0]
			if i["email"] != address || i["organization"] != "Acme" || i["role"] != "Host" || i["created_at"] == "" || i["expires_at"] == "" || len(i) != 5 {
				t.Errorf("the invitation of %s is %v", address, i)
			}
		}
	})
}
