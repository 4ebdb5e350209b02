package auth_test

import (
	"crypto/sha1" // #nosec G505 -- the public lists are of SHA-1
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/app/breached"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestBreachedPasswords sets a password that is known from a data breach wherever one is
// set, on sites with a file and with a service. The service then stops answering.
func TestBreachedPasswords(t *testing.T) {
	t.Parallel()
	hash := fmt.Sprintf("%X", sha1.Sum([]byte(apptest.BreachedPassword))) // #nosec G401 -- as above
	file := filepath.Join(t.TempDir(), "filter")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := breached.Build(strings.NewReader(hash+":3\n"), out, 1); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for name, offline := range map[string]bool{"file": true, "service": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				source, service := file, &rangeService{suffix: hash[5:]}
				if !offline {
					server := httptest.NewServer(service)
					t.Cleanup(server.Close)
					source = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/range/"
				}
				s := apptest.NewSite(t, db, func(c *app.Config) { c.Breached = source })
				wrong := map[string]string{"password": apptest.WasBreached}
				refused := func(path string, form url.Values) {
					t.Helper()
					s.Post(path, apptest.With(form, "password", apptest.BreachedPassword, "confirm_password", apptest.BreachedPassword), apptest.HTMX).Wants(http.StatusUnprocessableEntity).WantsErrors(wrong)
				}
				leaves := func(path string, form url.Values) {
					t.Helper()
					asked, want := service.count(), wrong
					if !offline { // nobody is asked as people type
						want = nil
					}
					s.Leaves(path, "password", apptest.With(form, "password", apptest.BreachedPassword, "confirm_password", ""), want)
					if service.count() != asked {
						t.Errorf("%s asks the service", path)
					}
				}
				leaves("/sign-up/check", apptest.Anna.Form())
				refused("/sign-up", apptest.Anna.Form())
				if !offline {
					asked := service.count()
					s.Post("/sign-up", apptest.With(apptest.Anna.Form(), "username", "", "password", apptest.BreachedPassword, "confirm_password", apptest.BreachedPassword)).Wants(http.StatusUnprocessableEntity)
					if service.count() != asked {
						t.Error("the service is asked about a form with another error")
					}
				}
				s.Join(apptest.Anna)
				verify := s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
				change := apptest.Fill("current_password", apptest.Anna.Password)
				leaves("/account/password/check", change)
				refused("/account/password", change)
				s.Post("/sign-out", nil)
				token := apptest.Fill("token", s.TokenOf(verify))
				leaves("/verify-email/password/check", token)
				refused("/verify-email/password", token)
				token = apptest.Fill("token", s.ResetToken(apptest.Anna.Email))
				leaves("/reset-password/check", token)
				refused("/reset-password", token)

				service.stop()
				taken := http.StatusUnprocessableEntity
				if !offline {
					taken = http.StatusSeeOther
				}
				s.Post("/reset-password", apptest.With(token, "password", apptest.BreachedPassword, "confirm_password", apptest.BreachedPassword)).Wants(taken)
				if got := len(s.Logged("password not compared with breached ones")); (got == 1) == offline {
					t.Errorf("%d lines say that the service doesn't answer", got)
				}
			})
		})
	}
}

// rangeService is a service that knows one password.
type rangeService struct {
	suffix string

	mu      sync.Mutex
	asked   int
	stopped bool
}

func (s *rangeService) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.stopped {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintln(w, s.suffix+":12")
}

func (s *rangeService) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *rangeService) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}
