package web_test

import (
	"net/http"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestDeadLinksLeadOn opens mailed links that no longer work, as a guest, and signed in
// with an address that is confirmed or not. Each page has the way to a new link.
func TestDeadLinksLeadOn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		confirmed := s.Visit(t)
		confirmed.Join(apptest.Ben)
		confirmed.Submit(confirmed.Get(s.MailTo(apptest.Ben.Email, apptest.VerifySubject).Link), "form#verify", nil).LeadsTo("/dashboard")
		s.Join(apptest.Anna)
		visitors := map[string]*apptest.Visitor{"a guest": s.Visit(t), "not confirmed": s.Visitor, "confirmed": confirmed}
		const toSignIn = "/sign-in?next=%2Faccount%2Femail"
		for path, ways := range map[string]map[string]string{
			"/reset-password":        {"a guest": "/forgot-password", "not confirmed": "/forgot-password", "confirmed": "/forgot-password"},
			"/verify-email":          {"a guest": toSignIn, "not confirmed": "/account/verify", "confirmed": "/account/email"},
			"/verify-email/password": {"a guest": toSignIn, "not confirmed": "/account/verify", "confirmed": "/account/email"},
			"/invitation":            {"a guest": "/sign-in", "not confirmed": "/dashboard", "confirmed": "/dashboard"},
		} {
			for who, way := range ways {
				page := visitors[who].Get(path + "?token=dead").Gone().Page()
				first := page.Find("main .actions").Children().First()
				if got := first.AttrOr("href", first.AttrOr("action", "")); got != way {
					page.Failf("it leads %s to %q, want %q", who, got, way)
				}
			}
		}
		s.Deliver()
		s.SetTime("tokens", "created_at", time.Now().Add(-time.Minute))
		dead := s.Get("/verify-email?token=dead")
		s.Submit(dead, "main form", nil, apptest.Header("Referer", s.URL+"/verify-email?token=dead")).LeadsTo("/verify-email?token=dead")
		s.Get("/verify-email?token=dead").Gone().Says("Link sent")
		s.Visit(t).Post("/reset-password", apptest.Fill("token", "dead"), apptest.HTMX).Gone().Fragment(".toast.problem").Says("Ask for a new link")
	})
}

func TestErrorPagesLeadOn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for way, v := range map[string]*apptest.Visitor{"/dashboard": s.Visitor, "/": s.Visit(t)} {
			page := v.Get("/no-such-page").Wants(http.StatusNotFound).Page()
			if page.Find("main a.button").AttrOr("href", "") != way || page.Text("main .hint code") != page.Header.Get("X-Request-Id") {
				page.Failf("it leads to %q: %s", page.Find("main a.button").AttrOr("href", ""), page.Text("main"))
			}
		}
	})
}
