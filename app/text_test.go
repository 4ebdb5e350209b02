package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestInvisibleCharacters pastes characters that nobody sees into every field, and wants
// the same as without them.
func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	// paste puts them around and into a text.
	paste := func(s string) string { return "\ufeff\u202a" + s[:2] + "\u200b\u00ad" + s[2:] + "\u2060\u200d\u202c " }
	pasted := func(form url.Values) url.Values {
		for name, values := range form {
			if !strings.Contains(name, "password") && name != "role" {
				form.Set(name, paste(values[0]))
			}
		}
		return form
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		mira := apptest.Person{Username: "mira.k", First: "Mira", Last: "Kovács", Email: "mira@example.com", Password: "\u200bviolet kettle thunder"}
		s.Post("/sign-up", pasted(mira.Form())).LeadsTo("/dashboard")
		u := s.User("mira.k")
		if u.Username != mira.Username || u.FullName() != "Mira Kovács" || u.Email != mira.Email {
			t.Errorf("stored is %+q", *u)
		}
		s.MailTo(mira.Email, apptest.VerifySubject)
		s.Confirmed()
		s.Visit(t).Post("/sign-up", apptest.With(pasted(mira.Form()), "username", "mi\u200bra.k")).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"username": apptest.TakenUsername, "email": apptest.TakenEmail})
		for _, login := range []string{"mira@example.com", "mira\u200b@example.com", "\ufeffmira.k", paste("MIRA@Example.com"), paste("mira.k")} {
			s.Visit(t).Post("/sign-in", apptest.Credentials(login, mira.Password)).LeadsTo("/dashboard")
		}
		// A password is what was typed: it is in no log and on no page where one could tell.
		s.Visit(t).Post("/sign-in", apptest.Credentials("mira.k", "violet kettle thunder")).Wants(http.StatusUnprocessableEntity)
		s.Deliver()

		s.Visit(t).Post("/forgot-password", pasted(apptest.Fill("email", mira.Email))).Wants(http.StatusOK).Says(mira.Email)
		s.MailTo(mira.Email, apptest.ResetSubject)
		s.Post("/account/email", apptest.Fill("email", paste("mira@example.com"), "current_password", mira.Password)).
			Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": "This is already your email address."})
		s.Post("/account/email", apptest.Fill("email", paste("new@example.com"), "current_password", mira.Password)).Wants(http.StatusOK).Says("new@example.com")
		s.MailTo("new@example.com", apptest.ChangeSubject)
		s.Post("/account", pasted(apptest.Fill("username", "mira.k", "first_name", "Mira", "last_name", "Nagy"))).LeadsTo("/account")
		if u := s.User("mira.k"); u.FullName() != "Mira Nagy" {
			t.Errorf("the name is %+q", u.FullName())
		}

		s.Post("/organizations", pasted(apptest.Fill("name", "Acme Tools", "slug", "acme"))).LeadsTo("/o/acme")
		s.Post("/o/acme/settings", pasted(apptest.Fill("name", "Acme"))).LeadsTo("/o/acme/settings")
		role := apptest.Fill("name", paste("Host"), "permissions", "see-activity")
		s.Post("/o/acme/roles", role).LeadsTo("/o/acme/roles")
		s.Post("/o/acme/roles", apptest.With(role, "name", "Host")).Wants(http.StatusUnprocessableEntity)
		for _, q := range []string{"mira", paste("nagy"), paste("mira@example.com")} {
			s.Get("/o/acme/members?q=" + url.QueryEscape(q)).Wants(http.StatusOK).Says("Mira Nagy You mira.k · mira@example.com")
		}
		m, err := db.MembershipBySlug(t.Context(), "acme", u.ID)
		if err != nil {
			t.Fatal(err)
		}
		s.Post("/o/acme/invitations", apptest.Fill("email", paste("ben@example.com"), "role", m.RoleID.String())).LeadsTo("/o/acme/invitations")
		s.MailTo("ben@example.com", "Mira Nagy invited you to Vestibule")
		s.Post("/o/acme/transfer", pasted(apptest.Fill("username", "mira.k"))).Wants(http.StatusUnprocessableEntity)
		s.Post("/o/acme/dissolve", pasted(apptest.Fill("name", "Acme"))).LeadsTo("/organizations")
		s.Post("/account/delete", apptest.Fill("username", paste("mira.k"), "current_password", mira.Password)).LeadsTo("/")
	})
}

// TestDomainInAnyScript signs up by one spelling of a domain and comes back by another.
// Mail goes out in ASCII to a server that knows nothing else.
func TestDomainInAnyScript(t *testing.T) {
	t.Parallel()
	const ascii, shown = "anna@xn--bcher-kva.example", "anna@bücher.example"
	for name, typed := range map[string]string{"A-label": ascii, "letters": shown, "capitals": "anna@BU\u0308CHER.example"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := apptest.StartMailServer(t)
				s := apptest.NewCompany(t, db, office.Use)
				u := apptest.With(apptest.Ben.Form(), "email", typed)
				ben := s.Visit(t)
				ben.Post("/sign-up", u).LeadsTo("/dashboard")
				if got := s.User(shown); got.Email != ascii || got.EmailKey != ascii || s.User(ascii).ID != got.ID {
					t.Errorf("stored are %q and the key %q", got.Email, got.EmailKey)
				}
				for _, other := range []string{ascii, shown} {
					s.Visit(t).Post("/sign-up", apptest.With(u, "username", "another", "email", other)).Wants(http.StatusUnprocessableEntity).
						WantsErrors(map[string]string{"email": apptest.TakenEmail})
					s.Visit(t).Post("/sign-in", apptest.Credentials(other, apptest.Ben.Password)).LeadsTo("/dashboard")
					s.Visit(t).Post("/forgot-password", apptest.Fill("email", other)).Wants(http.StatusOK).Says(other)
				}
				s.Confirmed()
				ben.Get("/account").Wants(http.StatusOK).Says(shown)
				s.Admit("benjamin", "Member")
				for _, q := range []string{"b%C3%BCcher", "bücher.example", ascii, shown} {
					s.Owner.Get("/o/acme/members?q=" + url.QueryEscape(strings.ReplaceAll(q, "%C3%BC", "ü"))).Wants(http.StatusOK).Says(shown)
				}
				invitee := strings.Replace(typed, "anna", "carla", 1)
				invite := apptest.Fill("email", invitee, "role", s.Role("Member").ID.String())
				s.Owner.Post("/o/acme/invitations", invite).LeadsTo("/o/acme/invitations")
				s.Owner.Post("/o/acme/invitations", apptest.With(invite, "email", "carla@bücher.example")).Wants(http.StatusUnprocessableEntity)
				s.Owner.Get("/o/acme/invitations").Wants(http.StatusOK).Says("carla@bücher.example")
				ben.Post("/account/email", apptest.Fill("email", "new@straße.example", "current_password", apptest.Ben.Password)).Wants(http.StatusOK)

				s.Work(func() bool { return len(s.Queue()) == 0 })
				got := map[string]int{}
				for _, d := range office.Deliveries() {
					got[d.To]++
					if to := d.Header.Get("To"); to != "<"+d.To+">" {
						t.Errorf("mail to %s says %s", d.To, to)
					}
				}
				if got[ascii] < 2 || got["carla@xn--bcher-kva.example"] != 1 || got["new@xn--strae-oqa.example"] != 1 {
					t.Errorf("mail went to %v", got)
				}
				for _, d := range office.To("new@xn--strae-oqa.example", apptest.ChangeSubject) {
					if !strings.Contains(d.Text, "new@straße.example") {
						t.Errorf("the mail says %s", d.Text)
					}
					link := strings.TrimPrefix(apptest.LinksIn(d.Text)[0], s.URL)
					s.Log.Hide(s.TokenOf(apptest.Mail{Link: link}))
				}
			})
		})
	}
}

// TestAddressThatMailCannotReach types an address whose first part only some mail
// servers can write to.
func TestAddressThatMailCannotReach(t *testing.T) {
	t.Parallel()
	const address = "zoë@example.com"
	for name, utf8 := range map[string]bool{"by ASCII": false, "by SMTPUTF8": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				office := apptest.StartMailServer(t, func(s *smtp.Server) { s.EnableSMTPUTF8 = utf8 })
				s := apptest.NewCompany(t, db, office.Use)
				for path, tt := range map[string]struct {
					as   *apptest.Visitor
					form url.Values
					ok   int
				}{
					"/sign-up":              {s.Visit(t), apptest.With(apptest.Ben.Form(), "email", address), http.StatusSeeOther},
					"/forgot-password":      {s.Visit(t), apptest.Fill("email", address), http.StatusOK},
					"/account/email":        {s.Owner, apptest.NewEmail("z" + address), http.StatusOK},
					"/o/acme/invitations":   {s.Owner, apptest.Fill("email", address, "role", s.Role("Member").ID.String()), http.StatusSeeOther},
					"/sign-up/check?field=": {s.Visit(t), apptest.Fill("email", "q"+address), http.StatusOK},
				} {
					if check, isCheck := strings.CutSuffix(path, "field="); isCheck {
						a := tt.as.Post(check+"field=email", tt.form, apptest.HTMX).Wants(http.StatusOK)
						if got := a.Text("#email-error"); (got == apptest.UnreachableAddress) == utf8 {
							t.Errorf("the check says %q", got)
						}
						continue
					}
					a := tt.as.Post(path, tt.form)
					if utf8 {
						a.Wants(tt.ok)
						continue
					}
					a.Wants(http.StatusUnprocessableEntity).Page().WantsErrors(map[string]string{"email": apptest.UnreachableAddress})
				}
				if !utf8 {
					for _, m := range s.Queue() {
						if m.Recipient != apptest.Anna.Email {
							t.Errorf("the queue holds %+v", m)
						}
					}
				}
			})
		})
	}
}

// TestAddressesOfAnEarlierVersion stores addresses as an earlier version did, and lets
// their users sign in.
func TestAddressesOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Log.MayFail()
		for i, email := range []string{"anna@bücher.example", "mira\u200b@example.com", "ben@bücher.example", "ben@xn--bcher-kva.example", "zoë@example.com"} {
			p := apptest.Nth(i)
			s.Visit(t).Join(p)
			if _, err := db.Bun().NewUpdate().Table("users").Set("email = ?", email).Set("email_key = ?", strings.ToLower(email)).
				Set("verified_at = created_at").Where("username = ?", p.Username).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Work(func() bool { return len(s.Logged("email addresses renewed")) == 1 && len(s.Queue()) == 0 })
		for login, want := range map[string]string{
			"anna@bücher.example": "person0", "anna@xn--bcher-kva.example": "person0",
			"mira@example.com": "person1", "mira\u200b@example.com": "person1",
			"ben@bücher.example": "person3", "person2": "person2", // of two accounts with one address
			"zoë@example.com": "person4",
		} {
			v := s.Visit(t)
			v.Post("/sign-in", apptest.Credentials(login, apptest.Nth(0).Password)).LeadsTo("/dashboard")
			if u := s.User(login); u.Username != want || u.Verified() != (want != "person1") {
				t.Errorf("%+q is %s, confirmed %v; want %s", login, u.Username, u.Verified(), want)
			}
		}
		if lines := s.Logged("another account has the same email address, so this user can sign in by username alone"); len(lines) != 1 || lines[0]["user_id"] != s.User("person2").ID.String() {
			t.Errorf("the log says %v", lines)
		}
		if renewed, taken, err := db.RenewEmails(t.Context()); renewed != 0 || len(taken) != 1 || err != nil {
			t.Errorf("then %d are renewed and %v taken (%v)", renewed, taken, err)
		}
	})
}
