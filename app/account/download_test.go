package account_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestDownloadDataOfAMember(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		a := s.Owner.Get("/account/data").Wants(http.StatusOK)
		for _, want := range []string{`"organization": "Acme"`, `"address": "acme"`, `"role": "Owner"`} {
			if !strings.Contains(a.Body, want) {
				t.Errorf("there is no %s in %s", want, a.Body)
			}
		}
	})
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

		secret := s.AddAuthenticator().Secret
		codes := s.RecoveryCodes()
		a = s.Get(path).Wants(http.StatusOK)
		var factors struct {
			Authenticators []map[string]string
			RecoveryCodes  []map[string]string `json:"recovery_codes"`
		}
		if err := json.Unmarshal([]byte(a.Body), &factors); err != nil || len(factors.Authenticators) != 1 || len(factors.RecoveryCodes) != 10 {
			t.Errorf("the factors are %+v (%v)", factors, err)
		}
		if strings.Contains(a.Body, secret) || strings.Contains(a.Body, codes[0]) || len(factors.RecoveryCodes[0]) != 1 {
			t.Errorf("a secret is in %s", a.Body)
		}
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
