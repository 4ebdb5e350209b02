package app_test

import (
	"net/http"
	"testing"

	"vestibule/models"
)

func TestDisabledUser(t *testing.T) {
	t.Parallel()
	const disabled = "This account is disabled. Please contact the site's administrator."
	eachWay(t, func(t *testing.T, s *site, options ...option) {
		s.join(anna())
		other := s.visit(t)
		other.join(ben())
		if err := s.db.DisableUser(t.Context(), s.user("anna.smith")); err != nil {
			t.Fatal(err)
		}
		if s.signedIn() || !other.signedIn() {
			t.Error("the wrong person is signed out")
		}
		for _, tt := range []struct{ login, password, says string }{
			{"anna.smith", annasPassword, disabled},
			{annasEmail, annasPassword, disabled},
			{"anna.smith", anotherPassword, wrongLogin},
			{annasEmail, anotherPassword, wrongLogin},
			{"nobody", annasPassword, wrongLogin},
		} {
			before := len(s.events())
			a := s.post("/sign-in", credentials(tt.login, tt.password), options...).wants(http.StatusUnprocessableEntity)
			if events := s.events()[before:]; len(events) != 1 || events[0].Kind != models.EventSignInFailed {
				t.Errorf("recorded are %+v", events)
			}
			if got := a.text(".form-error"); got != tt.says {
				t.Errorf("%s with %q is told %q, want %q", tt.login, tt.password, got, tt.says)
			}
		}
		s.deliver()
		if s.signedIn() || len(s.sessions()) != 1 {
			t.Error("a disabled user is signed in")
		}

		if err := s.db.EnableUser(t.Context(), s.user("anna.smith")); err != nil {
			t.Fatal(err)
		}
		s.post("/sign-in", annas(), options...).leadsTo("/dashboard")
	})
}
