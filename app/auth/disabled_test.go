package auth_test

import (
	"net/http"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
)

func TestDisabledUser(t *testing.T) {
	t.Parallel()
	const disabled = "This account is disabled. Please contact the site's administrator."
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		other := s.Visit(t)
		other.Join(apptest.Ben)
		if err := s.DB.DisableUser(t.Context(), s.User("anna.smith")); err != nil {
			t.Fatal(err)
		}
		if s.SignedIn() || !other.SignedIn() {
			t.Error("the wrong person is signed out")
		}
		for _, tt := range []struct{ login, password, says string }{
			{"anna.smith", apptest.Anna.Password, disabled},
			{apptest.Anna.Email, apptest.Anna.Password, disabled},
			{"anna.smith", apptest.AnotherPassword, apptest.WrongSignIn},
			{apptest.Anna.Email, apptest.AnotherPassword, apptest.WrongSignIn},
			{"nobody", apptest.Anna.Password, apptest.WrongSignIn},
		} {
			before := len(s.Events())
			a := s.Post("/sign-in", apptest.Credentials(tt.login, tt.password), options...).Wants(http.StatusUnprocessableEntity)
			if events := s.Events()[before:]; len(events) != 1 || events[0].Kind != models.EventSignInFailed {
				t.Errorf("recorded are %+v", events)
			}
			if got := a.Text(".form-error"); got != tt.says {
				t.Errorf("%s with %q is told %q, want %q", tt.login, tt.password, got, tt.says)
			}
		}
		s.Deliver()
		if s.SignedIn() || len(s.Sessions()) != 1 {
			t.Error("a disabled user is signed in")
		}

		if err := s.DB.EnableUser(t.Context(), s.User("anna.smith")); err != nil {
			t.Fatal(err)
		}
		s.Post("/sign-in", apptest.Anna.Credentials(), options...).LeadsTo("/dashboard")
	})
}
