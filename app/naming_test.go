package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func oneName(c *app.Config) { c.Names = models.NamesOne }

// TestNamesSwitched changes NAMES under accounts, which lose nothing and are shown alike.
func TestNamesSwitched(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		both, one := apptest.NewSite(t, db), apptest.NewSite(t, db, oneName)
		named := func(username, first, last string) {
			t.Helper()
			if u := both.User(username); u.FirstName != first || u.LastName != last || u.NameKey != strings.ToLower(u.FullName()) {
				t.Errorf("the names are %q and %q, sorted by %q", u.FirstName, u.LastName, u.NameKey)
			}
		}
		both.Join(apptest.Anna)
		anna := one.Visit(t)
		anna.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		page := anna.Get("/account").Wants(http.StatusOK)
		if page.Value("name") != "Anna Smith" || page.Find("[name=first_name], [name=last_name]").Length() > 0 {
			page.Failf("the profile asks for %q", page.Text("form#account"))
		}
		anna.Submit(page, "form#account", apptest.Fill("username", "anna.brown")).LeadsTo("/account")
		named("anna.brown", "Anna", "Smith") // kept apart
		anna.Submit(page, "form#account", apptest.Fill("name", "Anna van Smith")).LeadsTo("/account")
		named("anna.smith", "Anna van Smith", "")

		page = both.Get("/account").Wants(http.StatusOK)
		if page.Value("first_name") != "Anna van Smith" || page.Value("last_name") != "" || page.Find("[data-initials=AS]").Length() == 0 {
			page.Failf("the profile asks for %q", page.Text("form#account"))
		}
		both.Submit(page, "form#account", nil).WantsErrors(map[string]string{"last_name": "Enter your last name."})
		both.Submit(page, "form#account", apptest.Fill("first_name", "Anna", "last_name", "van Smith", "name", "Eve")).LeadsTo("/account")
		named("anna.smith", "Anna", "van Smith")
		if text := anna.Get("/dashboard").Wants(http.StatusOK).Text("main h1"); text != "Hello, Anna" {
			t.Errorf("the dashboard says %q", text)
		}
	})
}

// variant is a value of a setting.
type variant struct {
	name   string
	change func(*app.Config)
}

// columns are the settings whose every combination TestNaming goes through.
var columns = [][]variant{
	{
		{"USERNAMES=required", func(*app.Config) {}},
		{"USERNAMES=optional", usernames(models.UsernamesOptional)},
		{"USERNAMES=off", usernames(models.UsernamesOff)},
	},
	{
		{"NAMES=both", func(*app.Config) {}},
		{"NAMES=one", oneName},
	},
	{
		{"SIGN_UP=open", func(*app.Config) {}},
		{"SIGN_UP=domains", signUp(models.SignUpDomains)},
		{"SIGN_UP=invited", signUp(models.SignUpInvited)},
		{"SIGN_UP=closed", signUp(models.SignUpClosed)},
	},
}

func signUp(mode models.SignUpMode) func(*app.Config) {
	return apptest.SignUpMode(string(mode), "example.com")
}

func usernames(u models.Usernames) func(*app.Config) {
	return func(c *app.Config) { c.Usernames = u }
}

// combinations returns every choice of one variant from each column.
func combinations(columns [][]variant) (all [][]variant) {
	all = [][]variant{nil}
	for _, column := range columns {
		var longer [][]variant
		for _, chosen := range all {
			for _, v := range column {
				longer = append(longer, append(chosen[:len(chosen):len(chosen)], v))
			}
		}
		all = longer
	}
	return all
}

// cora had an account before the settings changed.
var cora = apptest.Person{Username: "cora.hidden", First: "Cora", Last: "Lane", Email: "cora@example.com", Password: "paper lantern nine"}

// TestNaming goes with two new people and one known from before through every page that
// asks for a name or shows one, by each combination of settings.
func TestNaming(t *testing.T) {
	t.Parallel()
	for _, chosen := range combinations(columns) {
		var names []string
		var changes []func(*app.Config)
		for _, v := range chosen {
			names, changes = append(names, v.name), append(changes, v.change)
		}
		name := strings.Join(names, " ")
		asks := "username first_name last_name email password confirm_password"
		if strings.Contains(name, "NAMES=one") {
			asks = strings.Replace(asks, "first_name last_name", "name", 1)
		}
		off, optional := strings.Contains(name, "USERNAMES=off"), strings.Contains(name, "USERNAMES=optional")
		if off {
			asks = strings.TrimPrefix(asks, "username ")
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				apptest.NewSite(t, db).Join(cora)
				s := naming{Site: apptest.NewSite(t, db, append(changes, apptest.OnLocalhost)...), off: off}
				s.Deliver()
				ben := apptest.Ben
				if off || optional {
					ben.Username = ""
				}
				fields := strings.Fields(asks)

				path := "/sign-up"
				if strings.Contains(name, "SIGN_UP=invited") || strings.Contains(name, "SIGN_UP=closed") {
					path = s.InviteToSite(apptest.Anna.Email)
				}
				s.signsUp(s.Visitor, path, fields, apptest.Anna).LeadsTo("/dashboard")
				s.Confirmed()
				s.Deliver()
				s.Post("/organizations", apptest.Fill("name", "Acme")).LeadsTo("/o/acme")
				page := s.shows(s.Visitor, "/o/acme/invitations")
				s.Submit(page, "form#invite", apptest.Fill("email", ben.Email, "role", page.Find("#invite option").Last().AttrOr("value", ""))).LeadsTo("/o/acme/invitations")
				link := s.MailTo(ben.Email, "Anna Smith invited you to Vestibule").Link

				guest := s.Visit(t)
				to := s.shows(guest, link).Says("Anna Smith").Find("a.quiet").AttrOr("href", "")
				s.signsUp(guest, to, fields, ben).LeadsTo(link)
				guest.Submit(s.shows(guest, link), "form#accept", nil).LeadsTo("/o/acme")
				s.Confirmed()
				s.Deliver()

				guest.Post("/sign-out", nil)
				sign := s.shows(guest, "/sign-in")
				if label := sign.Text("label[for=login]"); (label == "Email address") != off || !off && label != "Email or username" {
					t.Errorf("sign-in asks for %q", label)
				}
				for login, known := range map[string]bool{"BEN@example.com": true, "benjamin": ben.Username != "", "cora.hidden": !off, "@" + s.User(ben.Email).ID.String(): false} {
					v, password := s.Visit(t), apptest.Ben.Password
					if login == cora.Username {
						password = cora.Password
					}
					a := v.Submit(v.Get("/sign-in"), "form#sign-in", apptest.Credentials(login, password))
					if !known {
						a.Wants(http.StatusUnprocessableEntity).Says(map[bool]string{true: "Wrong email or password.", false: apptest.WrongSignIn}[off])
						continue
					}
					a.LeadsTo("/dashboard")
				}
				guest.Submit(sign, "form#sign-in", apptest.Credentials(ben.Email, ben.Password)).LeadsTo("/dashboard")

				// Their own account.
				knownAs := ben.Email
				if ben.Username != "" {
					knownAs = ben.Username
				}
				dashboard := s.shows(guest, "/dashboard").Says("You're signed in as " + knownAs + ".")
				if dashboard.Find("[data-initials=BJ]").Length() == 0 || dashboard.Value("signed_in_as") != s.User(ben.Email).ID.String()+" "+knownAs {
					dashboard.Failf("the header has other initials, or forms are for %q", dashboard.Value("signed_in_as"))
				}
				for _, path := range []string{"/account", "/account/password", "/account/email", "/account/security", "/account/passkeys", "/account/sessions", "/account/activity", "/account/delete", "/organizations"} {
					s.shows(guest, path)
				}
				s.wantsFields(guest.Get("/account"), "form#account", fields[:len(fields)-3])
				guest.Submit(guest.Get("/account"), "form#account", apptest.Fill("first_name", "Benedict", "last_name", "Jones", "name", "Benedict Jones")).LeadsTo("/account")
				if u := s.User(ben.Email); u.FullName() != "Benedict Jones" || u.Username != ben.Username {
					t.Errorf("stored are the name %q and username %q", u.FullName(), u.Username)
				}
				if data := guest.Get("/account/data").Wants(http.StatusOK).Body; strings.Contains(data, "username") == (ben.Username == "") || !strings.Contains(data, "Benedict") {
					t.Errorf("the download is %s", data)
				}

				// Other members.
				s.joins(cora)
				s.shows(s.Visitor, "/o/acme/members").Says("Anna Smith").Says("Benedict Jones").Says("Cora Lane")
				for search, found := range map[string]bool{"benedict": true, "ben@example": true, "benjamin": ben.Username != "", "cora.hid": !off, s.User(ben.Email).ID.String()[:13]: false} {
					rows := s.Get("/o/acme/members?q=" + url.QueryEscape(search)).Wants(http.StatusOK).Find("#members .member")
					if rows.Length() == 1 != found {
						t.Errorf("a search for %q finds %d members", search, rows.Length())
					}
				}
				var sorted []string
				s.Get("/o/acme/members?sort=name").Find("#members .member strong bdi").Each(func(_ int, e apptest.Selection) { sorted = append(sorted, e.Text()) })
				if got := strings.Join(sorted, ", "); got != "Anna Smith, Benedict Jones, Cora Lane" {
					t.Errorf("sorted by name they are %s", got)
				}
				s.shows(guest, "/o/acme")
				s.shows(guest, "/o/acme/members")
				s.shows(s.Visitor, "/o/acme/activity").Says("by Anna Smith")
				transfer := s.shows(s.Visitor, "/o/acme/transfer").Says("Benedict Jones (" + knownAs + ")")
				s.Submit(transfer, "form#transfer", apptest.Fill("username", knownAs)).LeadsTo("/o/acme")
				s.shows(guest, "/o/acme/transfer").Says("New owner")
				s.Get("/o/acme/transfer").Wants(http.StatusForbidden)

				old := s.Visit(t)
				old.Post("/sign-in", apptest.Credentials(cora.Email, cora.Password)).LeadsTo("/dashboard")
				s.shows(old, "/o/acme/members")
				field, answer, wrong := "username", cora.Username, "That isn't your username."
				if off {
					field, answer, wrong = "email", "CORA@example.com", "That isn't your email address."
				}
				page = s.shows(old, "/account/delete")
				old.Submit(page, "form#delete-account", apptest.Fill(field, "somebody", "current_password", cora.Password)).WantsErrors(map[string]string{field: wrong})
				if !strings.Contains(s.Dump("users"), cora.Username) {
					t.Error("the username from before is lost")
				}
				old.Submit(page, "form#delete-account", apptest.Fill(field, answer, "current_password", cora.Password)).LeadsTo("/")
				for _, m := range s.Deliver() {
					if off && strings.Contains(m.Text, cora.Username) {
						t.Errorf("the mail names %s: %s", cora.Username, m.Text)
					}
				}
			})
		})
	}
}

// naming is a site with some combination of settings.
type naming struct {
	*apptest.Site
	off bool
}

// shows opens a page. It names nobody by a username while there are none.
func (s naming) shows(v *apptest.Visitor, path string) *apptest.Answer {
	s.T.Helper()
	a := v.Get(path).Wants(http.StatusOK).Page().Harmless()
	if body := strings.ToLower(a.Text("body") + a.Value("signed_in_as")); s.off && (strings.Contains(body, "username") || strings.Contains(body, cora.Username)) {
		a.Failf("it speaks of usernames: %s", a.Text("main"))
	}
	return a
}

// wantsFields wants a form to ask for these fields, in this order.
func (s naming) wantsFields(page *apptest.Answer, form string, fields []string) {
	s.T.Helper()
	var asked []string
	page.Find(form + " .field input").Each(func(_ int, e apptest.Selection) { asked = append(asked, e.AttrOr("name", "")) })
	if got, want := strings.Join(asked, " "), strings.Join(fields, " "); got != want {
		page.Failf("it asks for %s, want %s", got, want)
	}
}

// signsUp signs p up with these fields, after leaving each.
func (s naming) signsUp(v *apptest.Visitor, path string, fields []string, p apptest.Person) *apptest.Answer {
	s.T.Helper()
	page := s.shows(v, path)
	s.wantsFields(page, "form#sign-up", fields)
	want := strings.Join(fields[:len(fields)-2], " ")
	if strings.HasPrefix(path, "/sign-up?") { // the invitation stands for the address
		want = strings.TrimSuffix(want, "email") + "token"
	}
	if with := page.Find("[data-options='/sign-up/passkey']").AttrOr("data-with", ""); with != want {
		page.Failf("a passkey is asked for with %s", with)
	}
	typed := apptest.With(p.Form(), "name", p.First+" "+p.Last, "token", page.Value("token"))
	for _, field := range []string{"username", "first_name", "last_name", "name", "email"} {
		if slices.Contains(fields, field) && (field != "email" || page.Value("token") == "") {
			v.Leaves("/sign-up/check", field, typed, nil)
		} else {
			v.Post("/sign-up/check?field="+field, typed, apptest.HTMX).Wants(http.StatusNotFound)
		}
	}
	v.Submit(page, "form#sign-up", apptest.With(typed, "email", "", "name", "", "first_name", "")).Wants(http.StatusUnprocessableEntity)
	return v.Submit(page, "form#sign-up", typed)
}

// joins makes p a member of the organization.
func (s naming) joins(p apptest.Person) {
	s.T.Helper()
	company := &apptest.Company{Site: s.Site, First: s.Membership(apptest.Anna.Email)}
	company.Admit(p.Email, "Member")
}

// TestUsernamesOptional has people who share that they have no username, and set, take and
// remove one.
func TestUsernamesOptional(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.JoinAs(apptest.With(apptest.Anna.Form(), "username", ""))
		ben := s.Visit(t)
		ben.JoinAs(apptest.With(apptest.Ben.Form(), "username", " \u200b"))
		if a, b := s.User(apptest.Anna.Email), s.User(apptest.Ben.Email); a.Username+b.Username != "" || a.UsernameKey == b.UsernameKey {
			t.Errorf("stored are the usernames %q and %q", a.Username, b.Username)
		}
		saves := func(v *apptest.Visitor, username string) *apptest.Answer {
			t.Helper()
			return v.Submit(v.Get("/account").Wants(http.StatusOK), "form#account", apptest.Fill("username", username), options...)
		}
		saves(s.Visitor, "Anna.Smith")
		saves(ben, "ann").WantsErrors(map[string]string{"username": "Use at least 5 characters."})
		saves(ben, "anna.SMITH").Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"username": apptest.TakenUsername})
		ben.Leaves("/account/check", "username", apptest.Fill("username", "anna.smith"), map[string]string{"username": apptest.TakenUsername})
		ben.Leaves("/account/check", "username", apptest.Fill("username", ""), nil)
		s.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", apptest.Anna.Password)).LeadsTo("/dashboard")
		saves(s.Visitor, "")
		s.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", apptest.Anna.Password)).Wants(http.StatusUnprocessableEntity)
		s.Visit(t).Post("/sign-in", apptest.Credentials(apptest.Anna.Email, apptest.Anna.Password)).LeadsTo("/dashboard")
		saves(ben, "anna.SMITH") // is free
		if anna, ben := s.User(apptest.Anna.Email), s.User("anna.smith"); anna.Username != "" || ben.Email != apptest.Ben.Email {
			t.Errorf("Anna is %q, and Ben has the address %s", anna.Username, ben.Email)
		}
		page := s.Get("/account/delete").Wants(http.StatusOK)
		s.Submit(page, "form#delete-account", apptest.Fill("email", apptest.Anna.Email, "current_password", apptest.Anna.Password), options...).LeadsTo("/")
	}, usernames(models.UsernamesOptional))
}

// TestUsernamesSwitchedOff keeps a username while the site has none.
func TestUsernamesSwitchedOff(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		on, off := apptest.NewSite(t, db), apptest.NewSite(t, db, usernames(models.UsernamesOff))
		on.Join(apptest.Anna)
		on.Confirmed()
		anna := off.Visit(t)
		anna.Post("/sign-in", apptest.Credentials(apptest.Anna.Username, apptest.Anna.Password)).Wants(http.StatusUnprocessableEntity).Says("Wrong email or password.")
		page := anna.Get("/sign-in")
		anna.Submit(page, "form#sign-in", apptest.Credentials(apptest.Anna.Email, apptest.Anna.Password)).LeadsTo("/dashboard")
		anna.Submit(anna.Get("/account"), "form#account", apptest.Fill("first_name", "Annabel", "username", "eve.was.here")).LeadsTo("/account")
		if u := on.User(apptest.Anna.Username); u.FirstName != "Annabel" || u.Email != apptest.Anna.Email {
			t.Errorf("stored is %+v", u)
		}
		for _, typed := range []url.Values{apptest.Anna.Credentials(), apptest.Credentials("", apptest.Anna.Password)} { // in another tab
			anna.Submit(page, "form#sign-in", typed).Wants(http.StatusConflict).Says("You're signed in as anna@example.com now.")
		}
		anna.Submit(page, "form#sign-in", apptest.Credentials("ANNA@example.com", apptest.Anna.Password)).LeadsTo("/dashboard")

		// What is stored of her is in her data, all the same.
		anna.Get("/account/data").Wants(http.StatusOK).Says(`"username": "` + apptest.Anna.Username + `"`)

		change := anna.Get("/account/password").Wants(http.StatusOK)
		if login := change.Find("input[autocomplete=username]").AttrOr("value", apptest.Anna.Email); login != apptest.Anna.Email {
			t.Errorf("password managers are told %q", login)
		}
		anna.Submit(change, "form#change-password", apptest.With(apptest.Twice("my annabel 7 zuvok"), "current_password", apptest.Anna.Password)).
			WantsErrors(map[string]string{"password": "Don't use your own name or email address in the password."})

		// A link to a new address doesn't tell a stranger the old one.
		off.Deliver()
		anna.Submit(anna.Get("/account/email").Wants(http.StatusOK), "form#change-email", apptest.NewEmail("new@example.com"))
		m := off.MailTo("new@example.com", apptest.ChangeSubject)
		if strings.Contains(m.Text, apptest.Anna.Username) || strings.Contains(m.Text, apptest.Anna.Email) {
			t.Errorf("the mail says %s", m.Text)
		}
		if a := off.Visit(t).Get(m.Link).Wants(http.StatusOK).Says("This link is for your account."); strings.Contains(a.Body, apptest.Anna.Email) || strings.Contains(a.Body, apptest.Anna.Username) {
			a.Failf("the page tells a stranger %s", a.Text("main"))
		}

		// The form of a session that ended asks for the address.
		page = anna.Get("/account").Wants(http.StatusOK)
		off.SetTime("sessions", "expires_at", time.Now().Add(-time.Hour))
		again := anna.Submit(page, "form#account", apptest.Fill("first_name", "Ann"))
		if again.Value("again_login") != apptest.Anna.Email || again.Text("label[for=again_login]") != "Email address" {
			again.Failf("it asks %q for %q", again.Value("again_login"), again.Text("label[for=again_login]"))
		}
		on.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
	})
}

// TestOneNameInPasswords refuses each word of one name.
func TestOneNameInPasswords(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, oneName)
		typed := apptest.With(apptest.Anna.Form(), "name", "Anna Smith", "username", "somebody")
		for _, password := range []string{"42 smith 42 zuvok", "my ANNA 7 zuvok"} {
			s.Leaves("/sign-up/check", "password", apptest.With(typed, "password", password, "confirm_password", ""), map[string]string{"password": apptest.Personal})
		}
	})
}

// TestProviderAndNaming asks somebody who comes by a provider only for what the site needs.
func TestProviderAndNaming(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change      func(*app.Config)
		person      apptest.OpenIDPerson
		asks        string
		first, last string
	}{
		"nothing is missing":    {usernames(models.UsernamesOff), apptest.AnnaElsewhere, "", "Anna", "Smith"},
		"an optional username":  {usernames(models.UsernamesOptional), apptest.AnnaElsewhere, "username", "Anna", "Smith"},
		"one name":              {oneName, apptest.OpenIDPerson{Subject: "1", First: "Anna", Email: apptest.Anna.Email, Verified: true}, "username", "Anna", ""},
		"one name of two":       {oneName, apptest.AnnaElsewhere, "username", "Anna", "Smith"},
		"no name":               {oneName, apptest.OpenIDPerson{Subject: "1", Email: apptest.Anna.Email, Verified: true}, "username name", "Anna Smith", ""},
		"a name that is a link": {oneName, apptest.OpenIDPerson{Subject: "1", First: "Anna", Last: "www.evil.example", Email: apptest.Anna.Email, Verified: true}, "username name", "Anna Smith", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				acme := apptest.NewOpenID(t, "acme")
				s := naming{Site: apptest.NewSite(t, db, acme.Use, tt.change)}
				acme.Person = tt.person
				s.ComesBy(acme).LeadsTo("/sign-up/provider")
				page := s.Get("/sign-up/provider").Wants(http.StatusOK).Harmless()
				s.wantsFields(page, "form#provider-sign-up", strings.Fields(tt.asks))
				if name == "an optional username" && page.Value("username") != "" {
					t.Errorf("it suggests %q", page.Value("username"))
				}
				typed := apptest.Fill("name", "Anna Smith", "username", "")
				if strings.Contains(tt.asks, "username") && name != "an optional username" {
					typed.Set("username", "anna.smith")
				}
				s.Submit(page, "form#provider-sign-up", typed).LeadsTo("/dashboard")
				if u := s.User(apptest.Anna.Email); u.FirstName != tt.first || u.LastName != tt.last || u.Username != typed.Get("username") {
					t.Errorf("stored is %+v", u)
				}
			})
		})
	}
}

// TestPasskeyWithoutUsername lists a passkey by the email address.
func TestPasskeyWithoutUsername(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, usernames(models.UsernamesOff), apptest.OnLocalhost)
		options := s.Post("/sign-up/passkey", apptest.With(apptest.Anna.Form(), "username", "anna.smith")).Wants(http.StatusOK)
		if !strings.Contains(options.Body, `"name":"anna@example.com"`) || strings.Contains(options.Body, "anna.smith") {
			options.Failf("the authenticator is told %s", options.Body)
		}
		key := s.SecurityKey()
		s.JoinWith(apptest.Anna, key).LeadsTo("/dashboard")
		s.Visit(t).SignInWith(key).LeadsTo("/dashboard")
	})
}
