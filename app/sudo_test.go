package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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

const sudo = "form#sudo"

// asksForPassword wants the page that stands in for another until the person
// gives the password, or its form alone.
func (a *answer) asksForPassword(path string) *answer {
	a.t.Helper()
	a.wants(http.StatusForbidden).wantsHeader("Cache-Control", "no-store").harmless()
	if a.Request.Header.Get("HX-Request") == "true" {
		a.fragment(sudo)
	} else {
		a.page()
	}
	form := a.find(sudo)
	if form.AttrOr("action", "") != path || form.AttrOr("hx-post", "") != path || a.value("current_password") != "" {
		a.failf("the form is\n%s", a.body)
	}
	return a
}

// grownOld makes the last proof of the password too old.
func (s *site) grownOld() { s.age("authenticated_at", time.Now().Add(-16*time.Minute)) }

func TestSensitivePagesAskForThePassword(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		for path, form := range sensitive {
			t.Run(path, func(t *testing.T) {
				s.age("authenticated_at", time.Now().Add(-14*time.Minute))
				if s.get(path).wants(http.StatusOK).find(form).Length() != 1 {
					t.Error("the page does not open within the time")
				}
				s.grownOld()
				before := s.cookie("session")
				page := s.get(path).asksForPassword(path).wantsErrors(nil)
				for typed, wrong := range map[string]string{"": "Enter your password.", "wrong horse": wrongPassword, annasPassword + " ": wrongPassword} {
					s.submit(page, sudo, fill("current_password", typed), options...).
						asksForPassword(path).wantsErrors(map[string]string{"current_password": wrong})
				}
				if s.cookie("session") != before {
					t.Error("a wrong password renews the token")
				}

				s.submit(page, sudo, fill("current_password", annasPassword), options...).leadsTo(path)
				if s.get(path).wants(http.StatusOK).find(form).Length() != 1 {
					t.Error("the page is not the one asked for")
				}
				thief := s.visit(t)
				thief.keep("session", before)
				if s.cookie("session") == before || thief.signedIn() {
					t.Error("the token is not renewed")
				}
			})
		}
		for _, path := range []string{"/dashboard", "/account", "/account/sessions", "/account/data"} {
			s.grownOld()
			s.get(path).wants(http.StatusOK)
		}
	})
}

func TestSensitiveFormsGoOnAfterThePassword(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path  string
		typed url.Values
		kept  []string // by name, what the form for the password carries along
		after func(s *site, a *answer)
	}{
		"e-mail": {"/account/email", fill("email", "new@example.com"), []string{"email"},
			func(_ *site, a *answer) { a.wants(http.StatusOK).says("We sent a link to new@example.com.") }},
		"e-mail, hostile": {"/account/email", fill("email", `"><script>alert(1)</script>@x`), []string{"email"},
			func(_ *site, a *answer) {
				a.wants(http.StatusUnprocessableEntity).harmless().wantsErrors(map[string]string{"email": wantsAddress})
			}},
		"deletion": {"/account/delete", fill("username", "Anna.Smith"), []string{"username"},
			func(s *site, a *answer) {
				a.leadsTo("/")
				if s.cookie("session") != "" || len(s.users()) > 0 {
					a.failf("the account or the cookie is left")
				}
			}},
		"password, never kept": {"/account/password", fill("password", anotherPassword, "confirm_password", anotherPassword), nil,
			func(_ *site, a *answer) { a.leadsTo("/account/password") }},
		"a field of nobody": {"/account/email", fill("email", "new@example.com", "x", "1"), []string{"email", "x"},
			func(_ *site, a *answer) { a.wants(http.StatusOK) }},
		"a field of many values": {"/account/email", url.Values{"email": {"new@example.com"}, "x": {"1", "", "3"}}, []string{"email", "x", "x", "x"},
			func(_ *site, a *answer) { a.wants(http.StatusOK) }},
		"another password of nobody": {"/account/email", fill("email", "new@example.com", "old_password", "zuvokelimantra"), []string{"email"},
			func(_ *site, a *answer) { a.leadsTo("/account/email") }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, s *site, options ...option) {
				s.join(anna())
				page := s.get(tt.path).wants(http.StatusOK)
				s.grownOld()
				a := s.submit(page, sensitive[tt.path], tt.typed, options...).asksForPassword(tt.path)
				for range 2 { // the second time after a wrong password
					if got := a.hidden(); !slices.Equal(got, tt.kept) {
						t.Errorf("kept are %v, want %v", got, tt.kept)
					}
					for _, name := range tt.kept {
						if got := a.values(name); !slices.Equal(got, tt.typed[name]) {
							t.Errorf("%s holds %q, want what was typed, %q", name, got, tt.typed[name])
						}
					}
					a = s.submit(a, sudo, fill("current_password", "wrong horse"), options...).asksForPassword(tt.path)
				}
				tt.after(s, s.submit(a, sudo, fill("current_password", annasPassword), options...))
			})
		})
	}
}

// hidden are the names of the hidden fields, in order, but for the form's own.
func (a *answer) hidden() []string {
	var names []string
	a.find(sudo + " input[type=hidden]").Each(func(_ int, input selection) {
		if name := input.AttrOr("name", ""); name != "sudo" {
			names = append(names, name)
		}
	})
	return names
}

// values are what the inputs of that name hold.
func (a *answer) values(name string) (values []string) {
	a.find(`input[name="` + name + `"]`).Each(func(_ int, input selection) {
		values = append(values, input.AttrOr("value", ""))
	})
	return values
}

func TestSensitiveFormWithThePasswordInItGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		page := s.get("/account/password")
		s.grownOld()
		old := s.cookie("session")
		s.submit(page, "form#change-password", with(twice(anotherPassword), "current_password", "wrong horse"), options...).asksForPassword("/account/password")
		s.submit(page, "form#change-password", with(twice(anotherPassword), "current_password", annasPassword), options...).leadsTo("/account")
		if s.cookie("session") == old || !s.signedIn() {
			t.Error("the token is not renewed")
		}
	})
}

func TestSensitiveFormsTakeFormsAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		s.join(anna())
		s.grownOld()
		for path := range sensitive {
			s.send(http.MethodPost, path, strings.NewReader(`{"current_password":"x"}`), header("Content-Type", "application/json")).wants(http.StatusUnsupportedMediaType)
			s.post(path, nil, header("Sec-Fetch-Site", "cross-site")).wants(http.StatusForbidden).says("Not allowed")
			s.visit(t).post(path, fill("sudo", "yes", "current_password", annasPassword)).leadsTo("/sign-in")
		}
		if len(s.users()) != 1 {
			t.Error("the account is gone")
		}
	})
}
