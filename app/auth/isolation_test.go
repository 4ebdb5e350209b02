package auth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// Sign-ups at the same moment count in the same row. That works in the isolation
// "read committed", which the role need not have as its default.
func TestSignUpsAtOnceInAnyIsolation(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			dsn := modelstest.PostgreSQL(t)
			u, err := url.Parse(dsn)
			if err != nil {
				t.Fatal(err)
			}
			query := fmt.Sprintf("ALTER ROLE CURRENT_USER IN DATABASE %s SET default_transaction_isolation = '%s'", strings.TrimPrefix(u.Path, "/"), isolation)
			if _, err := modelstest.Open(t, dsn).Bun().DB.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
			s := apptest.NewSite(t, modelstest.Open(t, dsn))
			var group sync.WaitGroup
			for i := range 16 {
				name := fmt.Sprintf("person-%02d", i)
				form := apptest.With(apptest.Ben.Form(), "username", name, "email", name+"@example.com")
				group.Go(func() {
					if a := s.Visit(t).Post("/sign-up", form); a.StatusCode != http.StatusSeeOther {
						t.Errorf("%s gets %d", name, a.StatusCode)
					}
				})
			}
			group.Wait()
		})
	}
}
