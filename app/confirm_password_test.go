package app_test

import (
	"net/http"
	"net/url"
	"testing"

	"vestibule/app"
	"vestibule/app/apptest"
)

// TestConfirmPassword sets a password in each form, on a site that asks for it twice and
// on one that asks once and ignores a second. It can be looked at on both.
func TestConfirmPassword(t *testing.T) {
	t.Parallel()
	for name, twice := range map[string]bool{"on": true, "off": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
				sets := func(v *apptest.Visitor, path, form, check string, typed url.Values) {
					t.Helper()
					page := v.Get(path).Wants(http.StatusOK)
					repeats, reveals := page.Find(form+" [name=confirm_password]").Length(), page.Find(form+" [data-reveal=password]").Length()
					if repeats == 1 != twice || reveals != 1 {
						page.Failf("%d fields repeat the password, and %d buttons show it", repeats, reveals)
					}
					differs := apptest.With(typed, "confirm_password", "something else")
					checked := v.Post(check+"?field=confirm_password", apptest.With(differs, "token", page.Value("token")), apptest.HTMX)
					if !twice {
						checked.Wants(http.StatusNotFound)
						v.Submit(page, form, differs, options...).Wants(map[bool]int{true: http.StatusOK, false: http.StatusSeeOther}[len(options) > 0])
						return
					}
					checked.Wants(http.StatusOK).Says(apptest.PasswordsDiffer)
					v.Submit(page, form, differs, options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"confirm_password": apptest.PasswordsDiffer})
					v.Submit(page, form, apptest.With(typed, "confirm_password", typed.Get("password")), options...)
				}
				sets(s.Visitor, "/sign-up", "form#sign-up", "/sign-up/check", apptest.Anna.Form())
				sets(s.Visitor, "/account/password", "form#change-password", "/account/password/check", apptest.Fill("current_password", apptest.Anna.Password, "password", apptest.AnotherPassword))
				token := s.TokenOf(s.MailTo(apptest.Anna.Email, apptest.VerifySubject))
				sets(s.Visit(t), "/verify-email/password?token="+token, "form#verify-password", "/verify-email/password/check", apptest.Fill("password", "quiet orange lantern"))
				sets(s.Visit(t), "/reset-password?token="+s.ResetToken(apptest.Anna.Email), "form#reset-password", "/reset-password/check", apptest.Fill("password", "seven purple kites"))
				s.Visit(t).Post("/sign-in", apptest.Credentials(apptest.Anna.Username, "seven purple kites")).LeadsTo("/dashboard")
			}, func(c *app.Config) { c.ConfirmPassword = app.Switch(twice) })
		})
	}
}
