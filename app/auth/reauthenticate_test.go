package auth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// sensitive are the pages that want a password given not long ago, and their
// forms.
var sensitive = map[string]string{
	"/account/email":    "form#change-email",
	"/account/password": "form#change-password",
	"/account/delete":   "form#delete-account",
}

// asksForPassword wants the page that stands in for another until the person
// gives the password, or its form alone.
func asksForPassword(a *apptest.Answer, path string) *apptest.Answer {
	a.T.Helper()
	a.Wants(http.StatusForbidden).WantsHeader("Cache-Control", "no-store").Harmless()
	if a.Request.Header.Get("HX-Request") == "true" {
		a.Fragment(apptest.SudoForm)
	} else {
		a.Page()
	}
	form := a.Find(apptest.SudoForm)
	if form.AttrOr("action", "") != path || form.AttrOr("hx-post", "") != path || a.Value("current_password") != "" {
		a.Failf("the form is\n%s", a.Body)
	}
	return a
}

func TestSensitivePagesAskForThePassword(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		for path, form := range sensitive {
			t.Run(path, func(t *testing.T) {
				s.Age("authenticated_at", time.Now().Add(-14*time.Minute))
				if s.Get(path).Wants(http.StatusOK).Find(form).Length() != 1 {
					t.Error("the page does not open within the time")
				}
				s.AgePassword()
				before := s.Cookie("session")
				page := asksForPassword(s.Get(path), path).WantsErrors(nil)
				for typed, wrong := range map[string]string{"": "Enter your password.", "wrong horse": apptest.WrongPassword, apptest.Anna.Password + " ": apptest.WrongPassword} {
					asksForPassword(s.Submit(page, apptest.SudoForm, apptest.Fill("current_password", typed), options...), path).WantsErrors(map[string]string{"current_password": wrong})
				}
				if s.Cookie("session") != before {
					t.Error("a wrong password renews the token")
				}

				s.Submit(page, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...).LeadsTo(path)
				if s.Get(path).Wants(http.StatusOK).Find(form).Length() != 1 {
					t.Error("the page is not the one asked for")
				}
				if s.Cookie("session") == before {
					t.Error("the token is not renewed")
				}
				thief := s.Visit(t)
				thief.SetCookie("session", before)
				asksForPassword(thief.Get(path), path)
				s.Age("replaced_at", time.Now().Add(-time.Minute))
				if thief.SignedIn() || !s.SignedIn() {
					t.Error("the old token works for more than a minute, or the new one doesn't")
				}
			})
		}
		for _, path := range []string{"/dashboard", "/account", "/account/sessions", "/account/data"} {
			s.AgePassword()
			s.Get(path).Wants(http.StatusOK)
		}
	})
}

func TestSensitiveFormsGoOnAfterThePassword(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path  string
		typed url.Values
		kept  []string // by name, what the form for the password carries along
		after func(s *apptest.Site, a *apptest.Answer)
	}{
		"email": {"/account/email", apptest.Fill("email", "new@example.com"), []string{"email"},
			func(_ *apptest.Site, a *apptest.Answer) {
				a.Wants(http.StatusOK).Says("We sent a link to new@example.com.")
			}},
		"email, hostile": {"/account/email", apptest.Fill("email", `"><script>alert(1)</script>@x`), []string{"email"},
			func(_ *apptest.Site, a *apptest.Answer) {
				a.Wants(http.StatusUnprocessableEntity).Harmless().WantsErrors(map[string]string{"email": apptest.WantsAddress})
			}},
		"deletion": {"/account/delete", apptest.Fill("username", "Anna.Smith"), []string{"username"},
			func(s *apptest.Site, a *apptest.Answer) {
				a.LeadsTo("/")
				if s.Cookie("session") != "" || len(s.Users()) > 0 {
					a.Failf("the account or the cookie is left")
				}
			}},
		"password, never kept": {"/account/password", apptest.Fill("password", apptest.AnotherPassword, "confirm_password", apptest.AnotherPassword), nil,
			func(_ *apptest.Site, a *apptest.Answer) { a.LeadsTo("/account/password") }},
		"a field of nobody": {"/account/email", apptest.Fill("email", "new@example.com", "x", "1"), []string{"email", "x"},
			func(_ *apptest.Site, a *apptest.Answer) { a.Wants(http.StatusOK) }},
		"a field of many values": {"/account/email", url.Values{"email": {"new@example.com"}, "x": {"1", "", "3"}}, []string{"email", "x", "x", "x"},
			func(_ *apptest.Site, a *apptest.Answer) { a.Wants(http.StatusOK) }},
		"another password of nobody": {"/account/email", apptest.Fill("email", "new@example.com", "old_password", "zuvokelimantra"), []string{"email"},
			func(_ *apptest.Site, a *apptest.Answer) { a.LeadsTo("/account/email") }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
				s.Join(apptest.Anna)
				page := s.Get(tt.path).Wants(http.StatusOK)
				s.AgePassword()
				a := asksForPassword(s.Submit(page, sensitive[tt.path], tt.typed, options...), tt.path)
				for range 2 { // the second time after a wrong password
					if got := hidden(a); !slices.Equal(got, tt.kept) {
						t.Errorf("kept are %v, want %v", got, tt.kept)
					}
					for _, name := range tt.kept {
						if got := values(a, name); !slices.Equal(got, tt.typed[name]) {
							t.Errorf("%s holds %q, want what was typed, %q", name, got, tt.typed[name])
						}
					}
					a = asksForPassword(s.Submit(a, apptest.SudoForm, apptest.Fill("current_password", "wrong horse"), options...), tt.path)
				}
				tt.after(s, s.Submit(a, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...))
			})
		})
	}
}

// hidden are the names of the hidden fields, in order, but for the form's own.
func hidden(a *apptest.Answer) []string {
	var names []string
	a.Find(apptest.SudoForm + " input[type=hidden]").Each(func(_ int, input apptest.Selection) {
		if name := input.AttrOr("name", ""); name != "sudo" && name != "signed_in_as" {
			names = append(names, name)
		}
	})
	return names
}

// values are what the inputs of that name hold.
func values(a *apptest.Answer, name string) (values []string) {
	a.Find(`input[name="` + name + `"]`).Each(func(_ int, input apptest.Selection) {
		values = append(values, input.AttrOr("value", ""))
	})
	return values
}

func TestSensitiveFormWithThePasswordInItGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		page := s.Get("/account/password")
		s.AgePassword()
		old := s.Cookie("session")
		asksForPassword(s.Submit(page, "form#change-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", "wrong horse"), options...), "/account/password")
		s.Submit(page, "form#change-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", apptest.Anna.Password), options...).LeadsTo("/account")
		if s.Cookie("session") == old || !s.SignedIn() {
			t.Error("the token is not renewed")
		}
	})
}

func TestSensitiveFormsTakeFormsAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.AgePassword()
		for path := range sensitive {
			s.Send(http.MethodPost, path, strings.NewReader(`{"current_password":"x"}`), apptest.Header("Content-Type", "application/json")).Wants(http.StatusUnsupportedMediaType)
			s.Post(path, nil, apptest.Header("Sec-Fetch-Site", "cross-site")).Wants(http.StatusForbidden).Says("Not allowed")
			s.Visit(t).Post(path, apptest.Fill("sudo", "yes", "current_password", apptest.Anna.Password)).AsksToSignIn(http.StatusForbidden)
		}
		if len(s.Users()) != 1 {
			t.Error("the account is gone")
		}
	})
}
