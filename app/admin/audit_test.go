package admin_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// happened returns what the rows of an audit log say.
func happened(a *apptest.Answer) (rows []string) {
	a.Find("#events > li:has(strong), body > li:has(strong), li:has(strong)").Each(func(_ int, s apptest.Selection) {
		rows = append(rows, strings.Join(strings.Fields(s.Find("strong").Text()), " "))
	})
	return rows
}

// TestAudit wants the audit log of everybody, newest first, with who did what to whom from
// where, and each filter to find its part.
func TestAudit(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		anna := s.User(apptest.Anna.Username)
		path := "/admin/people/" + anna.ID.String()
		v.Post(path+"/end-sessions", apptest.Fill("reason", "Ticket <4711>")).LeadsTo(path)
		gone := s.Visit(t)
		gone.Join(apptest.Ben)
		ben := s.User(apptest.Ben.Username)
		if err := db.DeleteUser(t.Context(), ben); err != nil {
			t.Fatal(err)
		}

		page := v.Get("/admin/audit").Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store")
		page.Says("account a deleted user").Says("by the operator Pat Smith (admin)").Says("reason: Ticket <4711>").Says("in Acme").Says("from 127.0.0.1")
		if page.Find(`#events a[href="`+path+`"]`).Length() == 0 || page.Find(`#events a[href="/admin/audit?person=`+ben.ID.String()+`"]`).Length() == 0 {
			page.Failf("it leads to no person")
		}
		for query, want := range map[string][]string{
			"":                                   {"Signed up", "Signed out of all devices", "Signed up", "Created the organization Acme", "Signed up"},
			"kind=sign-ins":                      {"Signed up", "Signed out of all devices", "Signed up", "Signed up"},
			"kind=settings":                      {"Created the organization Acme"},
			"kind=settings&days=7":               {"Created the organization Acme"},
			"kind=refused":                       nil,
			"kind=nonsense&days=-1&by=nonsense":  {"Signed up", "Signed out of all devices", "Signed up", "Created the organization Acme", "Signed up"},
			"by=operators":                       {"Signed out of all devices"},
			"by=others&kind=settings":            {"Created the organization Acme"},
			"by=operators&kind=settings":         nil,
			"by=operators&kind=sign-ins":         {"Signed out of all devices"},
			"organization=acme":                  {"Created the organization Acme"},
			"organization=nowhere":               nil,
			"person=" + ben.ID.String():          {"Signed up"},
			"person=benjamin":                    nil, // not any more
			"person=ANNA.smith":                  {"Signed out of all devices", "Created the organization Acme", "Signed up"},
			"person=anna@example.com&days=30":    {"Signed out of all devices", "Created the organization Acme", "Signed up"},
			"person=" + apptest.Nth(1).Username:  {"Signed out of all devices", "Signed up"},
			"person=anna.smith&by=operators":     {"Signed out of all devices"},
			"person=anna.smith&kind=sign-ins":    {"Signed out of all devices", "Signed up"},
			"person=anna":                        nil, // not all of it
			"person=nobody&organization=acme":    nil,
			"person=anna.smith&organization=":    {"Signed out of all devices", "Created the organization Acme", "Signed up"},
			"person=%00&organization=%FF&days=7": {"Signed up", "Signed out of all devices", "Signed up", "Created the organization Acme", "Signed up"},
		} {
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				got := happened(v.Get("/admin/audit?"+query, options...).Wants(http.StatusOK).Harmless())
				got = slices.DeleteFunc(got, func(row string) bool { return strings.HasPrefix(row, "Looked at") }) // by this test
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s finds %q, want %q", query, got, want)
				}
			}
		}
		v.Get("/admin/audit?person=nobody").Says("No account has this username, email address or ID.")
		acme := s.First.OrganizationID.String()
		if page := v.Get("/admin/audit?organization=" + acme); page.Find(`#events .hint a[href="/admin/organizations/`+acme+`"]`).Length() == 0 {
			page.Failf("no event leads to its organization")
		}
		v.Get("/admin/audit?organization=nowhere").Says("No organization has this address or ID.")
		looks := 0
		for _, e := range s.Events() {
			if e.Kind == models.EventLooked && e.UserID == anna.ID && e.OperatorRole == models.OperatorAdmin {
				looks++
			}
		}
		if looks != 10 {
			t.Errorf("%d looks at what one person did are recorded", looks)
		}
	})
}

// TestAuditOfImpersonation wants what an operator did as somebody else to be found by either.
func TestAuditOfImpersonation(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		s.Visit(t).Join(apptest.Anna)
		v.Impersonate(apptest.Anna.Username)
		v.Post("/admin/impersonation/stop", nil).Wants(http.StatusSeeOther)
		anna, operator := s.User(apptest.Anna.Username).ID, s.User(apptest.Nth(1).Username).ID
		e := models.Event{Kind: models.EventProfileChanged, UserID: anna, ActorID: anna, OperatorID: operator, OperatorRole: models.OperatorAdmin, IP: "203.0.113.7"}
		if err := db.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{"person=anna.smith": 1, "person=" + apptest.Nth(1).Username: 1, "person=anna.smith&by=operators": 1, "person=" + apptest.Nth(1).Username + "&by=others": 0} {
			rows := happened(v.Get("/admin/audit?" + query).Wants(http.StatusOK))
			n := len(slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return row != "Updated profile" }))
			if n != want {
				t.Errorf("%s finds %q", query, rows)
			}
			if want > 0 && !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, "Impersonation started") }) {
				t.Errorf("%s finds no beginning of it in %q", query, rows)
			}
		}
		v.Get("/admin/audit?person=anna.smith").Says("by the operator Pat Smith (admin) as Anna Smith")
	})
}

// TestAuditPages leafs through the log by each filter, and wants every event once.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		id := s.User(apptest.Anna.Username).ID
		kinds := []string{models.EventSignIn, models.EventSignOut, models.EventPasskeyAdded}
		for i := range 90 {
			e := models.Event{Kind: kinds[i%3], UserID: id, ActorID: id, IP: "203.0.113.7"}
			if i%2 == 1 {
				e.UserID, e.OperatorRole = uuid.New(), models.OperatorSupport
			}
			if err := db.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for query, want := range map[string]int{"": 91, "kind=sign-ins": 61, "by=operators": 45, "person=anna.smith&kind=account": 30, "by=others&days=7": 46} {
			n, pages := 0, 0
			for path := "/admin/audit?" + query; path != ""; pages++ {
				page := v.Get(path).Wants(http.StatusOK)
				n += len(slices.DeleteFunc(happened(page), func(row string) bool { return strings.HasPrefix(row, "Looked at") }))
				path = page.Find("#events > li:last-child > a.quiet").AttrOr("href", "")
			}
			if n != want || pages != (want+20)/20 && pages != (want+19)/20 {
				t.Errorf("%d pages of %q have %d events, want %d", pages, query, n, want)
			}
		}
	})
}

// TestAuditExport downloads what the filter finds, as CSV that no spreadsheet runs and as
// JSON, and wants that to be recorded.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		anna := s.User(apptest.Anna.Username)
		for i, agent := range []string{`=HYPERLINK("http://evil.example")`, "+1", "-1", "@SUM(1)", "Mozilla, \"quoted\""} {
			e := models.Event{Kind: models.EventSignInFailed, UserID: anna.ID, IP: fmt.Sprint("203.0.113.", i), UserAgent: agent}
			if err := db.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		for range 500 { // more than are read at a time
			if err := db.Record(t.Context(), models.Event{Kind: models.EventCodeFailed, IP: "203.0.113.7"}); err != nil {
				t.Fatal(err)
			}
		}
		page := v.Get("/admin/audit?kind=refused&days=7")
		link := page.Find(`#exports a[href^="/admin/audit.csv"]`).AttrOr("href", "")
		if link != "/admin/audit.csv?days=7&kind=refused" {
			page.Failf("the export is at %q", link)
		}
		a := v.Get(link).Wants(http.StatusOK).WantsHeader("Content-Type", "text/csv; charset=utf-8").WantsHeader("Content-Disposition", `attachment; filename="audit.csv"`)
		rows, err := csv.NewReader(strings.NewReader(a.Body)).ReadAll()
		if err != nil || len(rows) != 506 {
			t.Fatalf("the CSV has %d rows (%v)", len(rows), err)
		}
		column := slices.Index(rows[0], "user_agent")
		for i, row := range rows[501:] { // the newest first
			if want := []string{"Mozilla, \"quoted\"", "'@SUM(1)", "'-1", "'+1", `'=HYPERLINK("http://evil.example")`}[i]; row[column] != want || row[3] != "anna.smith" {
				t.Errorf("row %d has %q and the person %q, want %q", i, row[column], row[3], want)
			}
		}
		e := s.Events()[len(s.Events())-1]
		if e.Kind != models.EventAuditExported || e.OperatorRole != models.OperatorAdmin || e.Detail.Log != "refused attempts, last 7 days" {
			t.Errorf("the export is recorded as %+v", e)
		}

		a = v.Get("/admin/audit.json?person=anna.smith").Wants(http.StatusOK).WantsHeader("Content-Type", "application/json; charset=utf-8")
		var events []map[string]any
		if err := json.Unmarshal([]byte(a.Body), &events); err != nil || len(events) != 8 || events[0]["kind"] != models.EventAuditExported || events[7]["kind"] != models.EventSignUp {
			t.Errorf("the JSON has %d events (%v)", len(events), err)
		}
		v.Get("/admin/audit.json?person=nobody").Wants(http.StatusNotFound)
		if a := s.Get("/account/activity"); strings.Contains(a.Body, "Audit log exported") {
			a.Failf("a person sees that their events were exported")
		}

		support := s.Operator(apptest.Nth(2), models.OperatorSupport)
		if page := support.Get("/admin/audit").Wants(http.StatusOK); page.Find(`a[href^="/admin/audit.csv"]`).Length() != 0 {
			page.Failf("it offers an export to support")
		}
	})
}
