package web_test

import (
	"net/http"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

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
