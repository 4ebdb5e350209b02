package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"vestibule/app/apptest"
	"vestibule/app/auth"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestProveNeedsTheSession proves a factor on a route where nobody has looked who asks.
func TestProveNeedsTheSession(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		anna, k := s.User("anna.smith"), s.App.Kit
		sessions := s.Dump("sessions")
		for name, read := range map[string]bool{"below": true, "above": false} {
			e := gin.New()
			e.Use(k.Begin)
			if read {
				e.Use(k.Handle(k.Session))
			}
			var proved *auth.Proved
			e.POST("/", k.Handle(func(c *gin.Context) (err error) {
				proved, err = auth.Handlers{Kit: k}.Prove(c, auth.Step{
					Factor: models.FactorPassword, Kind: models.EventSignIn, Trust: true,
					Prepare: func(*models.DB) (*models.User, error) { return anna, nil },
				})
				if read || err == nil {
					return err
				}
				return errors.Join(models.ErrNotFound, err) // or the log would have an error
			}))
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
			if (proved != nil) != read || (s.Dump("sessions") != sessions) != read {
				t.Errorf("%s: it answers %d, and proved %+v", name, w.Code, proved)
			}
			sessions = s.Dump("sessions")
		}
		// A first factor alone trusts no browser: it would stand in for a factor that is added later.
		if trusted, err := db.Bun().NewSelect().Table("browsers").Where("trusted_until IS NOT NULL").Count(t.Context()); err != nil || trusted > 0 {
			t.Errorf("%d browsers are trusted (%v)", trusted, err)
		}
	})
}
