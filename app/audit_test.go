package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
)

// TestNothingChangesWithoutItsEvent makes the audit log refuse every event. Each change
// that is recorded then fails as a whole.
func TestNothingChangesWithoutItsEvent(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		s.Log.MayFail()
		ben := s.AddMember("benjamin", "Member")
		s.AddMemberWith("second.member", "Helper", models.ManageMembers)
		accept := s.Invite("carol@example.com", "Member")
		carol := s.Visit(t)
		carol.JoinAs(apptest.With(apptest.Ben.Form(), "username", "carol.jones", "email", "carol@example.com"))
		verify := s.TokenOf(s.MailTo("carol@example.com", "Confirm your email address"))
		reset := s.ResetToken(apptest.Anna.Email)
		s.Post("/account/email", apptest.NewEmail("another@example.com")).Wants(http.StatusOK)
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		id := func(username string) string { return s.Membership(username).ID.String() }
		invitations, err := s.DB.Invitations(t.Context(), s.First.OrganizationID, uuid.Nil, 10)
		if err != nil || len(invitations) != 1 {
			t.Fatalf("there are %d invitations (%v)", len(invitations), err)
		}
		invitation := "/o/acme/invitations/" + invitations[0].ID.String()
		member, helper := "/o/acme/members/"+id("benjamin"), "/o/acme/roles/"+s.Role("Helper").ID.String()
		admin := s.Role("Admin").ID.String()
		var mine string
		for _, session := range s.Sessions() {
			if session.UserID == s.First.UserID {
				mine = session.ID.String() // the newest, which is other's
			}
		}

		key := &models.Passkey{CredentialID: []byte("id"), PublicKey: []byte("key"), Name: "Key"}
		if err := s.DB.AddPasskey(t.Context(), s.User("carol.jones"), key); err != nil {
			t.Fatal(err)
		}
		elsewhere := &models.Identity{Provider: "acme", Subject: "of carol"}
		if err := s.DB.AddIdentity(t.Context(), s.User("carol.jones"), elsewhere, "Acme"); err != nil {
			t.Fatal(err)
		}

		second := s.AddMember("second.owner", "Owner")
		app := &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("x")}
		if err := s.DB.AddAuthenticator(t.Context(), s.User("second.owner"), app); err != nil {
			t.Fatal(err)
		}
		s.SetTime("organizations", "second_factor_from", time.Now().Add(2*apptest.Day))
		// Somebody whose recovery has waited, and somebody who may begin one.
		s.Confirmed()
		secret := func(username string, purpose models.Purpose) string {
			t.Helper()
			u := s.User(username)
			secret, err := s.DB.CreateToken(t.Context(), nil, u, purpose, u.Email)
			if err != nil {
				t.Fatal(err)
			}
			return secret
		}
		for _, username := range []string{"second.member", "benjamin"} {
			app := &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("x")}
			if err := s.DB.AddAuthenticator(t.Context(), s.User(username), app); err != nil {
				t.Fatal(err)
			}
		}
		s.Post("/recover/start", apptest.Fill("token", secret("second.member", models.Recover))).Wants(http.StatusSeeOther)
		s.SetTime("recoveries", "ready_at", time.Now())
		links := map[string]string{}
		for _, m := range s.Deliver() {
			path, token, _ := strings.Cut(m.Link, "?token=")
			links[path] = token
		}

		steps := []struct {
			who  *apptest.Visitor
			path string
			form url.Values
		}{
			{s.Visit(t), "/sign-up", apptest.Nth(1).Form()},
			{s.Visit(t), "/sign-in", apptest.Anna.Credentials()},
			{s.Visit(t), "/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", reset)},
			{carol, "/verify-email", apptest.Fill("token", verify)},
			{carol, "/invitation", apptest.Fill("token", tokenIn(accept))},
			{s.Owner, "/account", apptest.With(apptest.Anna.Form(), "last_name", "Jones")},
			{s.Owner, "/account/email", apptest.NewEmail("new@example.com")},
			{s.Owner, "/account/email/resend", nil},
			{s.Owner, "/account/email/cancel", nil},
			{s.Owner, "/account/password", apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", apptest.Anna.Password)},
			{s.Owner, "/account/sessions/" + mine + "/end", nil},
			{s.Owner, "/account/sessions/end-others", nil},
			{carol, "/account/passkeys/" + key.ID.String(), apptest.Fill("name", "Blue key")},
			{carol, "/account/passkeys/" + key.ID.String() + "/remove", nil},
			{carol, "/account/connections/" + elsewhere.ID.String() + "/remove", nil},
			{carol, "/account/password/remove", nil},
			{carol, "/account/delete", apptest.Fill("username", "carol.jones", "current_password", apptest.Ben.Password)},
			{s.Owner, "/organizations", apptest.Fill("name", "Another")},
			{s.Owner, "/o/acme/settings", apptest.Fill("name", "Renamed")},
			{second, "/o/acme/security", apptest.Fill("from", time.Now().Add(apptest.Day).UTC().Format(time.DateOnly))},
			{second, "/o/acme/security/lift", nil},
			{s.Owner, "/o/acme/invitations", apptest.Fill("email", "dora@example.com", "role", s.Role("Member").ID.String())},
			{s.Owner, invitation + "/resend", nil},
			{s.Owner, invitation + "/revoke", nil},
			{s.Owner, "/o/acme/roles", apptest.Fill("name", "New role")},
			{s.Owner, helper, apptest.Fill("name", "Other name")},
			{s.Owner, helper + "/delete", nil},
			{s.Owner, member + "/role", apptest.Fill("role", admin)},
			{s.Owner, member + "/remove", nil},
			{ben, "/o/acme/leave", nil},
			{s.Owner, "/o/acme/transfer", apptest.Fill("username", "benjamin")},
			{s.Owner, "/o/acme/dissolve", apptest.Fill("name", "Acme")},
			{s.Visit(t), "/recover/start", apptest.Fill("token", secret("benjamin", models.Recover))},
			{s.Visit(t), "/recover/cancel", apptest.Fill("token", links["/recover/cancel"])},
			{s.Roles["Helper"], "/account/recovery/cancel", nil},
			{s.Visit(t), "/recover/finish", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", secret("second.member", models.FinishRecovery))},
			{s.Visit(t), "/not-me", apptest.Fill("token", links["/not-me"])},
			{ben, "/sign-out", nil},
		}
		refuseEvents(t, s.DB)
		before := s.Everything("throttles", "sessions") // sessions are seen
		sessions := len(s.Sessions())
		for _, step := range steps {
			step.who.Post(step.path, step.form).Wants(http.StatusInternalServerError)
			if s.Everything("throttles", "sessions") != before || len(s.Sessions()) != sessions {
				t.Fatalf("%s changed something without its event", step.path)
			}
		}
		s.AgePassword()
		hash := s.Sessions()
		s.Owner.Post("/account/delete", apptest.Fill("sudo", "open", "current_password", apptest.Anna.Password)).Wants(http.StatusInternalServerError)
		for i, session := range s.Sessions() {
			if string(session.TokenHash) != string(hash[i].TokenHash) {
				t.Error("a session was renewed without its event")
			}
		}
	})
}

func tokenIn(link string) string {
	_, token, _ := strings.Cut(link, "token=")
	return token
}

// refuseEvents makes the database refuse every new event.
func refuseEvents(t *testing.T, db *models.DB) {
	t.Helper()
	statements := []string{"CREATE TRIGGER refused BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'refused'); END"}
	if db.Postgres() {
		statements = []string{
			"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$",
			"CREATE TRIGGER refused BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()",
		}
	}
	for _, statement := range statements {
		if _, err := db.Bun().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}
