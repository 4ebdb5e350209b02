package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// operatorRules are the operators' roles that may use each of their routes. A route without
// a rule fails the test.
var operatorRules = map[string]models.OperatorRole{
	"GET /admin":            models.OperatorSupport,
	"GET /admin/people":     models.OperatorSupport,
	"GET /admin/people/:id": models.OperatorSupport,

	"GET /admin/organizations":               models.OperatorSupport,
	"GET /admin/organizations/:id":           models.OperatorSupport,
	"GET /admin/organizations/:id/transfer":  models.OperatorAdmin,
	"POST /admin/organizations/:id/transfer": models.OperatorAdmin,
	"GET /admin/organizations/:id/delete":    models.OperatorAdmin,
	"POST /admin/organizations/:id/delete":   models.OperatorAdmin,

	"GET /admin/sessions":          models.OperatorSupport,
	"GET /admin/sessions/:id/end":  models.OperatorSupport,
	"POST /admin/sessions/:id/end": models.OperatorSupport,

	"GET /admin/invitations":             models.OperatorSupport,
	"GET /admin/invitations/:id/revoke":  models.OperatorAdmin,
	"POST /admin/invitations/:id/revoke": models.OperatorAdmin,

	"GET /admin/throttles":           models.OperatorSupport,
	"GET /admin/throttles/:id/lift":  models.OperatorSupport,
	"POST /admin/throttles/:id/lift": models.OperatorSupport,

	"GET /admin/audit":      models.OperatorSupport,
	"GET /admin/audit.csv":  models.OperatorAdmin,
	"GET /admin/audit.json": models.OperatorAdmin,

	"GET /admin/mail":            models.OperatorSupport,
	"GET /admin/mail/:id":        models.OperatorSupport,
	"GET /admin/mail/:id/retry":  models.OperatorAdmin,
	"POST /admin/mail/:id/retry": models.OperatorAdmin,
	"GET /admin/mail/:id/drop":   models.OperatorAdmin,
	"POST /admin/mail/:id/drop":  models.OperatorAdmin,

	"GET /admin/tables":                      models.OperatorAdmin,
	"GET /admin/tables/:name":                models.OperatorAdmin,
	"GET /admin/tables/sessions/:id/delete":  models.OperatorAdmin,
	"POST /admin/tables/sessions/:id/delete": models.OperatorAdmin,

	"GET /admin/people/:id/end-sessions":       models.OperatorSupport,
	"POST /admin/people/:id/end-sessions":      models.OperatorSupport,
	"GET /admin/people/:id/unlock":             models.OperatorSupport,
	"POST /admin/people/:id/unlock":            models.OperatorSupport,
	"GET /admin/people/:id/send-reset":         models.OperatorSupport,
	"POST /admin/people/:id/send-reset":        models.OperatorSupport,
	"GET /admin/people/:id/send-confirmation":  models.OperatorSupport,
	"POST /admin/people/:id/send-confirmation": models.OperatorSupport,
	"GET /admin/people/:id/email":              models.OperatorAdmin,
	"POST /admin/people/:id/email":             models.OperatorAdmin,
	"GET /admin/people/:id/own":                models.OperatorAdmin,
	"POST /admin/people/:id/own":               models.OperatorAdmin,
	"GET /admin/people/:id/export":             models.OperatorAdmin,
	"POST /admin/people/:id/export":            models.OperatorAdmin,
	"GET /admin/people/:id/reset-factors":      models.OperatorAdmin,
	"POST /admin/people/:id/reset-factors":     models.OperatorAdmin,
	"GET /admin/people/:id/disable":            models.OperatorAdmin,
	"POST /admin/people/:id/disable":           models.OperatorAdmin,
	"GET /admin/people/:id/enable":             models.OperatorAdmin,
	"POST /admin/people/:id/enable":            models.OperatorAdmin,
	"GET /admin/people/:id/delete":             models.OperatorAdmin,
	"POST /admin/people/:id/delete":            models.OperatorAdmin,
	"GET /admin/people/:id/impersonate":        models.OperatorAdmin,
	"POST /admin/people/:id/impersonate":       models.OperatorAdmin,
	"POST /admin/impersonation/stop":           models.OperatorSupport,
}

// TestOperatorRoles tries each of the operator's routes as nobody, as a user, as support and
// as an admin. To the first two it is an unknown page.
func TestOperatorRoles(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		support := s.Operator(apptest.Nth(1), models.OperatorSupport)
		admin := s.Operator(apptest.Nth(2), models.OperatorAdmin)
		user := s.Visit(t)
		user.Join(apptest.Ben)
		asks := func(v *apptest.Visitor, method, path string) *apptest.Answer {
			if method == http.MethodGet {
				return v.Get(path)
			}
			return v.Post(path, url.Values{})
		}
		// unknown reduces an answer to what a stranger could tell apart.
		unknown := func(a *apptest.Answer) string {
			a.Wants(http.StatusNotFound)
			header := a.Header.Clone()
			for _, name := range []string{"Date", "X-Request-Id", "Content-Length"} {
				header.Del(name)
			}
			var lines []string
			for name, values := range header {
				lines = append(lines, name+": "+strings.Join(values, ", "))
			}
			slices.Sort(lines)
			body := strings.ReplaceAll(a.Body, a.Header.Get("X-Request-Id"), "")
			return strings.Join(lines, "\n") + strings.NewReplacer(a.Request.URL.Path, "", url.QueryEscape(a.Request.URL.Path), "").Replace(body)
		}
		seen := 0
		for _, route := range s.App.Routes() {
			name := route.Method + " " + route.Path
			if !strings.HasPrefix(route.Path, "/admin") {
				continue
			}
			seen++
			role, ok := operatorRules[name]
			if !ok {
				t.Errorf("%s has no rule", name)
				continue
			}
			path := strings.NewReplacer(":id", uuid.NewString(), ":name", "users").Replace(route.Path)
			for who, v := range map[string]*apptest.Visitor{"nobody": s.Visit(t), "a user": user} {
				if got, want := unknown(asks(v, route.Method, path)), unknown(asks(v, route.Method, "/no-such-page")); got != want {
					t.Errorf("%s shows itself to %s:\n%s\nwant\n%s", name, who, got, want)
				}
				for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPost} {
					if got, want := unknown(v.Send(method, path, nil)), unknown(v.Send(method, "/no-such-page", nil)); got != want {
						t.Errorf("%s %s shows itself to %s:\n%s\nwant\n%s", method, path, who, got, want)
					}
				}
			}
			if a := asks(support, route.Method, path); role == models.OperatorSupport {
				if a.StatusCode == http.StatusForbidden || a.StatusCode >= 500 {
					t.Errorf("%s isn't for support: %d", name, a.StatusCode)
				}
			} else {
				a.Wants(http.StatusForbidden).Says("Only operators with the role Admin can do this.")
			}
			if a := asks(admin, route.Method, path); a.StatusCode == http.StatusForbidden || a.StatusCode >= 500 {
				t.Errorf("%s isn't for an admin: %d", name, a.StatusCode)
			}
		}
		if seen != len(operatorRules) {
			t.Errorf("%d rules are of %d routes", len(operatorRules), seen)
		}
		user.Get("/dashboard").Wants(http.StatusOK)
		if a := user.Get("/dashboard"); a.Find(`a[href="/admin"]`).Length() != 0 {
			t.Error("the menu of a user leads to the operator's pages")
		}
		if a := support.Get("/dashboard"); a.Find(`#account-menu a[href="/admin"]`).Length() != 1 {
			t.Error("the menu of an operator doesn't lead to their pages")
		}
	})
}

// TestOperatorProvesWho wants a second factor and a fresh proof before the operator's pages.
func TestOperatorProvesWho(t *testing.T) {
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		v.Get("/admin").Wants(http.StatusOK).Page()
		s.AgePassword()
		asked := v.Get("/admin", options...).Wants(http.StatusForbidden)
		if asked.Find(apptest.SudoForm).Length() != 1 {
			asked.Failf("it asks for no password")
		}
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		other.Get("/admin", options...).Wants(http.StatusForbidden).Says("requires a second step")
	})
}

func TestOperatorPagesWithoutSecondFactor(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.AdminSecondFactor = false })
		s.Operator(apptest.Anna, models.OperatorSupport)
		other := s.Visit(t)
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		other.Get("/admin").Wants(http.StatusOK)
	})
}

// TestAdminNetworks wants the operator's pages only on ADMIN_ADDR and from ADMIN_NETWORKS.
func TestAdminNetworks(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.AdminNetworks, c.TrustedProxies = "203.0.113.0/24, 2001:db8::1", "127.0.0.1, ::1"
		})
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		for address, status := range map[string]int{
			"203.0.113.7": http.StatusOK, "2001:db8::1": http.StatusOK, "198.51.100.1": http.StatusNotFound,
			"2001:db8::2": http.StatusNotFound, "198.51.100.1, 203.0.113.7": http.StatusOK, "203.0.113.7, 198.51.100.1": http.StatusNotFound, "unknown": http.StatusNotFound,
		} {
			v.Get("/admin", apptest.Header("X-Forwarded-For", address)).Wants(status)
			if n := v.Get("/dashboard", apptest.Header("X-Forwarded-For", address)).Find(`a[href="/admin"]`).Length(); (n == 1) != (status == http.StatusOK) {
				t.Errorf("from %s the menu has %d links to the operator's pages", address, n)
			}
		}

		apart := apptest.NewSite(t, db, func(c *app.Config) { c.AdminAddr = "localhost:1" })
		ben := apart.Operator(apptest.Ben, models.OperatorSupport)
		ben.Get("/admin").Wants(http.StatusNotFound)
		for path, handler := range map[string]http.Handler{"/admin": apart.App.Desk(), "/dashboard": apart.App.Desk()} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
			r.RemoteAddr = netip.MustParseAddrPort("127.0.0.1:1234").String()
			r.AddCookie(&http.Cookie{Name: apart.CookieName("session"), Value: ben.Cookie("session")})
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="/admin"`) {
				t.Errorf("ADMIN_ADDR answers %s with %d", path, w.Code)
			}
		}
	})
}
