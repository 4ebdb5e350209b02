package account_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// recorded returns the events that f adds.
func recorded(s *apptest.Site, f func()) []models.Event {
	s.T.Helper()
	before := len(s.Events())
	f()
	return s.Events()[before:]
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
	firefox := apptest.Header("User-Agent", agent)
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Ben)
		guest := s.Visit(t)
		id := func() uuid.UUID { return s.User("anna.smith").ID }
		var anna_ uuid.UUID
		nothing, asked := models.EventDetail{}, models.EventDetail{Email: "new@example.com"}
		steps := []struct {
			kind     string
			stranger bool // not signed in at that moment
			detail   models.EventDetail
			do       func() *apptest.Answer
		}{
			{models.EventSignUp, false, nothing, func() *apptest.Answer {
				return guest.Post("/sign-up", apptest.Anna.Form(), firefox).LeadsTo("/dashboard")
			}},
			{models.EventProfileChanged, false, models.EventDetail{Fields: "name"}, func() *apptest.Answer {
				return guest.Post("/account", apptest.With(apptest.Anna.Form(), "last_name", "Jones"), firefox).LeadsTo("/account")
			}},
			{models.EventSignOut, false, nothing, func() *apptest.Answer { return guest.Post("/sign-out", nil, firefox).LeadsTo("/") }},
			{models.EventSignInFailed, true, nothing, func() *apptest.Answer {
				return guest.Post("/sign-in", apptest.Credentials("ANNA@example.com", "not the password"), firefox).Wants(http.StatusUnprocessableEntity)
			}},
			{models.EventSignIn, false, nothing, func() *apptest.Answer {
				return guest.Post("/sign-in", apptest.Anna.Credentials(), firefox).LeadsTo("/dashboard")
			}},
			{models.EventSignInFailed, false, nothing, func() *apptest.Answer {
				return guest.Post("/account/email", apptest.With(apptest.Fill("email", "new@example.com"), "current_password", "not the password"), firefox).Wants(http.StatusUnprocessableEntity)
			}},
			{models.EventEmailRequested, false, asked, func() *apptest.Answer {
				return guest.Post("/account/email", apptest.With(apptest.Fill("email", "new@example.com"), "current_password", apptest.Anna.Password), firefox).Wants(http.StatusOK)
			}},
			{models.EventEmailRequested, false, asked, func() *apptest.Answer {
				return guest.Post("/account/email/resend", nil, firefox).LeadsTo("/account/email")
			}},
			{models.EventEmailCanceled, false, asked, func() *apptest.Answer {
				return guest.Post("/account/email/cancel", nil, firefox).LeadsTo("/account/email")
			}},
			{models.EventPasswordChanged, false, nothing, func() *apptest.Answer {
				return guest.Post("/account/password", apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", apptest.Anna.Password), firefox).LeadsTo("/account")
			}},
			{models.EventSignIn, false, nothing, func() *apptest.Answer {
				return s.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", apptest.AnotherPassword), firefox).LeadsTo("/dashboard")
			}},
			{models.EventSessionsEnded, false, models.EventDetail{Count: 2}, func() *apptest.Answer {
				if _, _, err := db.Prove(t.Context(), s.User("anna.smith"), models.Step{Factor: models.FactorPassword, Lifetime: models.Lifetime{Idle: time.Hour, Max: time.Hour}}); err != nil {
					t.Fatal(err)
				}
				return guest.Post("/account/sessions/end-others", nil, firefox).LeadsTo("/account/sessions")
			}},
			{models.EventPasswordReset, false, nothing, func() *apptest.Answer {
				return guest.Post("/reset-password", apptest.With(apptest.Twice(apptest.Anna.Password), "token", s.ResetToken(apptest.Anna.Email)), firefox).LeadsTo("/dashboard")
			}},
			{models.EventReauthenticated, false, nothing, func() *apptest.Answer {
				s.AgePassword()
				return guest.Post("/account/delete", apptest.Fill("sudo", "open", "current_password", apptest.Anna.Password), firefox).LeadsTo("/account/delete")
			}},
			{models.EventDeleted, false, nothing, func() *apptest.Answer {
				return guest.Post("/account/delete", apptest.Fill("username", "anna.smith", "current_password", apptest.Anna.Password), firefox).LeadsTo("/")
			}},
		}
		for i, step := range steps {
			var a *apptest.Answer
			got := recorded(s, func() { a = step.do() })
			if i == 0 {
				anna_ = id()
			}
			if len(got) != 1 {
				t.Fatalf("%s: recorded are %+v, want one event", step.kind, got)
			}
			actor := anna_
			if step.stranger {
				actor = uuid.Nil
			}
			e := got[0]
			want := models.Event{ID: e.ID, Kind: step.kind, UserID: anna_, ActorID: actor, IP: "127.0.0.1", UserAgent: agent,
				RequestID: a.Header.Get("X-Request-Id"), CreatedAt: e.CreatedAt, Detail: step.detail, EmailKey: step.detail.Email}
			if e != want || e.RequestID == "" || time.Since(e.CreatedAt) > time.Minute {
				t.Errorf("%s: recorded is\n%+v, want\n%+v", step.kind, e, want)
			}
		}
		// What nobody may read: the log holds no secret and, as Anna is gone, no address.
		log := s.Dump("events")
		for _, secret := range []string{apptest.Anna.Password, apptest.AnotherPassword, "not the password", apptest.Anna.Email, "new@example.com", "Jones"} {
			if strings.Contains(log, secret) {
				t.Errorf("the audit log holds %q", secret)
			}
		}
	})
}

func TestAuditLogOfNobody(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		got := recorded(s, func() {
			s.Post("/sign-in", apptest.Credentials("nobody", "not the password")).Wants(http.StatusUnprocessableEntity)
		})
		if len(got) != 1 || got[0].Kind != models.EventSignInFailed || got[0].UserID != uuid.Nil || got[0].ActorID != uuid.Nil {
			t.Errorf("recorded is %+v", got)
		}
	})
}

func TestActivity(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		other := s.Visit(t)
		other.Join(apptest.Ben)
		s.Join(apptest.Anna)
		for i := range 45 {
			if err := db.Record(t.Context(), models.Event{Kind: models.EventSignIn, UserID: s.User("anna.smith").ID, IP: fmt.Sprint("192.0.2.", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Record(t.Context(), models.Event{Kind: models.EventSignIn, UserID: s.User("benjamin").ID, IP: "198.51.100.1"}); err != nil {
			t.Fatal(err)
		}
		s.Visit(t).Get("/account/activity").LeadsTo("/sign-in?next=%2Faccount%2Factivity")
		for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
			t.Run(name, func(t *testing.T) {
				var addresses []string
				path := "/account/activity"
				pages := 0
				for path != "" {
					page := s.Get(path, options...).Wants(http.StatusOK).Harmless()
					pages++
					page.Find("time:not(.banner time)").Each(func(_ int, e apptest.Selection) { addresses = append(addresses, e.Parent().Text()) })
					path = page.Find(`a[href^="/account/activity?"]`).AttrOr("href", "")
				}
				if len(addresses) != 46 || pages != 3 { // the sign-up too
					t.Fatalf("%d events on %d pages, want 46 on 3", len(addresses), pages)
				}
				for i, want := range []string{"192.0.2.44", "192.0.2.43"} {
					if !strings.Contains(addresses[i], want) {
						t.Errorf("event %d is %q, want %s", i, addresses[i], want)
					}
				}
				if strings.Contains(strings.Join(addresses, " "), "198.51.100.1") {
					t.Error("another person's event is shown")
				}
			})
		}
		for _, odd := range []string{"?before=", "?before=x", "?before=" + uuid.NewString()} {
			s.Get("/account/activity" + odd).Wants(http.StatusOK)
		}
	})
}

// TestActivitySaysWhat reads what a user did to their own account.
func TestActivitySaysWhat(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Credentials("anna.smith", "not the password")).Wants(http.StatusUnprocessableEntity)
		other.Post("/sign-in", apptest.Anna.Credentials(), apptest.Header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0")).LeadsTo("/dashboard")
		s.Confirmed()
		s.Submit(s.Get("/account/sessions"), `#sessions form[action$="/end"]`, nil).LeadsTo("/account/sessions")
		s.Post("/account", apptest.With(apptest.Anna.Form(), "last_name", "Jones")).LeadsTo("/account")
		s.Post("/account", apptest.With(apptest.Anna.Form(), "username", "anna.jones")).LeadsTo("/account")
		s.Post("/account/email", apptest.NewEmail("wrong@example.com")).Wants(http.StatusOK)
		s.Post("/account/email/cancel", nil).LeadsTo("/account/email")
		s.Post("/account/email", apptest.NewEmail("anna@bücher.example")).Wants(http.StatusOK)
		s.Post("/verify-email", apptest.Fill("token", s.TokenOf(s.MailTo("anna@xn--bcher-kva.example", apptest.ChangeSubject)))).LeadsTo("/dashboard")
		a := s.Get("/account/activity").Wants(http.StatusOK).Page()
		var got, warned []string
		a.Find("#events strong").Each(func(_ int, e apptest.Selection) {
			got = append(got, strings.TrimSpace(e.Text()))
			if e.Closest("li").Find(".warning").Length() > 0 {
				warned = append(warned, strings.TrimSpace(e.Text()))
			}
		})
		want := []string{
			"Changed email address from anna@example.com to anna@bücher.example", "Asked to change email address to anna@bücher.example",
			"Canceled the change of email address to wrong@example.com", "Asked to change email address to wrong@example.com",
			"Changed username and name", "Changed name", "Signed out Firefox on Linux", "Signed in", "Wrong password entered", "Signed up",
		}
		if !slices.Equal(got, want) {
			t.Errorf("it says\n%q, want\n%q", got, want)
		}
		if !slices.Equal(warned, []string{"Wrong password entered"}) {
			t.Errorf("it warns of %q", warned)
		}
		// The download has the same words, and the log no address.
		var data struct {
			Activity []struct{ Event string }
		}
		if err := json.Unmarshal([]byte(s.Get("/account/data").Body), &data); err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprint(data.Activity); all != "["+"{"+strings.Join(want, "} {")+"}]" {
			t.Errorf("the data say %s", all)
		}
		if log := fmt.Sprint(s.Log.Lines(t)); strings.Contains(log, "wrong@example.com") || strings.Contains(log, "bcher") {
			t.Error("the log holds an address")
		}
	})
}

// TestActivityFilter chooses events by kind and by time.
func TestActivityFilter(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		user := s.User("anna.smith").ID
		record := func(n int, kind string) {
			for range n {
				if err := db.Record(t.Context(), models.Event{Kind: kind, UserID: user}); err != nil {
					t.Fatal(err)
				}
			}
		}
		record(25, models.EventProfileChanged)
		s.SetTime("events", "created_at", time.Now().Add(-40*apptest.Day))
		record(2, models.EventSignInFailed)
		record(1, models.EventPasswordChanged)
		for _, tt := range []struct {
			query string
			want  int
			pages int
		}{
			{"", 29, 2},
			{"?kind=account", 26, 2},
			{"?kind=account&days=30", 1, 1},
			{"?kind=refused&days=7", 2, 1},
			{"?days=90", 29, 2},
			{"?days=30", 3, 1},
			{"?kind=organizations", 0, 1},
			{"?kind=nonsense&days=1000000000", 29, 2},
		} {
			for way, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
				seen, pages := 0, 0
				for path := "/account/activity" + tt.query; path != ""; pages++ {
					a := s.Get(path, options...).Wants(http.StatusOK)
					seen += a.Find("li strong").Length()
					if days := a.Find("li.day").Length(); pages > 0 && (days == 0) != (way == "htmx") { // it goes on with the day
						t.Errorf("%s, %s: a further page has %d headings", tt.query, way, days)
					}
					if told := a.Find(`hx-partial[hx-target="#finds"]`).Length(); way == "htmx" && (told == 1) != (pages == 0) {
						t.Errorf("%s: page %d tells %d results", tt.query, pages, told)
					}
					path = a.Find(`li > a[href*="before="]`).AttrOr("href", "")
				}
				if seen != tt.want || pages != tt.pages {
					t.Errorf("%s, %s: %d events on %d pages, want %d on %d", tt.query, way, seen, pages, tt.want, tt.pages)
				}
			}
		}
		// The form keeps what was chosen, and an empty list leads back.
		a := s.Get("/account/activity?kind=organizations&days=7").Says("Nothing like this has happened.")
		if kind, days := a.Find("select[name=kind] [selected]").AttrOr("value", ""), a.Find("select[name=days] [selected]").AttrOr("value", ""); kind != "organizations" || days != "7" {
			a.Failf("the form holds %q and %q", kind, days)
		}
		if form := a.Find("form.filter"); form.AttrOr("method", "") != "get" || form.AttrOr("action", "") != "/account/activity" || form.AttrOr("hx-replace-url", "") != "true" {
			a.Failf("the filter isn't in the URL: %s", form.Text())
		}
		if clear := a.Find("#events a").AttrOr("href", ""); clear != "/account/activity" {
			a.Failf("it leads to %q", clear)
		}
	})
}

// Who saves what is there already has changed nothing.
func TestNothingChangedIsNotRecorded(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		s.AddMember("the.member", "Member")
		page := s.Owner.Get("/o/acme/roles")
		s.Owner.Submit(page, "form#create-role", url.Values{"name": {"Host"}, "permissions": {"see-activity", "invite-members"}}).LeadsTo("/o/acme/roles")
		role := s.Owner.Get("/o/acme/roles").Find(`.rows a`).AttrOr("href", "")
		for _, form := range []struct {
			path, selector string
			changed        url.Values
			kind           string
		}{
			{"/account", "form#account", apptest.Fill("last_name", "Jones"), models.EventProfileChanged},
			{"/o/acme/settings", "form#settings", apptest.Fill("name", "Acme & Co"), models.EventOrganizationRenamed},
			{role, "form#role", apptest.Fill("name", "Landlord"), models.EventRoleChanged},
			{"/o/acme/members", `form[action$="/` + s.Membership("the.member").ID.String() + `/role"]`, apptest.Fill("role", s.Role("Admin").ID.String()), models.EventMemberRoleChanged},
		} {
			saves := func(typed url.Values) []models.Event {
				return recorded(s.Site, func() {
					a := s.Owner.Submit(s.Owner.Get(form.path), form.selector, typed, options...)
					if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusSeeOther {
						a.Failf("%d", a.StatusCode)
					}
				})
			}
			if got := saves(nil); len(got) > 0 {
				t.Errorf("%s: recorded is %+v, and nothing was changed", form.path, got)
			}
			if got := saves(form.changed); len(got) != 1 || got[0].Kind != form.kind {
				t.Errorf("%s: recorded is %+v, want one %s", form.path, got, form.kind)
			}
		}
		s.NoMail()
	})
}

func TestActivityNamesOperators(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for _, kind := range []string{models.EventPasswordChanged, models.EventAllEnded} {
			if err := db.Record(t.Context(), models.Event{Kind: kind, UserID: s.User("anna.smith").ID}); err != nil {
				t.Fatal(err)
			}
		}
		a := s.Get("/account/activity").Wants(http.StatusOK)
		var got []string
		a.Find("main .rows li:not(.day)").Each(func(_ int, e apptest.Selection) {
			_, after, _ := strings.Cut(strings.Join(strings.Fields(e.Find(".hint").Text()), " "), " UTC, ")
			got = append(got, e.Find("strong").Text()+": "+after)
		})
		want := []string{"Signed out of all devices: by an operator", "Changed password: by an operator", "Signed up: from 127.0.0.1, Go-http-client"}
		if !slices.Equal(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
		var data struct {
			Activity []struct{ By string }
		}
		if err := json.Unmarshal([]byte(s.Get("/account/data").Body), &data); err != nil {
			t.Fatal(err)
		}
		if all := fmt.Sprint(data.Activity); all != "[{an operator} {an operator} {}]" {
			t.Errorf("the data say it is by %s", all)
		}
	})
}

func TestAuditRetention(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.AuditRetention = 30 * apptest.Day })
		s.Join(apptest.Ben)
		s.SetTime("events", "created_at", time.Now().Add(-31*apptest.Day))
		s.Visit(t).Join(apptest.Anna)
		s.Work(func() bool { return len(s.Events()) == 1 })
		if e := s.Events()[0]; e.UserID != s.User("anna.smith").ID {
			t.Errorf("left is %+v", e)
		}
	})
}
