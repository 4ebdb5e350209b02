package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// payloads run as a script, or make an element named xss, where a page shows
// them without care.
var payloads = map[string]string{
	"script":          `<script>alert(1)</script>`,
	"image":           `<img src=x onerror=alert(1)>`,
	"out of a value":  `"><xss id=xss><"`,
	"single quotes":   `'><xss id=xss><'`,
	"attribute":       `" onfocus="alert(1)" autofocus id="xss`,
	"out of a title":  `</title></textarea></style></script><xss id=xss>`,
	"comment":         `--><xss id=xss><!--`,
	"SVG":             `<svg><script>alert(1)</script></svg>`,
	"link":            `javascript:alert(1)`,
	"encoded":         `&lt;xss id=xss&gt;&#60;xss&#62;`,
	"template":        `{{.User.PasswordHash}}`,
	"htmx":            `" hx-get="//evil.example" hx-trigger="load" id="xss`,
	"UTF-7":           `+ADw-xss id=xss+AD4-`,
	"wide":            "\uff1cxss id=xss\uff1e",
	"lines":           "a\r\nSet-Cookie: session=xss\r\n\r\n<xss id=xss>",
	"turned around":   "\u202e>ssx=di ssx<",
	"a mailed URL":    `https://evil.example/"onmouseover=alert(1)//<xss id=xss>`,
	"a very long one": strings.Repeat(`<xss id=xss>`, 1000),
}

// TestNothingStoredRuns writes payloads past every check into every column that
// holds what somebody typed or sent, and looks at every page.
func TestNothingStoredRuns(t *testing.T) {
	t.Parallel()
	columns := map[string][]string{
		"users":         {"username", "first_name", "last_name", "email"},
		"sessions":      {"ip", "user_agent"},
		"events":        {"kind", "ip", "user_agent"},
		"tokens":        {"email"},
		"organizations": {"name"}, // the slug is in the paths below
		"roles":         {"name"},
		"invitations":   {"email"},
		"identities":    {"provider", "name"},
	}
	paths := []string{
		"/", "/dashboard", "/account", "/account/sessions", "/account/activity", "/account/email", "/account/password", "/account/delete", "/account/connections",
		"/account/data", "/dev/mail", "/verify-email", "/no-such-page", "/sign-out",
		"/organizations", "/organizations/switcher", "/o/acme", "/o/acme/members", "/o/acme/invitations", "/o/acme/activity", "/o/acme/settings",
		"/o/acme/roles", "/o/acme/security", "/o/acme/transfer", "/o/acme/dissolve", "/o/acme/no-such-page",
	}
	for _, o := range ownedByOrganizations {
		columns[o.table] = o.fields
		paths = append(paths, "/o/acme/"+o.table)
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMemberWith("the.editor", "Editor", models.InviteMembers)
		s.Visit(t).Join(apptest.Ben)
		link := s.MailTo(apptest.Ben.Email, apptest.VerifySubject).Link
		if err := db.AddIdentity(t.Context(), s.User(apptest.Anna.Username), &models.Identity{Subject: "of anna"}, "Acme"); err != nil {
			t.Fatal(err)
		}
		s.Deliver()
		invitation := s.Invite("guest@example.com", "Member")
		ids := idsOf(s)
		paths := append(paths, link, invitation, "/o/acme/roles/"+ids["roles"])
		for _, o := range ownedByOrganizations {
			paths = append(paths, "/o/acme/"+o.table+"/"+ids[o.table])
		}
		for name, payload := range payloads {
			t.Run(name, func(t *testing.T) {
				for table, names := range columns {
					for _, column := range names {
						if _, err := db.Bun().ExecContext(t.Context(), "UPDATE ? SET ? = ?", bun.Ident(table), bun.Ident(column), payload); err != nil {
							t.Fatal(err)
						}
					}
				}
				s.SetTime("sessions", "authenticated_at", time.Now())
				seen := 0
				look := func(paths ...string) {
					for _, path := range paths {
						for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
							a := inert(s.Get(path, options...)).WantsHeader("Cache-Control", "no-store")
							if strings.Contains(a.Find("body").Text(), strings.TrimSpace(payload)) || a.Find("input").FilterFunction(func(_ int, input apptest.Selection) bool { return input.AttrOr("value", "") == payload }).Length() > 0 {
								seen++
							}
						}
					}
				}
				look(paths...)
				s.SetTime("sessions", "authenticated_at", time.Now().Add(-apptest.Day))
				look("/account/email", "/account/password", "/account/delete", "/o/acme/transfer", "/o/acme/dissolve")
				if name != "lines" && seen < 30 { // of which a page shows another white space
					t.Errorf("%d pages show it, so this test proves little", seen)
				}
			})
		}
	})
}

// inert wants an answer that holds no element, attribute or header of a payload.
func inert(a *apptest.Answer) *apptest.Answer {
	a.T.Helper()
	if kind := a.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/json") {
		if strings.ContainsAny(a.Body, "<>") || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment;") {
			a.Failf("%s with %v", a.Body, a.Header)
		}
		return a
	}
	a.Harmless()
	if n := a.Find("xss, #xss, [hx-get^='//'], [autofocus][onfocus], a[href*='evil.example\"']").Length(); n > 0 {
		a.Failf("%d elements of the payload in\n%s", n, a.Body)
	}
	if a.Sets("session") != nil || strings.Contains(a.Body, "$argon2id$") {
		a.Failf("it gives away\n%v %s", a.Cookies(), a.Body)
	}
	return a
}

// TestNothingTypedRuns gives every field of every form each payload.
func TestNothingTypedRuns(t *testing.T) {
	t.Parallel()
	forms := map[string][]string{
		"/sign-up":         {"username", "first_name", "last_name", "email", "password", "confirm_password"},
		"/sign-in":         {"login", "password"},
		"/sign-in/code":    {"email", "code"},
		"/forgot-password": {"email"},
		"/forgot-password/code": {
			"code"},
		"/reset-password": {"token", "password", "confirm_password"},
		"/recover":        {"email"},
		"/recover/start":  {"token"},
		"/recover/cancel": {"token"},
		"/recover/finish": {"token", "password", "confirm_password"},
		"/not-me":         {"token"},
		"/verify-email":   {"token", "password"},
		"/verify-email/password": {
			"token", "password", "confirm_password"},
		"/password-strength": {"username", "first_name", "email", "password"},
		"/sign-up/check?field=username": {
			"username", "first_name", "last_name", "email", "password", "confirm_password"},
		"/account":          {"username", "first_name", "last_name"},
		"/account/email":    {"email", "current_password"},
		"/account/password": {"current_password", "password", "confirm_password"},
		"/account/delete":   {"username", "current_password"},

		"/account/connections": {"provider"},

		"/organizations":                        {"name"},
		"/organizations/check?field=name":       {"name"},
		"/o/acme/settings":                      {"name", "slug"},
		"/o/acme/settings/check?field=slug":     {"name", "slug"},
		"/o/acme/security":                      {"from", "no_trust"},
		"/o/acme/roles":                         {"name", "permissions"},
		"/o/acme/roles/check?field=name":        {"name", "permissions"},
		"/o/acme/roles/ID":                      {"name", "permissions"},
		"/o/acme/members/ID/role":               {"role"},
		"/o/acme/invitations":                   {"email", "role"},
		"/o/acme/invitations/check?field=email": {"email", "role"},
		"/o/acme/transfer":                      {"member", "current_password"},
		"/o/acme/dissolve":                      {"slug", "current_password"},
	}
	pages := []string{"/o/acme", "/o/acme/members", "/o/acme/invitations", "/o/acme/roles", "/o/acme/activity", "/o/acme/settings"}
	for _, o := range ownedByOrganizations {
		path := "/o/acme/" + o.table
		forms[path], forms[path+"/check?field="+o.fields[0]], forms[path+"/ID"] = o.fields, o.fields, o.fields
		pages = append(pages, path)
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMemberWith("the.editor", "Editor", models.InviteMembers)
		ids := idsOf(s)
		for path, fields := range forms {
			t.Run(path, func(t *testing.T) {
				real := strings.Replace(path, "ID", ids[strings.Split(path+"///", "/")[3]], 1)
				for name, payload := range payloads {
					form := url.Values{}
					for _, field := range fields {
						form.Set(field, payload)
						if strings.Contains(field, "password") {
							form.Set(field, payload+" in secret") // which no page shows
						}
					}
					v := s.Visit(t)
					if strings.HasPrefix(path, "/account") || strings.HasPrefix(path, "/o") {
						v = s.Visitor
					}
					if strings.HasPrefix(path, "/o/acme/invitations") {
						form.Set("role", s.Role("Member").ID.String())
					}
					for _, options := range [][]apptest.Option{nil, {apptest.HTMX, apptest.Header("HX-Current-URL", s.URL+"/"+url.PathEscape(payload))}} {
						a := inert(v.Post(real, form, options...))
						if a.StatusCode >= 500 {
							t.Errorf("%s: %s", name, a.Status)
						}
					}
					inert(v.Get("/")) // with the toast, if there is one
				}
				s.Post("/account", apptest.Anna.Form()) // the name may be a payload now
				for _, page := range pages {
					inert(s.Get(page).Wants(http.StatusOK))
				}
			})
		}
		for _, u := range s.Users() {
			if strings.ContainsAny(u.Username+u.Email+u.FirstName+u.LastName, "\r\n\u202e") {
				t.Errorf("stored is %+v", u)
			}
		}
	})
}

// idsOf returns the id of the role Editor, that of the membership of the.editor, and
// those of new rows of every other table, by the part of the path that they follow.
func idsOf(s *apptest.Company) map[string]string {
	s.T.Helper()
	ids := map[string]string{"roles": s.Role("Editor").ID.String(), "members": s.Membership("the.editor").ID.String()}
	for _, o := range ownedByOrganizations {
		ids[o.table] = o.create(s).String()
	}
	return ids
}

// TestFormsTakeTheirOwnFieldsAlone adds a field for each column that somebody may want
// to write to forms that have none for it. Nothing of it is stored.
func TestFormsTakeTheirOwnFieldsAlone(t *testing.T) {
	t.Parallel()
	const evil, evilID, evilTime, evilEmail = "evil-text", "0199e71e-0000-7000-8000-00000000e71e", "2001-02-03", "evil@evil.example"
	columns := map[string]string{
		"id": evilID, "user_id": evilID, "organization_id": evilID, "author_id": evilID, "inviter_id": evilID, "role_id": evilID,
		"created_at": evilTime, "updated_at": evilTime, "verified_at": evilTime, "disabled_at": evilTime, "expires_at": evilTime, "unconfirmed_since": evilTime,
		"kind": evil, "password_hash": evil, "token_hash": evil, "username_key": evil, "name_key": evil, "search_key": evil,
		"email_key": evilEmail, "email": evilEmail, "username": evil, "first_name": evil, "slug": evil, "role": evilID, "title": evil,
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		s.AddMemberWith("the.editor", "Editor", models.InviteMembers)
		ids, member := idsOf(s), s.Role("Member").ID.String()
		forms := map[string]url.Values{
			"/account":                      apptest.Anna.Form(),
			"/account/email":                apptest.Fill("email", "new@example.com", "current_password", apptest.Anna.Password),
			"/account/password":             apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", apptest.Anna.Password),
			"/organizations":                apptest.Fill("name", "Beta", "slug", "beta"),
			"/o/acme/settings":              apptest.Fill("name", "Acme Ltd", "slug", "acme"),
			"/o/acme/roles":                 apptest.Fill("name", "Reader"),
			"/o/acme/roles/" + ids["roles"]: apptest.Fill("name", "Writer", "permissions", string(models.SeeActivity)),
			"/o/acme/members/" + ids["members"] + "/role": apptest.Fill("role", member),
			"/o/acme/invitations":                         apptest.Fill("email", "guest@example.com", "role", member),
		}
		for _, o := range ownedByOrganizations {
			for _, path := range []string{"/o/acme/" + o.table, "/o/acme/" + o.table + "/" + ids[o.table]} {
				forms[path] = url.Values{}
				for _, field := range o.fields {
					forms[path].Set(field, "Lunch")
				}
			}
		}
		for _, path := range slices.Sorted(maps.Keys(forms)) { // the password changes last of what needs it
			form := forms[path]
			t.Run(path, func(t *testing.T) {
				before := s.Everything()
				for column, value := range columns {
					if !form.Has(column) {
						form.Set(column, value)
					}
				}
				if a := s.Post(path, form); a.StatusCode >= http.StatusBadRequest {
					a.Failf("the form is refused")
				}
				all := s.Everything()
				if all == before && path != "/account" {
					t.Error("the form does nothing, so this test proves little")
				}
				for _, value := range []string{evil, evilID, evilTime, evilEmail} {
					if strings.Contains(all, value) {
						t.Errorf("%s is stored", value)
					}
				}
			})
		}
	})
}

// TestLineBreaksInHeaders sends lines of a header within each that the site
// reads. None comes back as a header, or as a line of the log.
func TestLineBreaksInHeaders(t *testing.T) {
	t.Parallel()
	const lines = "x\r\nSet-Cookie: session=evil\r\nX-Evil: 1\r\n\r\n<html>evil"
	names := []string{
		"Host", "Origin", "Referer", "User-Agent", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "X-Request-Id",
		"HX-Current-URL", "HX-Request", "HX-Target", "HX-Trigger", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Accept", "Accept-Language", "If-None-Match", "Range",
	}
	requests := []struct{ method, path, body string }{
		{"GET", "/", ""}, {"GET", "/dashboard", ""}, {"GET", "/account?x=1", ""}, {"GET", "/no-such-page", ""}, {"GET", "/favicon.ico", ""}, {"POST", "/sign-out", ""},
		{"POST", "/sign-in", apptest.Anna.Credentials().Encode()}, {"POST", "/sign-in?next=" + url.QueryEscape("/"+lines), apptest.Anna.Credentials().Encode()}, {"POST", "/account", apptest.Anna.Form().Encode()},
		{"GET", "/o/acme/members?q=" + url.QueryEscape(lines), ""}, {"POST", "/organizations", apptest.Fill("name", lines).Encode()},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				for _, request := range requests {
					for _, value := range []string{lines, "https://example.com/" + lines, "//evil.example/"} {
						r := httptest.NewRequest(request.method, request.path, strings.NewReader(request.body))
						r.Header["Content-Type"] = []string{apptest.FormType}
						r.Header[name] = []string{value}
						if name == "Host" {
							r.Host = value
						}
						w := s.Serve(r)
						if w.Code >= 500 {
							t.Errorf("%s %s: %d", request.method, request.path, w.Code)
						}
						for header, values := range w.Header() {
							if all := strings.Join(values, ""); header == "X-Evil" || strings.ContainsAny(header+all, "\r\n") || strings.Contains(all, "evil") && header != "Location" {
								t.Errorf("%s %s answers with %s: %q", request.method, request.path, header, values)
							}
						}
						if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
							t.Errorf("%s %s leads to %q", request.method, request.path, to)
						}
						if strings.Contains(w.Body.String(), "<html>evil") {
							t.Errorf("%s %s shows %s", request.method, request.path, w.Body)
						}
					}
				}
			})
		}
		s.Log.Lines(t) // each is one JSON object
	})
}

// TestPlantedCookies plants a session into a browser before somebody signs in
// with it: whoever planted it learns nothing.
func TestPlantedCookies(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Visit(t).Join(apptest.Anna)
		dead := s.Visit(t)
		dead.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		ended := dead.Cookie("session")
		dead.Post("/sign-out", nil).LeadsTo("/")
		for name, planted := range map[string]string{"unknown": strings.Repeat("A", 43), "ended": ended, "malformed": "evil", "empty": ""} {
			for way, enter := range map[string]func(v *apptest.Visitor){
				"sign-in": func(v *apptest.Visitor) { v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard") },
				"sign-up": func(v *apptest.Visitor) {
					v.JoinAs(apptest.With(apptest.Ben.Form(), "username", "ben-"+name, "email", name+"@example.com"))
				},
			} {
				t.Run(name+" at "+way, func(t *testing.T) {
					v, thief := s.Visit(t), s.Visit(t)
					v.SetCookie("session", planted)
					thief.SetCookie("session", planted)
					enter(v)
					if token := v.Cookie("session"); token == planted || len(token) != 43 {
						t.Errorf("the session is %q", token)
					}
					if !v.SignedIn() || thief.SignedIn() {
						t.Error("the planted cookie opens the account, or nothing does")
					}
				})
			}
		}
		t.Run("of the thief", func(t *testing.T) {
			v, thief := s.Visit(t), s.Visit(t)
			thief.Join(apptest.Ben)
			v.SetCookie("session", thief.Cookie("session"))
			v.Post("/sign-out", nil).LeadsTo("/")
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
			if v.Cookie("session") == thief.Cookie("session") || thief.SignedIn() || !v.SignedIn() {
				t.Error("the session is shared")
			}
		})
	})
}

// TestTwoCookiesOfOneName sends two sessions at once, as after another host of
// the domain has set one. By https the browser's prefix keeps that out.
func TestTwoCookiesOfOneName(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		other := s.Visit(t)
		other.Join(apptest.Ben)
		annas, bens := s.Cookie("session"), other.Cookie("session")
		unknown := strings.Repeat("A", 43)
		for cookies, hello := range map[string]string{
			"session=" + annas + "; session=" + bens:                "Hello, Anna",
			"session=" + bens + "; session=" + annas:                "Hello, Ben",
			"session=" + annas + "; session=" + unknown:             "Hello, Anna",
			"session=" + unknown + "; session=" + annas:             "",
			"session=; session=" + annas:                            "",
			"__Host-session=" + annas:                               "",
			"Session=" + annas:                                      "",
			`session="` + annas + `"`:                               "Hello, Anna",
			"x=1; session=" + annas + "; toast=welcome; y=\"":       "Hello, Anna",
			strings.Repeat("session=x; ", 500) + "session=" + annas: "",
		} {
			v := s.Visit(t)
			cookies = strings.ReplaceAll(cookies, "ession=", s.CookieName("ession")+"=")
			a := v.Get("/dashboard", apptest.Header("Cookie", cookies))
			if got := a.Text("h1"); a.StatusCode == http.StatusOK && got != hello || a.StatusCode != http.StatusOK && hello != "" {
				t.Errorf("%.200q is %d with %q, want %q", cookies, a.StatusCode, got, hello)
			}
		}
	})
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OverHTTPS)
		s.Join(apptest.Anna)
		other := s.Visit(t)
		other.Join(apptest.Ben)
		annas, bens := s.Cookie("__Host-session"), other.Cookie("__Host-session")
		for cookies, hello := range map[string]string{
			"session=" + bens: "", "__host-session=" + bens: "", "__Secure-session=" + bens: "", "__Host-Session=" + bens: "",
			"session=" + bens + "; __Host-session=" + annas: "Hello, Anna", "__Host-session=" + annas + "; session=" + bens: "Hello, Anna",
		} {
			a := s.Visit(t).Get("/dashboard", apptest.Header("Cookie", cookies))
			if got := a.Text("h1"); a.StatusCode == http.StatusOK && got != hello || a.StatusCode != http.StatusOK && hello != "" {
				t.Errorf("by https %q is %d with %q, want %q", cookies, a.StatusCode, got, hello)
			}
		}
		for _, toast := range []string{"<script>alert(1)</script>", "Your account is hacked", "welcome; session=x", fmt.Sprint(payloads)} {
			a := inert(s.Get("/dashboard", apptest.Header("Cookie", "__Host-session="+annas+"; __Host-toast="+url.QueryEscape(toast))).Wants(http.StatusOK))
			if got := a.Text("#toasts"); got != "" {
				t.Errorf("a planted toast says %q", got)
			}
		}
	})
}
