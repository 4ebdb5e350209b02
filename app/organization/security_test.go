package organization_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const (
	secondFactor = "/sign-in/second-factor"
	setUp        = "Add a second step"
)

func stepUp(next string) string { return "/sign-in/step-up?" + url.Values{"next": {next}}.Encode() }

// require makes Acme require a second factor from then on, or lifts that if it is zero.
func require(s *apptest.Company, from time.Time, noTrust bool) {
	s.T.Helper()
	if _, err := s.DB.Bun().ExecContext(s.T.Context(), "UPDATE organizations SET second_factor_from = NULL"); err != nil {
		s.T.Fatal(err)
	}
	if from.IsZero() {
		return
	}
	if err := s.DB.RequireSecondFactor(s.T.Context(), s.First, from, noTrust); err != nil {
		s.T.Fatal(err)
	}
}

// weaken makes every session one that began with one factor.
func weaken(s *apptest.Company) {
	s.T.Helper()
	if _, err := s.DB.Bun().ExecContext(s.T.Context(), "UPDATE sessions SET second_factor = NULL"); err != nil {
		s.T.Fatal(err)
	}
}

// TestSecondFactorPolicy tries each policy of the site with each of an organization, on
// members with and without a second factor, in a session from before and at sign-in.
func TestSecondFactorPolicy(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db, apptest.OnLocalhost)
		sites := map[string]*apptest.Site{
			"optional": s.Site,
			"everyone": apptest.NewSite(t, db, apptest.OnLocalhost, func(c *app.Config) { c.SecondFactor = "everyone" }),
		}
		members := map[string]*apptest.Visitor{}
		for _, has := range []string{"none", "passkey", "app"} {
			members[has] = s.AddMember("member."+has, "Member")
		}
		s.Confirmed()
		members["passkey"].AddPasskey(s.SecurityKey()).LeadsTo("/account/passkeys")
		members["app"].AddAuthenticator()
		policies := map[string]func(){
			"none":     func() { require(s, time.Time{}, false) },
			"later":    func() { require(s, time.Now().Add(apptest.Day), false) },
			"now":      func() { require(s, time.Now(), false) },
			"no trust": func() { require(s, time.Now(), true) },
			"since long": func() {
				require(s, time.Now(), false)
				s.SetTime("organizations", "second_factor_from", time.Unix(0, 0))
			},
		}
		for policy, set := range policies {
			set()
			inForce := policy != "none" && policy != "later"
			for site, on := range sites {
				everyone := site == "everyone"
				for has, member := range members {
					t.Run(strings.Join([]string{policy, site, has}, ", "), func(t *testing.T) {
						// wants checks that a page opens, asks for the second factor or leads to set one up.
						wants := func(v *apptest.Visitor, path string, required bool) *apptest.Answer {
							t.Helper()
							switch a := v.Get(path); {
							case !required:
								return a.Wants(http.StatusOK)
							case has == "none":
								return a.Wants(http.StatusForbidden).Page().Harmless().Says(setUp)
							default:
								return a.LeadsTo(stepUp(path))
							}
						}
						weaken(s)
						v := on.Visit(t)
						v.SetCookie("session", member.Cookie("session"))
						wants(v, "/dashboard", everyone)
						page := wants(v, "/o/acme/members", everyone || inForce)
						banner := page.Find("aside[aria-label='Add a second step']").Length() == 1
						if banner != (policy == "later" && has == "none" && !everyone) {
							page.Failf("the banner is there: %v", banner)
						}
						v.Get("/account/security").Wants(http.StatusOK)

						// At sign-in, the password alone is enough only for those who have nothing else.
						v = on.Visit(t)
						a := v.Post("/sign-in", apptest.Credentials("member."+has, apptest.Ben.Password))
						if has == "app" || has == "passkey" && (everyone || inForce) {
							a.LeadsTo(secondFactor)
							v.Get("/o/acme").LeadsTo("/sign-in?next=%2Fo%2Facme")
							return
						}
						a.LeadsTo("/dashboard")
						wants(v, "/dashboard", everyone)
						wants(v, "/o/acme", everyone || inForce)
					})
				}
			}
		}
	})
}

// TestWeakerWaysAreRefused has somebody with a password and a passkey come in without the
// passkey, once a second factor is required.
func TestWeakerWaysAreRefused(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db, apptest.OnLocalhost)
		ben := s.AddMember("benjamin", "Member")
		s.Confirmed()
		key := s.SecurityKey()
		ben.AddPasskey(key).LeadsTo("/account/passkeys")
		codes := ben.RecoveryCodes()
		if len(codes) != 10 {
			t.Fatalf("there are %d recovery codes", len(codes))
		}
		require(s, time.Now(), false)
		waits := func(v *apptest.Visitor) *apptest.Answer {
			t.Helper()
			page := v.Get(secondFactor).Wants(http.StatusOK).Page().Says("Use your passkey to continue.").Says("Passkeys need JavaScript. Turn it on, or use a recovery code.")
			if page.Find("#code, [name=trust]").Length() > 0 || page.Find("[data-passkey=get]").Length() != 1 {
				page.Failf("it asks for something else: %s", page.Text("main"))
			}
			return page
		}
		v := s.Visit(t)
		v.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo(secondFactor)
		page := waits(v)
		v.Submit(page, apptest.SecondFactorForm, nil).Wants(http.StatusUnprocessableEntity).Says("Use your passkey to continue.")
		v.Submit(page, apptest.SecondFactorForm, apptest.Fill("code", "000000")).Wants(http.StatusUnprocessableEntity)
		if v.SignedIn() {
			t.Error("the password alone signs in")
		}
		v.Submit(page, apptest.SecondFactorForm, apptest.Fill("credential", key.Sign(v.Post("/sign-in/passkey", nil)))).LeadsTo("/dashboard")
		v.Get("/o/acme").Wants(http.StatusOK)

		// A recovery code stands in for the passkey, …
		v = s.Visit(t)
		v.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo(secondFactor)
		v.Submit(v.Get(waits(v).Find(".aside a[href*=recovery]").AttrOr("href", "")), apptest.SecondFactorForm, apptest.Fill("recovery_code", codes[0])).LeadsTo("/dashboard")
		v.Get("/o/acme").Wants(http.StatusOK)

		// … a mailed link does not.
		v = s.Visit(t)
		v.Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.ResetToken("benjamin@example.com"))).LeadsTo(secondFactor)
		waits(v)

		// Nor can a session from before add a factor by the password alone.
		v = s.Visit(t)
		v.Post("/sign-in", apptest.Credentials("benjamin", apptest.AnotherPassword)).LeadsTo(secondFactor)
		v.Submit(waits(v), apptest.SecondFactorForm, apptest.Fill("credential", key.Sign(v.Post("/sign-in/passkey", nil)))).LeadsTo("/dashboard")
		weaken(s)
		s.AgePassword()
		ask := v.Get("/account/authenticator")
		v.Submit(ask, apptest.SudoForm, apptest.Fill("current_password", apptest.AnotherPassword)).Wants(http.StatusForbidden).WantsErrors(map[string]string{"current_code": "Enter a security code."})
		v.ConfirmWith(ask, key).LeadsTo("/account/authenticator")
		v.Get("/account/authenticator").Wants(http.StatusOK)
		v.Get("/o/acme").Wants(http.StatusOK)

		// Without its passkey, every session has one factor again.
		other := s.Visit(t)
		other.SignInWith(key).LeadsTo("/dashboard")
		other.Get("/o/acme").Wants(http.StatusOK)
		v.Post("/account/passkeys/"+s.Passkeys()[0].ID.String()+"/remove", nil).LeadsTo("/account/passkeys")
		for _, v := range []*apptest.Visitor{v, other} {
			v.Get("/o/acme").Wants(http.StatusForbidden).Says(setUp)
			v.Get("/dashboard").Wants(http.StatusOK)
		}
	})
}

// TestStepUp goes to an organization that requires a second factor since a session with one
// began.
func TestStepUp(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		ben := s.AddMember("benjamin", "Admin")
		app := ben.AddAuthenticator()
		settings := ben.Get("/o/acme/settings").Wants(http.StatusOK)
		require(s, time.Now(), false)
		weaken(s)

		to := stepUp("/o/acme/members?q=a")
		ben.Get("/o/acme/members?q=a", options...).LeadsTo(to)
		page := ben.Get(to).Wants(http.StatusForbidden).Page().Harmless().Says("The page that you want requires a second step. Enter your password and a security code to continue.")
		page = ben.Submit(page, apptest.SudoForm, apptest.Fill("current_password", apptest.Ben.Password, "current_code", "000000"), options...).Wants(http.StatusForbidden)
		ben.Get("/o/acme/members").LeadsTo(stepUp("/o/acme/members"))
		ben.Get("/dashboard").Wants(http.StatusOK)
		ben.Submit(page, apptest.SudoForm, apptest.Fill("current_password", apptest.Ben.Password, "current_code", app.Code()), options...).LeadsTo(to)
		ben.Get(to).LeadsTo("/o/acme/members?q=a") // so does another tab
		ben.Get("/o/acme/members?q=a").Wants(http.StatusOK)

		// A form keeps what was typed.
		weaken(s)
		ben.Post("/o/acme/settings/check?field=name", apptest.Fill("name", "Acme Ltd"), apptest.HTMX).Silent(http.StatusForbidden)
		ask := ben.Submit(settings, "form#settings", apptest.Fill("name", "Acme Ltd"), options...).AsksToSignIn(http.StatusForbidden).Says("This takes a second step now.")
		if ask.Value("again_login") != "benjamin" || strings.Contains(ask.Text("body"), "Continue as") {
			ask.Failf("it asks for somebody else, or offers to go on: %s", ask.Body)
		}
		again := "form#sign-in-again"
		ask = ben.Submit(ask, again, apptest.Fill("again_password", "wrong horse"), options...).Wants(http.StatusUnprocessableEntity).Says("This takes a second step now.")
		ask = ben.Submit(ask, again, apptest.Fill("again_password", apptest.Ben.Password), options...).Wants(http.StatusForbidden)
		done := ben.Submit(ask, again, apptest.Fill("again_code", app.Code()), options...)
		if len(options) > 0 {
			done.Wants(http.StatusNoContent).WantsHeader("HX-Trigger", "signed-in")
			done = ben.Submit(settings, "form#settings", apptest.Fill("name", "Acme Ltd"), options...)
		}
		done.LeadsTo("/o/acme/settings")
		ben.Get("/o/acme/settings").Wants(http.StatusOK).Says("Acme Ltd")
	})
}

// TestSetUpSecondFactor leads a member who has no second factor to set one up, and back.
func TestSetUpSecondFactor(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewCompany(t, db, apptest.OnLocalhost)
				ben, carol := s.AddMember("benjamin", "Admin"), s.AddMember("carol.jones", "Member")
				ben.Post("/organizations", apptest.Fill("name", "Other")).LeadsTo("/o/other")
				require(s, time.Now(), false)

				for _, path := range []string{"/o/acme", "/o/acme/members?q=a", "/o/acme/settings", "/o/acme/activity"} {
					a := ben.Get(path, options...).Wants(http.StatusForbidden).Harmless().Says("Acme requires a second step").Says("The rest of the site works as before.")
					next := url.Values{"next": {path}}.Encode()
					if a.Find("a[href='/account/passkeys?"+next+"']").Length() != 1 || a.Find("a[href='/account/authenticator?"+next+"']").Length() != 1 {
						a.Failf("it doesn't lead to set one up: %s", a.Body)
					}
					if options == nil {
						a.Page()
					} else {
						a.Fragment("section").WantsHeader("HX-Retarget", "#main").WantsHeader("HX-Reswap", "innerHTML")
					}
				}
				ben.Post("/o/acme/settings", apptest.Fill("name", "Renamed"), options...).Wants(http.StatusForbidden).Says("Acme requires a second step. Add a passkey or an authenticator app, then try again.")
				ben.Post("/o/acme/settings/check?field=name", apptest.Fill("name", "Renamed"), apptest.HTMX).Silent(http.StatusForbidden)
				for _, path := range []string{"/dashboard", "/account", "/organizations", "/o/other", "/o/other/settings", "/account/data"} {
					ben.Get(path).Wants(http.StatusOK)
				}

				// An app leads over the recovery codes, and also if the password is asked for first.
				s.AgePassword()
				path := ben.Get("/o/acme/settings").Find("a[href*=authenticator]").AttrOr("href", "")
				ask := ben.Get(path).Wants(http.StatusForbidden).Says("Confirm it's you")
				ben.Submit(ask, apptest.SudoForm, apptest.Fill("current_password", apptest.Ben.Password), options...).LeadsTo(path)
				_, added := ben.SetUpAuthenticator(path)
				codes := "/account/recovery-codes?next=%2Fo%2Facme%2Fsettings"
				added.LeadsTo(codes)
				shown := ben.Submit(ben.Get(codes), "form#create-codes", nil, options...).Wants(http.StatusOK)
				if shown.Find("a[href='/o/acme/settings']").Length() != 1 {
					shown.Failf("it doesn't lead back: %s", shown.Text("main"))
				}
				ben.Get("/o/acme/settings").Wants(http.StatusOK)
				s.Age("authenticated_at", time.Now())

				// A passkey leads back at once, also somebody who joined later.
				dora := s.AddMember("dora.miller", "Member")
				for _, v := range []*apptest.Visitor{carol, dora} {
					key := s.SecurityKey()
					page := v.Get(v.Get("/o/acme/members").Find("a[href*=passkeys]").AttrOr("href", "")).Wants(http.StatusOK)
					typed := apptest.Fill("credential", key.Create(v.Post("/account/passkeys/options", nil)))
					v.Submit(page, "form#add-passkey", typed, options...).LeadsTo("/o/acme/members")
					v.Get("/o/acme/members").Wants(http.StatusOK)
				}

				// Somebody who doesn't want to can leave.
				eve := s.AddMember("eve.miller", "Member")
				eve.Submit(eve.Get("/o/acme"), "main form[action='/o/acme/leave']", nil, options...).LeadsTo("/organizations")
				eve.Get("/o/acme").Wants(http.StatusNotFound)
			})
		})
	}
}

// TestOrganizationWithoutTrust has an organization refuse trusted browsers.
func TestOrganizationWithoutTrust(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		ben := s.AddMember("benjamin", "Member")
		app := ben.AddAuthenticator()
		signIn := func() *apptest.Answer {
			ben.Post("/sign-out", nil).LeadsTo("/")
			return ben.Post("/sign-in", apptest.Ben.Credentials())
		}
		signIn().LeadsTo(secondFactor)
		ben.Post(secondFactor, apptest.Fill("code", app.Code(), "trust", "1")).LeadsTo("/dashboard")

		require(s, time.Now(), false)
		signIn().LeadsTo("/dashboard")
		ben.Get("/o/acme").Wants(http.StatusOK)
		ben.Get("/account/security").Says("1 browser isn't asked for a code.")

		// The session by a trusted browser is no longer enough there, nor is the browser.
		require(s, time.Now(), true)
		ben.Get("/o/acme").LeadsTo(stepUp("/o/acme"))
		ben.Get("/dashboard").Wants(http.StatusOK)
		ben.Get("/account/security").Says("Every browser is asked for a second step, because an organization requires that.")
		signIn().LeadsTo(secondFactor)
		page := ben.Get(secondFactor).Wants(http.StatusOK)
		if page.Find("[name=trust]").Length() > 0 {
			page.Failf("it offers to trust the browser")
		}
		ben.Post(secondFactor, apptest.Fill("code", app.Code(), "trust", "1")).LeadsTo("/dashboard")
		ben.Get("/o/acme").Wants(http.StatusOK)
		trusted := 0
		for _, e := range s.Events() {
			if e.Kind == models.EventBrowserTrusted {
				trusted++
			}
		}
		if trusted != 1 {
			t.Errorf("%d browsers were trusted, want the first alone", trusted)
		}

		// Once it is lifted, the browser is trusted as before.
		require(s, time.Now(), false)
		signIn().LeadsTo("/dashboard")
	})
}

// TestOrganizationSecurityPage has an owner require a second factor, and lift that.
func TestOrganizationSecurityPage(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		ben := s.AddMember("benjamin", "Member")
		s.AddMember("carol.jones", "Member").AddAuthenticator()
		s.AddMember("unconfirmed.one", "Member")
		s.Confirmed()
		if _, err := s.DB.Bun().ExecContext(t.Context(), "UPDATE users SET verified_at = NULL WHERE username = 'unconfirmed.one'"); err != nil {
			t.Fatal(err)
		}
		s.Deliver()
		const path = "/o/acme/security"
		page := s.Owner.Get(path).Wants(http.StatusOK).Page().Harmless().Says("It's up to each member.").Says("Members without a second step: 3").Says("add one to your own account")
		if page.Find("form#security").Length() > 0 {
			page.Failf("an owner without a second factor can lock themself out")
		}
		tomorrow := time.Now().UTC().Add(apptest.Day)
		s.Owner.Post(path, apptest.Fill("from", tomorrow.Format(time.DateOnly)), options...).Wants(http.StatusUnprocessableEntity).Says("first. Otherwise you'd be locked out.")
		s.Owner.AddAuthenticator()
		s.Deliver()

		page = s.Owner.Get(path).Wants(http.StatusOK).Says("Members without a second step: 2")
		for typed, wrong := range map[string]string{
			"":           "Enter the first day.",
			"soon":       "Enter a date such as " + time.Now().UTC().Format(time.DateOnly) + ".",
			"0001-01-01": "Choose today or a later day.",
			"2026-02-30": "Enter a date such as " + time.Now().UTC().Format(time.DateOnly) + ".",
			tomorrow.AddDate(-1, 0, 0).Format(time.DateOnly): "Choose today or a later day.",
			tomorrow.AddDate(2, 0, 0).Format(time.DateOnly):  "Choose a day within a year.",
		} {
			s.Owner.Submit(page, "form#security", apptest.Fill("from", typed), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"from": wrong})
		}
		s.NoMail()
		s.Owner.Submit(page, "form#security", apptest.Fill("from", tomorrow.Format(time.DateOnly)), options...).LeadsTo(path)
		m := s.MailTo("benjamin@example.com", "Acme requires a second step")
		if m.Link != "/account/security" || !strings.Contains(m.Text, tomorrow.Format("2 January 2006, 00:00 UTC")) {
			t.Errorf("the mail is %+v", m)
		}
		page = s.Owner.Get(path).Wants(http.StatusOK).Says("Required from " + tomorrow.Format("2 January 2006, 00:00 UTC"))
		if page.Value("from") != tomorrow.Format(time.DateOnly) || page.Find("[name=no_trust]").Is(":checked") {
			page.Failf("the form has %q", page.Value("from"))
		}
		ben.Get("/o/acme").Wants(http.StatusOK).Says("Acme requires a second step from " + tomorrow.Format("2 January 2006, 00:00 UTC"))
		ben.Get("/account/security").Says("Acme requires a second step from " + tomorrow.Format("2 January 2006, 00:00 UTC")).Says("You have none yet.")

		// Today, and without trust: no second mail.
		today := time.Now().UTC()
		s.Owner.Submit(page, "form#security", apptest.Fill("from", today.Format(time.DateOnly), "no_trust", "1"), options...).LeadsTo(path)
		s.NoMail()
		page = s.Owner.Get(path).Wants(http.StatusOK).Says("Required since ")
		if _, checked := page.Find("[name=no_trust]").Attr("checked"); !checked {
			page.Failf("trust isn't refused")
		}
		ben.Get("/o/acme").Wants(http.StatusForbidden).Says(setUp)
		ben.Get("/account/security").Says("Acme has required a second step since ").Says("It asks for it in trusted browsers, too.")
		s.Owner.Get("/o/acme/activity").Says("Required a second step from " + today.Format("2 January 2006") + ", not in trusted browsers either")

		// A day that is past by now stays.
		s.SetTime("organizations", "second_factor_from", today.AddDate(0, -1, 0))
		page = s.Owner.Get(path).Wants(http.StatusOK)
		s.Owner.Submit(page, "form#security", nil, options...).LeadsTo(path)
		if o := s.Membership("anna.smith").Organization; o.SecondFactorFrom.UTC().Format(time.DateOnly) != today.AddDate(0, -1, 0).Format(time.DateOnly) {
			t.Errorf("it is required since %v", o.SecondFactorFrom)
		}

		s.Owner.Submit(s.Owner.Get(path), "form[action='/o/acme/security/lift']", nil, options...).LeadsTo(path)
		s.Owner.Get(path).Says("It's up to each member.")
		s.Owner.Get("/o/acme/activity").Says("Stopped requiring a second step")
		ben.Get("/o/acme").Wants(http.StatusOK)
		s.Owner.Post(path+"/lift", nil, options...).LeadsTo(path) // in another tab

		// The password is asked for first.
		s.AgePassword()
		s.Owner.Get(path).Wants(http.StatusForbidden).Says("Confirm it's you")
	})
}

// TestPolicyCostsNoQuery opens pages in a session with two factors, where they are required
// and where they aren't.
func TestPolicyCostsNoQuery(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		asked := apptest.Watch(db)
		s := apptest.NewCompany(t, db)
		strict := apptest.NewSite(t, db, func(c *app.Config) { c.SecondFactor = "everyone" })
		s.Owner.AddAuthenticator()
		strict.SetCookie("session", s.Owner.Cookie("session"))
		for _, path := range []string{"/account", "/o/acme/settings"} {
			want := len(asked.During(func() { s.Owner.Get(path).Wants(http.StatusOK) }))
			require(s, time.Now(), true)
			for _, v := range []*apptest.Visitor{s.Owner, strict.Visitor} {
				if got := asked.During(func() { v.Get(path).Wants(http.StatusOK) }); len(got) != want {
					t.Errorf("%s asks %q, want %d", path, got, want)
				}
			}
			require(s, time.Time{}, false)
		}
	})
}
