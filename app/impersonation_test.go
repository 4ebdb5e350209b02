package app_test

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// openToOperators are the routes that operators may use as somebody else. Every other route is
// closed to them, so a new one is, too.
var openToOperators = map[string]web.Impersonated{
	"GET /":                          web.Look,
	"POST /theme":                    web.Change,
	"POST /sign-out":                 web.Leave,
	"POST /admin/impersonation/stop": web.Leave,

	"GET /dashboard":        web.Look,
	"GET /account":          web.Look,
	"POST /account":         web.Change,
	"POST /account/check":   web.Change,
	"GET /account/sessions": web.Look,
	"GET /account/activity": web.Look,

	"GET /organizations":          web.Look,
	"POST /organizations":         web.Change,
	"POST /organizations/check":   web.Change,
	"GET /organizations/switcher": web.Look,

	"GET /o/:slug":                 web.Look,
	"GET /o/:slug/members":         web.Look,
	"GET /o/:slug/invitations":     web.Look,
	"GET /o/:slug/activity":        web.Look,
	"GET /o/:slug/settings":        web.Look,
	"POST /o/:slug/settings":       web.Change,
	"POST /o/:slug/settings/check": web.Change,
	"GET /o/:slug/roles":           web.Look,
	"GET /o/:slug/roles/:id":       web.Look,
}

// forNobody are the routes that ask nobody who they are.
var forNobody = []string{
	"GET /assets/*name", "HEAD /assets/*name", "GET /favicon.ico", "GET /.well-known/change-password", "GET /healthz", "GET /readyz",
	"GET /.well-known/webauthn", "GET /.well-known/passkey-endpoints", "POST /auth/:provider/logout", "POST /auth/:provider/callback",
}

// TestImpersonationIsClosed tries every route as an operator who impersonates the owner of an
// organization. What isn't listed above is refused, and changes nothing.
func TestImpersonationIsClosed(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"read", "write"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewCompany(t, db, func(c *app.Config) { c.Impersonation = mode }, apptest.OnLocalhost)
				operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
				s.AddMemberWith("the.editor", "Editor", models.InviteMembers)
				ids := idsOf(s)
				operator.Impersonate("anna.smith")
				s.SetTime("sessions", "last_seen_at", time.Now().Add(time.Hour))
				left := s.Everything("throttles")
				for _, route := range s.App.Routes() {
					name := route.Method + " " + route.Path
					may := openToOperators[name]
					if may == web.Leave || slices.Contains(forNobody, name) {
						continue
					}
					id := cmp.Or(ids[strings.Split(route.Path+"///", "/")[3]], uuid.NewString())
					path := strings.NewReplacer(":slug", "acme", ":id", id).Replace(route.Path)
					for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
						if may == web.Change && mode == "write" {
							continue // see TestImpersonationWrites
						}
						var a *apptest.Answer
						if route.Method == http.MethodGet {
							a = operator.Get(path, options...)
						} else {
							a = operator.Post(path, url.Values{}, options...)
						}
						switch {
						case may == web.Look:
							if a.StatusCode >= 400 {
								a.Failf("%d: %s", a.StatusCode, a.Text("body"))
							}
						case strings.HasPrefix(route.Path, "/admin"):
							a.Wants(http.StatusNotFound)
						case may == web.Change:
							a.Wants(http.StatusForbidden).Says("so nothing was changed")
						default:
							a.Wants(http.StatusForbidden).Says("Only the person can use this")
						}
						if len(options) == 0 && a.StatusCode != http.StatusSeeOther && a.Find(`aside.impersonation form[action="/admin/impersonation/stop"] button`).Length() != 1 {
							a.Failf("it has no banner: %s", a.Body)
						}
						if now := s.Everything("throttles"); now != left {
							t.Errorf("%s changes the database", name)
							left = now
						}
					}
				}
			})
		})
	}
}

// TestImpersonationWrites changes what isn't sensitive, and records both the person and the
// operator.
func TestImpersonationWrites(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		own := operator.Get("/account").Wants(http.StatusOK)
		operator.Impersonate("anna.smith")
		profile := operator.Get("/account").Wants(http.StatusOK).Says("You're impersonating Anna Smith, and can make changes.")
		if a := operator.Submit(profile, "form#account", apptest.Fill("last_name", "Jones"), options...); a.StatusCode >= 400 {
			a.Failf("%d: %s", a.StatusCode, a.Text("body"))
		}
		settings := operator.Get("/o/acme/settings").Wants(http.StatusOK)
		if a := operator.Submit(settings, "form#settings", apptest.Fill("name", "Acme Ltd"), options...); a.StatusCode >= 400 {
			a.Failf("%d: %s", a.StatusCode, a.Text("body"))
		}
		anna, them := s.User("anna.smith"), s.User(apptest.Nth(1).Username)
		if anna.LastName != "Jones" || them.LastName != apptest.Nth(1).Last {
			t.Errorf("the last names are %s and %s", anna.LastName, them.LastName)
		}
		taken := operator.Submit(operator.Get("/account"), "form#account", apptest.Fill("username", "taken.away"), options...)
		taken.Wants(http.StatusForbidden).Says("Only the person can use this")
		for _, kind := range []string{models.EventProfileChanged, models.EventOrganizationRenamed, models.EventFormSent} {
			found := slices.ContainsFunc(s.Events(), func(e models.Event) bool {
				return e.Kind == kind && e.ActorID == anna.ID && e.OperatorID == them.ID && e.OperatorRole == models.OperatorAdmin
			})
			if !found {
				t.Errorf("no event %s has both the person and the operator", kind)
			}
		}
		sent := slices.DeleteFunc(s.Events(), func(e models.Event) bool { return e.Kind != models.EventFormSent })
		if last := sent[len(sent)-1]; len(sent) != 3 || last.Detail.Form != "/account" || last.UserID != anna.ID || s.User("anna.smith").Username != "anna.smith" {
			t.Errorf("the forms that were sent are %+v", sent)
		}
		s.Get("/account/activity").Wants(http.StatusOK).Says("Changed name").Says("by an operator").Says("Form sent while impersonating: /account").Says("Form sent while impersonating: /o/:slug/settings").Says("Impersonation started, with changes")
		s.Get("/o/acme/activity").Wants(http.StatusOK).Says("by an operator as Anna Jones")

		// A form that was drawn for the operator acts for nobody, nor does it sign in.
		before := s.Everything("sessions", "throttles")
		operator.Submit(own, "form#account", apptest.Fill("last_name", "Evil"), options...).Wants(http.StatusConflict).Says("You're impersonating another person now, so nothing was changed.")
		again := apptest.Fill("again_login", apptest.Ben.Username, "again_password", apptest.Ben.Password, "again_for", "")
		operator.Post("/account", again, options...).Wants(http.StatusConflict)
		operator.Post("/account/check?field=last_name", apptest.With(apptest.Nth(1).Form(), "signed_in_as", them.ID.String()+" x"), apptest.HTMX).Silent(http.StatusConflict)
		if s.Everything("sessions", "throttles") != before {
			t.Error("the form of another user changes something")
		}

		// Nor does one that was drawn for the person, after the end.
		operator.Post("/admin/impersonation/stop", nil, options...).LeadsTo("/admin/people/" + anna.ID.String())
		before = s.Everything("sessions", "throttles")
		operator.Submit(profile, "form#account", apptest.Fill("last_name", "Evil"), options...).AsksToSignIn(http.StatusConflict)
		operator.Submit(settings, "form#settings", apptest.Fill("name", "Evil"), options...).AsksToSignIn(http.StatusConflict)
		operator.Get("/o/acme/members", options...).Wants(http.StatusNotFound)
		if s.Everything("sessions", "throttles") != before {
			t.Error("a form that is sent again changes something")
		}
	}, func(c *app.Config) { c.Impersonation = "write" })
}
