package app_test

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
	"vestibule/models"
	"vestibule/models/modelstest"
)

// events returns the audit log, the oldest first.
func (s *site) events() []models.Event {
	s.t.Helper()
	var events []models.Event
	for e, err := range s.db.AllEvents(s.t.Context(), models.EventFilter{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		e.User, e.Actor = nil, nil // by their ids, which stay when the accounts go
		events = append(events, *e)
	}
	slices.Reverse(events)
	return events
}

// recorded returns the events that f adds.
func (s *site) recorded(f func()) []models.Event {
	s.t.Helper()
	before := len(s.events())
	f()
	return s.events()[before:]
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
	firefox := header("User-Agent", agent)
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(ben())
		guest := s.visit(t)
		id := func() uuid.UUID { return s.user("anna.smith").ID }
		var anna_ uuid.UUID
		steps := []struct {
			kind     string
			stranger bool // not signed in at that moment
			do       func() *answer
		}{
			{models.EventSignUp, false, func() *answer { return guest.post("/sign-up", anna(), firefox).leadsTo("/dashboard") }},
			{models.EventProfileChanged, false, func() *answer {
				return guest.post("/account", with(anna(), "last_name", "Jones"), firefox).leadsTo("/account")
			}},
			{models.EventSignOut, false, func() *answer { return guest.post("/sign-out", nil, firefox).leadsTo("/") }},
			{models.EventSignInFailed, true, func() *answer {
				return guest.post("/sign-in", credentials("ANNA@example.com", "not the password"), firefox).wants(http.StatusUnprocessableEntity)
			}},
			{models.EventSignIn, false, func() *answer { return guest.post("/sign-in", annas(), firefox).leadsTo("/dashboard") }},
			{models.EventSignInFailed, false, func() *answer {
				return guest.post("/account/email", with(fill("email", "new@example.com"), "current_password", "not the password"), firefox).wants(http.StatusUnprocessableEntity)
			}},
			{models.EventEmailRequested, false, func() *answer {
				return guest.post("/account/email", with(fill("email", "new@example.com"), "current_password", annasPassword), firefox).wants(http.StatusOK)
			}},
			{models.EventPasswordChanged, false, func() *answer {
				return guest.post("/account/password", with(twice(anotherPassword), "current_password", annasPassword), firefox).leadsTo("/account")
			}},
			{models.EventSessionsEnded, false, func() *answer {
				return guest.post("/account/sessions/end-others", nil, firefox).leadsTo("/account/sessions")
			}},
			{models.EventPasswordReset, false, func() *answer {
				return guest.post("/reset-password", with(twice(annasPassword), "token", s.resetToken(annasEmail)), firefox).leadsTo("/dashboard")
			}},
			{models.EventReauthenticated, false, func() *answer {
				s.grownOld()
				return guest.post("/account/delete", fill("sudo", "open", "current_password", annasPassword), firefox).leadsTo("/account/delete")
			}},
			{models.EventDeleted, false, func() *answer {
				return guest.post("/account/delete", fill("username", "anna.smith", "current_password", annasPassword), firefox).leadsTo("/")
			}},
		}
		for i, step := range steps {
			var a *answer
			got := s.recorded(func() { a = step.do() })
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
				RequestID: a.Header.Get("X-Request-Id"), CreatedAt: e.CreatedAt}
			if e != want || e.RequestID == "" || time.Since(e.CreatedAt) > time.Minute {
				t.Errorf("%s: recorded is\n%+v, want\n%+v", step.kind, e, want)
			}
		}
		// What nobody may read: the log holds no secret and nothing that was typed.
		log := s.dump("events")
		for _, secret := range []string{annasPassword, anotherPassword, "not the password", annasEmail, "new@example.com", "Jones"} {
			if strings.Contains(log, secret) {
				t.Errorf("the audit log holds %q", secret)
			}
		}
	})
}

func TestAuditLogOfNobody(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		got := s.recorded(func() {
			s.post("/sign-in", credentials("nobody", "not the password")).wants(http.StatusUnprocessableEntity)
		})
		if len(got) != 1 || got[0].Kind != models.EventSignInFailed || got[0].UserID != uuid.Nil || got[0].ActorID != uuid.Nil {
			t.Errorf("recorded is %+v", got)
		}
	})
}

func TestActivity(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		other := s.visit(t)
		other.join(ben())
		s.join(anna())
		for i := range 45 {
			if err := db.Record(t.Context(), models.Event{Kind: models.EventSignIn, UserID: s.user("anna.smith").ID, IP: fmt.Sprint("192.0.2.", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Record(t.Context(), models.Event{Kind: models.EventSignIn, UserID: s.user("benjamin").ID, IP: "198.51.100.1"}); err != nil {
			t.Fatal(err)
		}
		s.visit(t).get("/account/activity").leadsTo("/sign-in?next=%2Faccount%2Factivity")
		for name, options := range map[string][]option{"plain": nil, "htmx": {htmx}} {
			t.Run(name, func(t *testing.T) {
				var addresses []string
				path := "/account/activity"
				pages := 0
				for path != "" {
					page := s.get(path, options...).wants(http.StatusOK).harmless()
					pages++
					page.find("time").Each(func(_ int, e selection) { addresses = append(addresses, e.Parent().Text()) })
					path = page.find(`a[href^="/account/activity?"]`).AttrOr("href", "")
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
			s.get("/account/activity" + odd).wants(http.StatusOK)
		}
	})
}

// Who saves what is there already has changed nothing.
func TestNothingChangedIsNotRecorded(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		s.employ("the.member", "Member")
		page := s.owner.get("/o/acme/roles")
		s.owner.submit(page, "form#create-role", url.Values{"name": {"Host"}, "permissions": {"see-activity", "invite-members"}}).leadsTo("/o/acme/roles")
		role := s.owner.get("/o/acme/roles").find(`.rows a`).AttrOr("href", "")
		for _, form := range []struct {
			path, selector string
			changed        url.Values
			kind           string
		}{
			{"/account", "form#account", fill("last_name", "Jones"), models.EventProfileChanged},
			{"/o/acme/settings", "form#settings", fill("name", "Acme & Co"), models.EventOrganizationRenamed},
			{role, "form#role", fill("name", "Landlord"), models.EventRoleChanged},
			{"/o/acme/members", `form[action$="/` + s.place("the.member").ID.String() + `/role"]`, fill("role", s.role("Admin").ID.String()), models.EventMemberRoleChanged},
		} {
			saves := func(typed url.Values) []models.Event {
				return s.recorded(func() {
					a := s.owner.submit(s.owner.get(form.path), form.selector, typed, options...)
					if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusSeeOther {
						a.failf("%d", a.StatusCode)
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
		s.noLetter()
	})
}

func TestActivityNamesOperators(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		for _, kind := range []string{models.EventPasswordChanged, models.EventAllEnded} {
			if err := db.Record(t.Context(), models.Event{Kind: kind, UserID: s.user("anna.smith").ID}); err != nil {
				t.Fatal(err)
			}
		}
		a := s.get("/account/activity").wants(http.StatusOK)
		var got []string
		a.find("main .rows li").Each(func(_ int, e selection) {
			_, after, _ := strings.Cut(strings.Join(strings.Fields(e.Find(".hint").Text()), " "), " UTC, ")
			got = append(got, e.Find("strong").Text()+": "+after)
		})
		want := []string{"All devices signed out: by an operator", "Changed the password: by an operator", "Signed up: from 127.0.0.1, Go-http-client"}
		if !slices.Equal(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
		var data struct {
			Activity []struct{ By string }
		}
		if err := json.Unmarshal([]byte(s.get("/account/data").body), &data); err != nil {
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
		s := newSite(t, db, func(c *app.Config) { c.AuditRetention = 30 * day })
		s.join(ben())
		s.setTime("events", "created_at", time.Now().Add(-31*day))
		s.visit(t).join(anna())
		s.work(func() bool { return len(s.events()) == 1 })
		if e := s.events()[0]; e.UserID != s.user("anna.smith").ID {
			t.Errorf("left is %+v", e)
		}
	})
}
