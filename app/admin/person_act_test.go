package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const reason = "Ticket 4711"

// TestActions takes each action on a person as an operator does: on its page, with a reason,
// which is recorded with who did it and in which role.
func TestActions(t *testing.T) {
	t.Parallel()
	benOf := func(s *apptest.Company) *models.User { return s.User("benjamin") }
	tests := map[string]struct {
		before func(*testing.T, *apptest.Company)
		typed  url.Values
		kind   string
		after  func(*testing.T, *apptest.Company, *apptest.Visitor, *apptest.Answer)
	}{
		"end-sessions": {kind: models.EventAllEnded, after: func(_ *testing.T, _ *apptest.Company, ben *apptest.Visitor, _ *apptest.Answer) {
			ben.Get("/dashboard").Wants(http.StatusSeeOther)
		}},
		"unlock": {
			before: func(t *testing.T, s *apptest.Company) {
				limit := models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
				if err := s.DB.Attempt(t.Context(), "password of "+benOf(s).ID.String()+" by ", limit); err != nil {
					t.Fatal(err)
				}
			},
			kind: models.EventUnlocked,
			after: func(t *testing.T, s *apptest.Company, _ *apptest.Visitor, _ *apptest.Answer) {
				if waits, err := s.DB.Throttles(t.Context(), benOf(s)); err != nil || len(waits) > 0 {
					t.Errorf("%d throttles are left (%v)", len(waits), err)
				}
			},
		},
		"send-reset": {kind: models.EventResetSent, after: func(_ *testing.T, s *apptest.Company, _ *apptest.Visitor, _ *apptest.Answer) {
			s.MailTo("benjamin@example.com", "Reset your password")
		}},
		"send-confirmation": {kind: models.EventConfirmationSent, after: func(_ *testing.T, s *apptest.Company, _ *apptest.Visitor, _ *apptest.Answer) {
			s.MailTo("benjamin@example.com", "Confirm your email address")
		}},
		"email": {
			typed: apptest.Fill("email", "corrected@example.com"), kind: models.EventEmailRequested,
			after: func(t *testing.T, s *apptest.Company, ben *apptest.Visitor, _ *apptest.Answer) {
				link := s.MailTo("corrected@example.com", "Confirm your new email address").Link
				token := tokenIn(link)
				// Whoever has the inbox alone gains nothing.
				s.Visit(t).Post("/verify-email", apptest.Fill("token", token))
				if got := benOf(s).Email; got != "benjamin@example.com" {
					t.Fatalf("a stranger gave the account the address %s", got)
				}
				ben.Post("/verify-email", apptest.Fill("token", token))
				if got := benOf(s).Email; got != "corrected@example.com" {
					t.Errorf("the account has the address %s", got)
				}
			},
		},
		"own": {
			before: func(_ *testing.T, s *apptest.Company) { s.Admit("benjamin", "Member") },
			typed:  apptest.Fill("organization", "acme"), kind: models.EventOwnershipTransferred,
			after: func(t *testing.T, s *apptest.Company, ben *apptest.Visitor, _ *apptest.Answer) {
				if got := s.Membership("benjamin").Role.Kind; got != models.RoleOwner {
					t.Errorf("the role is %s", got)
				}
				ben.Get("/o/acme/activity").Wants(http.StatusOK).Says("by an operator")
			},
		},
		"export": {kind: models.EventExported, after: func(_ *testing.T, s *apptest.Company, _ *apptest.Visitor, a *apptest.Answer) {
			a.Wants(http.StatusOK).WantsHeader("Content-Disposition", `attachment; filename="data-of-`+benOf(s).ID.String()+`.json"`)
			if !strings.Contains(a.Body, `"username": "benjamin"`) {
				a.Failf("it lacks the username: %s", a.Body)
			}
		}},
		"reset-factors": {
			before: func(t *testing.T, s *apptest.Company) {
				if err := s.DB.AddAuthenticator(t.Context(), benOf(s), &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("x")}); err != nil {
					t.Fatal(err)
				}
			},
			kind: models.EventFactorsReset,
			after: func(t *testing.T, s *apptest.Company, _ *apptest.Visitor, _ *apptest.Answer) {
				if factors, err := s.DB.Factors(t.Context(), benOf(s)); err != nil || factors.HasSecond() {
					t.Errorf("a second factor is left (%v)", err)
				}
			},
		},
		"disable": {kind: models.EventDisabled, after: func(t *testing.T, s *apptest.Company, _ *apptest.Visitor, _ *apptest.Answer) {
			if !benOf(s).Disabled() {
				t.Error("the account isn't disabled")
			}
		}},
		"enable": {
			before: func(t *testing.T, s *apptest.Company) {
				if err := s.DB.DisableUser(t.Context(), benOf(s)); err != nil {
					t.Fatal(err)
				}
			},
			kind: models.EventEnabled,
			after: func(t *testing.T, s *apptest.Company, _ *apptest.Visitor, _ *apptest.Answer) {
				if benOf(s).Disabled() {
					t.Error("the account is still disabled")
				}
			},
		},
		"delete": {kind: models.EventDeleted, after: func(t *testing.T, s *apptest.Company, ben *apptest.Visitor, a *apptest.Answer) {
			a.LeadsTo("/admin/people")
			ben.Get("/dashboard").Wants(http.StatusSeeOther)
			for _, u := range s.Users() {
				if u.Username == "benjamin" {
					t.Error("the account is still there")
				}
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewCompany(t, db)
				ben := s.Visit(t)
				ben.JoinAs(apptest.With(apptest.Ben.Form(), "email", "benjamin@example.com"))
				operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
				s.Deliver()
				if name == "send-confirmation" {
					s.SetTime("tokens", "created_at", time.Now().Add(-time.Hour))
				}
				if tt.before != nil {
					tt.before(t, s)
				}
				for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
					path := "/admin/people/" + benOf(s).ID.String() + "/" + name
					operator.Get("/admin/people/" + benOf(s).ID.String()).Wants(http.StatusOK)
					page := operator.Get(path).Wants(http.StatusOK).Page().Harmless()
					if first := page.Find("#act input:not([type=hidden]), #act select").First(); !first.Is("[autofocus]") {
						t.Errorf("the field %q, the first, has no focus", first.AttrOr("name", ""))
					}
					if len(options) == 0 { // without a reason, nothing happens
						before := len(s.Events())
						operator.Submit(page, "form#act", tt.typed).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
						if n := len(s.Events()); n != before {
							t.Errorf("%d events without a reason", n-before)
						}
						continue
					}
					a := operator.Submit(page, "form#act", apptest.With(apptest.Fill("reason", reason), flat(tt.typed)...))
					if name != "export" && a.StatusCode != http.StatusSeeOther {
						a.Failf("%d: %s", a.StatusCode, a.Text("body"))
					}
					tt.after(t, s, ben, a)
				}
				found := false
				for _, e := range s.Events() {
					if e.Kind == tt.kind && e.Detail.Reason == reason {
						found = e.ActorID == s.User(apptest.Nth(1).Username).ID && e.OperatorRole == models.OperatorAdmin
					}
				}
				if !found {
					t.Errorf("no event %s has the reason and the operator", tt.kind)
				}
				if name != "delete" && name != "disable" {
					again := s.Visit(t)
					again.Post("/sign-in", apptest.Credentials("benjamin", apptest.Ben.Password)).LeadsTo("/dashboard")
					page := again.Get("/account/activity").Wants(http.StatusOK).Says("by an operator")
					for _, private := range []string{reason, apptest.Nth(1).Username} {
						if strings.Contains(page.Body, private) {
							page.Failf("the person reads %s", private)
						}
					}
				}
			})
		})
	}
}

// TestOperatorsAreProtected wants operators to act neither on themselves nor, as support, on
// other operators.
func TestOperatorsAreProtected(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		admin := s.Operator(apptest.Anna, models.OperatorAdmin)
		support := s.Operator(apptest.Ben, models.OperatorSupport)
		typed := apptest.Fill("reason", reason)
		for _, try := range []struct {
			who        *apptest.Visitor
			whom, does string
			says       string
		}{
			{admin, "anna.smith", "disable", "This is your own account"},
			{admin, "anna.smith", "delete", "This is your own account"},
			{support, "benjamin", "end-sessions", "This is your own account"},
			{support, "anna.smith", "end-sessions", "They're an operator, too."},
			{support, "anna.smith", "send-reset", "They're an operator, too."},
		} {
			person := "/admin/people/" + s.User(try.whom).ID.String()
			page := try.who.Get(person).Wants(http.StatusOK)
			if page.Find(`main a[href^="`+person+`/"]`).Length() != 0 {
				page.Failf("it offers actions")
			}
			try.who.Get(person + "/" + try.does).Wants(http.StatusForbidden).Says(try.says)
			try.who.Post(person+"/"+try.does, typed).Wants(http.StatusForbidden).Says(try.says)
		}
		// An admin may act on support.
		person := "/admin/people/" + s.User("benjamin").ID.String()
		admin.Post(person+"/end-sessions", typed).LeadsTo(person)
		support.Get("/dashboard").Wants(http.StatusSeeOther)
	})
}

// TestDeletePersonWithOrganizations wants an organization with other members to be deleted
// only if the operator says so, and a dialog or a page to ask before.
func TestDeletePersonWithOrganizations(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMember("benjamin", "Member")
		operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		path := "/admin/people/" + s.First.UserID.String() + "/delete"
		page := operator.Get(path).Wants(http.StatusOK).Says("They're the only owner of Acme")
		if got := page.Find("[hx-confirm\\:inherited]").AttrOr("hx-confirm:inherited", ""); got != "Delete the account of Anna Smith?" {
			page.Failf("a dialog asks %q", got)
		}
		operator.Post(path, apptest.Fill("reason", reason, "confirm", "Sure?", "confirm_label", "Yes")).Wants(http.StatusOK).Says("Sure?")
		operator.Post(path, apptest.Fill("reason", reason)).Wants(http.StatusUnprocessableEntity).Says("Make another member an owner first")
		s.User("anna.smith")
		operator.Submit(page, "form#act", apptest.Fill("reason", reason, "delete_organizations", "yes")).LeadsTo("/admin/people")
		operator.Get("/admin/people?q=anna.smith").Wants(http.StatusOK).Says("No people found.")
	})
}

// flat returns a form as Fill takes it.
func flat(form url.Values) (pairs []string) {
	for name := range form {
		pairs = append(pairs, name, form.Get(name))
	}
	return pairs
}

func tokenIn(link string) string {
	_, token, _ := strings.Cut(link, "?token=")
	return token
}
