package organization_test

import (
	"net/http"
	"net/url"
	"testing"

	"vestibule/app/apptest"
)

func TestRolesPage(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		page := s.Owner.Get("/o/acme/roles").Wants(http.StatusOK).Page()
		typed := url.Values{"name": {"Host"}, "permissions": {"invite-members", "see-activity"}}
		s.Owner.Submit(page, "form#create-role", typed, options...).LeadsTo("/o/acme/roles")
		host := s.AddMember("the.host", "Host")
		host.Get("/o/acme/invitations").Wants(http.StatusOK)
		host.Get("/o/acme/settings").Wants(http.StatusForbidden)

		for name, tt := range map[string]struct {
			typed url.Values
			wrong map[string]string
		}{
			"taken":   {url.Values{"name": {"HOST"}}, map[string]string{"name": "There's already a role with this name."}},
			"nothing": {url.Values{}, map[string]string{"name": "Enter the role's name."}},
			"owners'": {url.Values{"name": {"Sly"}, "permissions": {"own-organization"}}, map[string]string{"permissions": "Choose one of the options."}},
		} {
			t.Run(name, func(t *testing.T) {
				a := s.Owner.Post("/o/acme/roles", tt.typed, options...).Wants(http.StatusUnprocessableEntity)
				for field, want := range tt.wrong {
					if got := a.Text("#" + field + "-error"); got != want {
						a.Failf("%s says %q, want %q", field, got, want)
					}
					if focus := a.Find("[autofocus]"); focus.Length() != 1 || focus.AttrOr("name", "") != field {
						a.Failf("the focus is on %q, want %s", focus.AttrOr("name", ""), field)
					}
				}
			})
		}
		path := s.Owner.Get("/o/acme/roles").Find(`.rows a`).AttrOr("href", "")
		page = s.Owner.Get(path).Wants(http.StatusOK).Page()
		s.Owner.Submit(page, "form#role", url.Values{"name": {"Editor"}, "permissions": {"edit-organization"}}, options...).LeadsTo("/o/acme/roles")
		host.Get("/o/acme/invitations").Wants(http.StatusForbidden)
		page = host.Get("/o/acme/settings").Wants(http.StatusOK)
		host.Submit(page, "form#settings", apptest.Fill("name", ""), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"name": "Enter the organization's name."})
		host.Submit(page, "form#settings", apptest.Fill("name", "Acme & Co"), options...).LeadsTo("/o/acme/settings")
		host.Get("/o/acme").Says("Acme & Co Overview")
		s.Owner.Get("/o/acme/roles/" + s.Role("Admin").ID.String()).Wants(http.StatusNotFound)
		s.Owner.Submit(s.Owner.Get(path), `form[action$="/delete"]`, nil, options...).LeadsTo("/o/acme/roles")
		host.Get("/o/acme").Wants(http.StatusOK).Says("Member")
		s.Owner.Get(path).Wants(http.StatusNotFound)
	})
}
