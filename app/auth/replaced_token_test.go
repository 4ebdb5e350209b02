package auth_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// confirms gives the password again.
func confirms(v *apptest.Visitor, options ...apptest.Option) *apptest.Answer {
	v.T.Helper()
	return v.Post("/account/email", apptest.Fill("sudo", "open", "current_password", apptest.Anna.Password), options...)
}

// replaced signs Anna in and replaces her token. It returns the one before.
func replaced(s *apptest.Site) (old string) {
	s.T.Helper()
	s.Join(apptest.Anna)
	old = s.Cookie("session")
	s.AgePassword()
	confirms(s.Visitor).LeadsTo("/account/email")
	if s.Cookie("session") == old {
		s.T.Fatal("the token is not replaced")
	}
	return old
}

// holding opens a browser that has the token.
func holding(s *apptest.Site, token string) *apptest.Visitor {
	v := s.Visit(s.T)
	v.SetCookie("session", token)
	return v
}

// TestPagesOpenWhileTheTokenIsReplaced opens pages in many tabs while one confirms the
// password. Their requests carry the old token, and some arrive after the new one exists.
func TestPagesOpenWhileTheTokenIsReplaced(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.AgePassword()
		old := s.Cookie("session")
		var tabs sync.WaitGroup
		var opened atomic.Int64
		var stop atomic.Bool
		defer stop.Store(true)
		for range 4 {
			tabs.Go(func() {
				for tab := holding(s, old); !stop.Load(); opened.Add(1) {
					tab.Get("/account").Wants(http.StatusOK).Keeps("session")
					tab.Get("/dashboard", apptest.HTMX).Wants(http.StatusOK).Keeps("session")
				}
			})
		}
		confirms(s.Visitor).LeadsTo("/account/email")
		so := opened.Load()
		apptest.Eventually(t, func() bool { return opened.Load() > so+8 }) // each tab has read the replaced token
		stop.Store(true)
		tabs.Wait()
		if s.Get("/account/email").Wants(http.StatusOK); s.Cookie("session") == old {
			t.Error("the token is not replaced")
		}
	})
}

// TestManyConfirmAtOnce sends the password from several tabs at the same time. One answer
// has the new token, and all go on.
func TestManyConfirmAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const tabs = 2 // as many as may wait for a hash
		together := new(together)
		db.Bun().AddQueryHook(together) //lint:ignore SA1019 a copy, as WithQueryHook makes, would not see the application's queries
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.AgePassword()
		together.expect(tabs)
		var group sync.WaitGroup
		var tokens atomic.Int64
		for range tabs {
			tab := holding(s, s.Cookie("session"))
			group.Go(func() {
				if c := confirms(tab).LeadsTo("/account/email").Sets("session"); c != nil {
					tokens.Add(1)
					s.SetCookie("session", c.Value) // the tabs share their cookies
				}
			})
		}
		group.Wait()
		if n := tokens.Load(); n != 1 {
			t.Errorf("%d answers have a new token, want 1", n)
		}
		s.Age("replaced_at", time.Now().Add(-time.Hour))
		s.Get("/account/email").Wants(http.StatusOK).Keeps("session")
	})
}

// together makes requests that replace a token wait for each other, once they have read
// the session.
type together struct {
	left atomic.Int64
	all  sync.WaitGroup
}

func (h *together) expect(requests int) { h.all.Add(requests); h.left.Store(int64(requests)) }

func (h *together) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

// AfterQuery doesn't wait at the replacement itself: it is in a transaction, and SQLite
// has one at a time.
func (h *together) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if strings.HasPrefix(e.Query, "SELECT") && strings.Contains(e.Query, `"sessions"`) && h.left.Add(-1) >= 0 {
		h.all.Done()
		h.all.Wait()
	}
}

// TestConfirmedInAnotherTab confirms the password in two tabs, one after the other. The
// second form goes on as the first did.
func TestConfirmedInAnotherTab(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.AgePassword()
		asked := map[string]*apptest.Answer{}
		for path := range sensitive {
			asked[path] = asksForPassword(s.Get(path), path)
		}
		for path, page := range asked {
			s.Submit(page, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...).LeadsTo(path)
			s.Get(path).Wants(http.StatusOK)
		}
	})
}

// TestLostAnswer replaces the token in an answer that never arrives.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		v := holding(s, replaced(s))
		for range 2 { // lost again
			lost := holding(s, v.Cookie("session"))
			confirms(lost, options...).LeadsTo("/account/email")
			s.Age("replaced_at", time.Now().Add(-30*time.Second))
			v.Get("/account").Wants(http.StatusOK).Keeps("session")
			asksForPassword(v.Get("/account/email"), "/account/email")
		}
		confirms(v, options...).LeadsTo("/account/email")
		v.Get("/account/email").Wants(http.StatusOK)
		s.Age("replaced_at", time.Now().Add(-time.Hour))
		if !v.SignedIn() {
			t.Error("the person is signed out")
		}
	})
}

// TestReplacedTokenGivesLittle is what a thief has of a token that was replaced.
func TestReplacedTokenGivesLittle(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s *apptest.Site){
		"a minute":        func(s *apptest.Site) { s.Age("replaced_at", time.Now().Add(-time.Minute)) },
		"sign-out":        func(s *apptest.Site) { s.Post("/sign-out", nil).LeadsTo("/") },
		"new password":    func(s *apptest.Site) { s.ChangePassword().LeadsTo("/account") },
		"password reset":  func(s *apptest.Site) { reset(s) },
		"end of sessions": func(s *apptest.Site) { endAll(s) },
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				s := apptest.NewSite(t, db)
				defer func() { _, _ = db.Bun().NewDelete().Model((*models.User)(nil)).Where("TRUE").Exec(t.Context()) }()
				old := replaced(s)
				thief := holding(s, old)
				thief.Get("/account").Wants(http.StatusOK)
				for path := range sensitive {
					asksForPassword(thief.Get(path), path)
				}
				s.Age("expires_at", time.Now().Add(apptest.Day)) // half of the idle time has passed
				thief.Get("/account").Wants(http.StatusOK).Keeps("session")
				if s.Session().ExpiresAt.After(time.Now().Add(apptest.Day)) {
					t.Error("the old token renews the session")
				}
				end(s)
				thief.Get("/dashboard").LeadsTo("/sign-in").Keeps("session")
			})
		}
	})
}

func reset(s *apptest.Site) {
	s.T.Helper()
	s.Visit(s.T).Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", s.ResetToken(apptest.Anna.Email))).LeadsTo("/dashboard")
}

func endAll(s *apptest.Site) {
	s.T.Helper()
	if _, err := s.DB.EndAllSessions(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
}
