package admin_test

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

// TestImpersonate begins, uses and stops an impersonation as an operator does.
func TestImpersonate(t *testing.T) {
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Visit(t).Join(apptest.Ben)
		operator := s.Operator(apptest.Anna, models.OperatorAdmin)
		s.Confirmed()
		s.Deliver()
		person := "/admin/people/" + s.User("benjamin").ID.String()
		page := operator.Get(person).Wants(http.StatusOK)
		if page.Find(`main a[href="`+person+`/impersonate"]`).Length() != 1 {
			page.Failf("it offers no impersonation")
		}
		page = operator.Get(person + "/impersonate").Wants(http.StatusOK).Page().Harmless()
		operator.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		operator.Get("/dashboard").Says("Hello, Anna")
		s.SetTime("sessions", "last_seen_at", time.Now().Add(time.Hour)) // so that nothing writes it
		sessions, token := s.Dump("sessions"), operator.Cookie("session")
		operator.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/dashboard")
		page = operator.Get("/dashboard").Wants(http.StatusOK).Page().Harmless().Says("Hello, Ben").Says("You're impersonating Ben Jones, read-only. It ends in 30 minutes.")
		if page.Find(`a[href="/admin"]`).Length() != 0 {
			page.Failf("it leads to the operator's desk")
		}
		for _, path := range []string{"/admin", "/admin/people", person, person + "/impersonate", "/no-such-page", "/account/password"} {
			refused := operator.Get(path)
			if refused.StatusCode < 400 || refused.Page().Find("aside.impersonation form").Length() != 1 {
				refused.Failf("%d, or no banner", refused.StatusCode)
			}
		}
		devices := operator.Get("/account/sessions").Wants(http.StatusOK)
		if n := devices.Find("form[action$='/end']").Length(); n != 1 {
			devices.Failf("it shows %d sessions of the person, want their own", n)
		}

		// What is typed stays, and changes nothing.
		form := operator.Get("/account").Wants(http.StatusOK)
		refused := operator.Submit(form, "form#account", apptest.Fill("last_name", "Evil"), options...).Wants(http.StatusForbidden).Says("so nothing was changed")
		if len(options) == 0 {
			refused.Page().Says("Evil")
		} else {
			refused.Fragment(".toast.problem").WantsHeader("HX-Retarget", "#alerts")
		}
		operator.Post("/account/check?field=last_name", apptest.Ben.Form(), apptest.HTMX).Silent(http.StatusForbidden)
		if s.User("benjamin").LastName != "Jones" {
			t.Error("the name was changed")
		}
		if s.Dump("sessions") != sessions || operator.Cookie("session") != token {
			t.Error("the sessions or the cookie changed")
		}

		s.SetTime("impersonations", "created_at", time.Now().Add(-12*time.Minute))
		operator.Submit(page, "aside.impersonation form", nil, options...).LeadsTo(person)
		operator.Get("/dashboard").Says("Hello, Anna").Says("Impersonation ended")
		operator.Post("/admin/impersonation/stop", nil, options...).LeadsTo("/admin") // as from another tab

		told := s.MailTo(apptest.Ben.Email, "An operator used the site as you")
		for _, words := range []string{"Lasted: 12 minutes", "Changes: not possible"} {
			if !strings.Contains(told.Text, words) {
				t.Errorf("the mail lacks %q: %s", words, told.Text)
			}
		}
		if told.Link != "/account/activity" {
			t.Errorf("the mail leads to %s", told.Link)
		}
	})
}

// TestImpersonationWithoutSecondFactor wants the operator to see what the person sees: the
// organization requires a second factor, and the person has none.
func TestImpersonationWithoutSecondFactor(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		member := s.AddMember("benni", "Admin")
		operator.Impersonate("benni")
		operator.Get("/o/acme/members").Wants(http.StatusOK)
		if err := db.RequireSecondFactor(t.Context(), s.First, time.Now().Add(48*time.Hour), false); err != nil {
			t.Fatal(err)
		}
		const due = "requires a second step from"
		member.Get("/o/acme/members").Wants(http.StatusOK).Says(due)
		operator.Get("/o/acme/members").Wants(http.StatusOK).Says(due)
		if err := db.RequireSecondFactor(t.Context(), s.First, time.Now().Add(-time.Hour), false); err != nil {
			t.Fatal(err)
		}
		member.Get("/o/acme/members").Wants(http.StatusForbidden).Says("Add a second step")
		operator.Get("/o/acme/members").Wants(http.StatusForbidden).Says("Add a second step")
	})
}

// TestWhoMayBeImpersonated refuses operators, oneself, disabled and deleted accounts, and
// whoever impersonates already.
func TestWhoMayBeImpersonated(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Ben)
		s.Visit(t).Join(apptest.Nth(1))
		operator := s.Operator(apptest.Anna, models.OperatorAdmin)
		support := s.Operator(apptest.Nth(2), models.OperatorSupport)
		s.Operator(apptest.Nth(3), models.OperatorAdmin)
		if err := db.DisableUser(t.Context(), s.User("person1")); err != nil {
			t.Fatal(err)
		}
		typed := apptest.Fill("reason", reason)
		before := s.Everything("sessions", "throttles")
		for username, says := range map[string]string{
			"anna.smith": "This is your own account", "person1": "You can't impersonate them", "person2": "You can't impersonate them", "person3": "You can't impersonate them",
		} {
			path := "/admin/people/" + s.User(username).ID.String() + "/impersonate"
			operator.Get(path).Wants(http.StatusForbidden).Says(says)
			operator.Post(path, typed).Wants(http.StatusForbidden).Says(says)
		}
		ben := "/admin/people/" + s.User("benjamin").ID.String()
		support.Post(ben+"/impersonate", typed).Wants(http.StatusForbidden).Says("Only operators with the role Admin can do this.")
		operator.Post(ben+"/impersonate", typed, apptest.Header("Sec-Fetch-Site", "cross-site")).Wants(http.StatusForbidden)
		if s.Everything("sessions", "throttles") != before {
			t.Error("a refusal changes something")
		}
		if page := support.Get(ben).Wants(http.StatusOK); page.Find("a[href$='/impersonate']").Length() != 0 {
			page.Failf("it offers support an impersonation")
		}
		page := operator.Get(ben + "/impersonate").Wants(http.StatusOK)
		s.AgePassword()
		asked := operator.Submit(page, "form#act", typed).Wants(http.StatusForbidden)
		if asked.Find(apptest.SudoForm).Length() != 1 {
			asked.Failf("it asks for no password")
		}
		s.SetTime("sessions", "authenticated_at", time.Now())
		s.Visit(t).Join(apptest.Nth(4))
		other := "/admin/people/" + s.User("person4").ID.String() + "/impersonate"
		if err := db.DeleteUser(t.Context(), s.User("person4")); err != nil {
			t.Fatal(err)
		}
		operator.Post(other, typed).Wants(http.StatusNotFound)
		operator.Impersonate("benjamin")
		operator.Submit(page, "form#act", typed).Wants(http.StatusNotFound)
		operator.Get("/dashboard").Says("Hello, Ben")

		off := apptest.NewSite(t, db, func(c *app.Config) { c.Impersonation = "off" })
		third := off.Operator(apptest.Nth(5), models.OperatorAdmin)
		if page := third.Get(ben).Wants(http.StatusOK); page.Find("a[href$='/impersonate']").Length() != 0 {
			page.Failf("it offers an impersonation")
		}
		third.Get(ben + "/impersonate").Wants(http.StatusNotFound)
		third.Post(ben+"/impersonate", typed).Wants(http.StatusNotFound)
	})
}

// TestImpersonationEnds ends an impersonation by each way that there is. The operator then is
// themselves, or signed out, and a request that was made as the person does nothing.
func TestImpersonationEnds(t *testing.T) {
	t.Parallel()
	over := func(s *apptest.Site) { s.SetTime("impersonations", "expires_at", time.Now()) }
	role := func(role models.OperatorRole) func(s *apptest.Site) {
		return func(s *apptest.Site) {
			if err := s.DB.SetOperator(s.T.Context(), s.User("anna.smith"), role); err != nil {
				s.T.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		ends  func(s *apptest.Site)
		leads string // a GET; empty for the operator's own page at once
		post  int
		end   string // in the audit log
	}{
		"its time":    {over, "/admin/people/", http.StatusConflict, models.ImpersonationRanOut},
		"no operator": {role(""), "", http.StatusConflict, models.ImpersonationRevoked},
		"support":     {role(models.OperatorSupport), "", http.StatusConflict, models.ImpersonationRevoked},
		"disabled":    {func(s *apptest.Site) { _ = s.DB.DisableUser(s.T.Context(), s.User("benjamin")) }, "", http.StatusConflict, models.ImpersonationRevoked},
		"an operator": {func(s *apptest.Site) { _ = s.DB.SetOperator(s.T.Context(), s.User("benjamin"), models.OperatorSupport) }, "", http.StatusConflict, models.ImpersonationRevoked},
		"deleted":     {func(s *apptest.Site) { _ = s.DB.DeleteUser(s.T.Context(), s.User("benjamin")) }, "", http.StatusConflict, models.ImpersonationRevoked},
		"undone": {func(s *apptest.Site) { // what ended it
			_ = s.DB.DisableUser(s.T.Context(), s.User("benjamin"))
			_ = s.DB.EnableUser(s.T.Context(), s.User("benjamin"))
		}, "", http.StatusConflict, models.ImpersonationRevoked},
		"a stolen authenticator": {func(s *apptest.Site) { _ = s.DB.ResetFactors(s.T.Context(), s.User("anna.smith")) }, "/admin/people/", http.StatusConflict, models.ImpersonationRevoked},
		"the session":            {func(s *apptest.Site) { s.SetTime("sessions", "expires_at", time.Now()) }, "/sign-in?next=%2Faccount", http.StatusForbidden, models.ImpersonationRevoked},
		"the desk's session": {func(s *apptest.Site) {
			_, _ = s.DB.DeleteSessions(s.T.Context(), s.User("anna.smith").ID, s.User("anna.smith").ID)
		}, "/sign-in?next=%2Faccount", http.StatusForbidden, models.ImpersonationRevoked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					s := apptest.NewSite(t, db, func(c *app.Config) { c.Impersonation = "write" })
					if method == http.MethodPost { // on the same database
						for _, u := range s.Users() {
							_ = db.DeleteUser(t.Context(), &u)
						}
						db.Bun().NewDelete().Model((*models.Event)(nil)).Where("TRUE").Exec(t.Context())
					}
					s.Visit(t).Join(apptest.Ben)
					operator := s.Operator(apptest.Anna, models.OperatorAdmin)
					operator.Impersonate("benjamin")
					ben := s.User("benjamin").ID.String()
					form := operator.Get("/account").Wants(http.StatusOK)
					tt.ends(s)
					before := s.Dump("users")
					if method == http.MethodPost {
						a := operator.Submit(form, "form#account", apptest.Fill("last_name", "Evil"), apptest.HTMX).Wants(tt.post)
						if s.Dump("users") != before {
							a.Failf("it changes somebody")
						}
					} else {
						a := operator.Get("/account")
						switch tt.leads {
						case "":
							a.Wants(http.StatusOK)
						case "/admin/people/":
							a.LeadsTo(tt.leads + ben)
						default:
							a.LeadsTo(tt.leads)
						}
					}
					if strings.Contains(operator.Get("/dashboard").Body, "Hello, Ben") {
						t.Error("the operator is still the person")
					}
					for range 2 {
						if _, err := db.EndImpersonations(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					var ends []string
					for _, e := range s.Events() {
						if e.Kind == models.EventImpersonationEnded {
							ends = append(ends, e.Detail.End)
						}
					}
					if want := slices.DeleteFunc([]string{tt.end}, func(s string) bool { return s == "" }); !slices.Equal(ends, want) {
						t.Errorf("%s: the audit log has the ends %q, want %q", method, ends, want)
					}
				}
			})
		})
	}
}

// TestImpersonationIsOffAfterARestart wants a site that is started with IMPERSONATION=off or
// read to allow no more than that says to what has begun before.
func TestImpersonationIsOffAfterARestart(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.Impersonation = "write" })
		s.Visit(t).Join(apptest.Ben)
		operator := s.Operator(apptest.Anna, models.OperatorAdmin)
		operator.Impersonate("benjamin")
		for _, mode := range []string{"read", "off"} {
			again := apptest.NewSite(t, db, func(c *app.Config) { c.Impersonation = mode })
			v := again.Visit(t)
			v.SetCookie("session", operator.Cookie("session"))
			if mode == "read" {
				v.Post("/account", apptest.Ben.Form()).Wants(http.StatusForbidden)
				v.Get("/dashboard").Wants(http.StatusOK).Says("You're impersonating Ben Jones, read-only.")
				continue
			}
			v.Get("/dashboard").LeadsTo("/admin/people/" + s.User("benjamin").ID.String())
			v.Get("/dashboard").Wants(http.StatusOK).Says("Hello, Anna")
		}
	})
}

// TestImpersonationIsRecorded wants both the operator and the person in each event and line of
// the log, however it ends, and the person to read of it without the operator's name.
func TestImpersonationIsRecorded(t *testing.T) {
	t.Parallel()
	ways := map[string]func(operator *apptest.Visitor) *apptest.Answer{
		models.ImpersonationStopped: func(v *apptest.Visitor) *apptest.Answer { return v.Post("/admin/impersonation/stop", nil) },
		models.ImpersonationRanOut: func(v *apptest.Visitor) *apptest.Answer {
			v.Site.SetTime("impersonations", "expires_at", time.Now())
			return v.Get("/dashboard")
		},
		models.ImpersonationSignedOut: func(v *apptest.Visitor) *apptest.Answer {
			return v.Post("/sign-out", apptest.Fill("signed_in_as", v.Site.User("anna.smith").ID.String()+" anna.smith")).LeadsTo("/") // drawn before
		},
	}
	for end, ends := range ways {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db)
				person := s.Visit(t)
				person.Join(apptest.Ben)
				operator := s.Operator(apptest.Anna, models.OperatorAdmin)
				operator.Impersonate("benjamin")
				anna, ben := s.User("anna.smith").ID, s.User("benjamin").ID
				refused := operator.Post("/account", apptest.Ben.Form())
				foreign := operator.Post("/account", apptest.Ben.Form(), apptest.Header("Origin", "https://evil.example"))
				for _, a := range []*apptest.Answer{operator.Get("/dashboard"), operator.Get("/no-such-page"), refused, foreign, ends(operator)} {
					for _, line := range s.Log.Of(a) {
						if line["user_id"] != ben.String() || line["operator_id"] != anna.String() {
							t.Errorf("a line names not both: %v", line)
						}
					}
				}
				kinds := []string{}
				for _, e := range s.Events() {
					switch e.Kind {
					case models.EventImpersonationBegun, models.EventImpersonationEnded:
						kinds = append(kinds, e.Kind)
						if e.UserID != ben || e.ActorID != anna || e.OperatorRole != models.OperatorAdmin {
							t.Errorf("the event %s is of %s by %s as %s", e.Kind, e.UserID, e.ActorID, e.OperatorRole)
						}
						if e.Kind == models.EventImpersonationBegun && e.Detail.Reason != reason || e.Kind == models.EventImpersonationEnded && e.Detail.End != end {
							t.Errorf("the event says %+v", e.Detail)
						}
					case models.EventSignOut:
						if e.UserID != anna || e.ActorID != anna {
							t.Errorf("%s was signed out by %s", e.UserID, e.ActorID)
						}
					}
				}
				if !slices.Equal(kinds, []string{models.EventImpersonationBegun, models.EventImpersonationEnded}) {
					t.Errorf("the events are %q", kinds)
				}
				page := person.Get("/account/activity").Wants(http.StatusOK).Says("Impersonation started, read-only").Says("Impersonation ended").Says("by an operator")
				for _, private := range []string{reason, "anna.smith", "Anna"} {
					if strings.Contains(page.Text("main"), private) {
						page.Failf("the person reads %s", private)
					}
				}
				if mails := s.Queue(); slices.ContainsFunc(mails, func(m models.Mail) bool { return m.Kind == models.MailImpersonated }) {
					t.Error("an address that nobody has confirmed gets a notice")
				}
				if signedIn := operator.SignedIn(); signedIn == (end == models.ImpersonationSignedOut) {
					t.Errorf("the operator is signed in: %v", signedIn)
				}
				if !person.SignedIn() {
					t.Error("the person was signed out")
				}
			})
		})
	}
}

// TestStopImpersonation wants Stop to be an unknown page for everybody but operators, and for
// other sites and methods.
func TestStopImpersonation(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.AdminNetworks, c.TrustedProxies = "203.0.113.0/24", "127.0.0.1, ::1" })
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		inside, outside := apptest.Header("X-Forwarded-For", "203.0.113.7"), apptest.Header("X-Forwarded-For", "198.51.100.1")
		operator := s.Operator(apptest.Anna, models.OperatorAdmin)
		const stop = "/admin/impersonation/stop"
		ben.Post(stop, nil, inside).Wants(http.StatusNotFound)
		s.Visit(t).Post(stop, nil, inside).Wants(http.StatusNotFound)
		operator.Post("/admin/people/"+s.User("benjamin").ID.String()+"/impersonate", apptest.Fill("reason", reason), inside).LeadsTo("/dashboard")
		operator.Get("/dashboard", inside).Says("Hello, Ben")
		operator.Get("/dashboard", outside).Says("Hello, Anna") // from where there is no desk, nobody is impersonated
		operator.Post("/account", url.Values{"signed_in_as": {s.User("benjamin").ID.String() + " x"}}, outside).AsksToSignIn(http.StatusConflict)
		operator.Get(stop, inside).Wants(http.StatusNotFound)
		operator.Post(stop, nil, inside, apptest.Header("Sec-Fetch-Site", "cross-site")).Wants(http.StatusForbidden)
		operator.Post("/sign-out", nil, inside, apptest.Header("Sec-Fetch-Site", "cross-site")).Wants(http.StatusForbidden)
		operator.Get("/dashboard", inside).Says("Hello, Ben")
		operator.Post(stop, nil, inside).Wants(http.StatusSeeOther)
		operator.Get("/dashboard", inside).Says("Hello, Anna")
	})
}

// TestImpersonationTakesOneQueryMore wants the session to be read in one query, and whom it
// impersonates in another.
func TestImpersonationTakesOneQueryMore(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Ben)
		operator := s.Operator(apptest.Anna, models.OperatorAdmin)
		q := apptest.Watch(db)
		asks := func() int { return len(q.During(func() { operator.Get("/").Wants(http.StatusOK) })) }
		if n := asks(); n != 1 {
			t.Errorf("a page takes %d queries", n)
		}
		operator.Impersonate("benjamin")
		if n := asks(); n != 2 {
			t.Errorf("a page takes %d queries while it lasts", n)
		}
	})
}
