package app_test

import (
	"net/http"
	"strings"
	"testing"

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
