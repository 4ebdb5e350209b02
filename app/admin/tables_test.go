package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// cells returns a column of a table's page.
func cells(a *apptest.Answer, column string) (values []string) {
	n := 0
	a.Find("thead th").Each(func(i int, th apptest.Selection) {
		if name, _, _ := strings.Cut(strings.TrimSpace(th.Text()), ","); name == column {
			n = i + 1
		}
	})
	if n == 0 {
		a.Failf("there is no column %s", column)
	}
	a.Find(fmt.Sprintf("tbody td:nth-child(%d)", n)).Each(func(_ int, td apptest.Selection) { values = append(values, strings.TrimSpace(td.Text())) })
	return values
}

// TestTables opens each table, wants no secret on it, and follows its keys.
func TestTables(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		v := s.Operator(apptest.Nth(1), models.OperatorAdmin)
		s.Deliver()
		s.Post("/forgot-password", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		anna := s.User(apptest.Anna.Username)
		if err := db.AddAuthenticator(t.Context(), anna, &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("the secret of an app")}); err != nil {
			t.Fatal(err)
		}
		if err := db.AddPasskey(t.Context(), anna, &models.Passkey{CredentialID: []byte("the id of a key"), PublicKey: []byte("the key itself"), Name: "Key"}); err != nil {
			t.Fatal(err)
		}
		index := v.Get("/admin/tables").Wants(http.StatusOK).Page().Harmless()
		opened := 0
		index.Find("#tables a").Each(func(_ int, a apptest.Selection) {
			path := a.AttrOr("href", "")
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				page := v.Get(path, options...).Wants(http.StatusOK).Harmless()
				for _, secret := range []string{"$argon2id$", "746865206", "dGhlI", anna.PasswordHash} { // "the " in hex and base 64
					if strings.Contains(page.Body, secret) {
						page.Failf("it shows %s", secret)
					}
				}
			}
			e := s.Events()[len(s.Events())-1]
			if e.Kind != models.EventLooked || "/admin/tables/"+e.Detail.Table != path || e.UserID != uuid.Nil || e.OperatorRole != models.OperatorAdmin {
				t.Errorf("the look at %s is recorded as %+v", path, e)
			}
			opened++
		})
		if opened < 20 {
			t.Errorf("there are %d tables", opened)
		}

		users := v.Get("/admin/tables/users").Wants(http.StatusOK).Page().Says("anna.smith")
		for _, hidden := range cells(users, "password_hash") {
			if hidden != "hidden" {
				t.Errorf("a password hash shows %q", hidden)
			}
		}
		memberships := v.Get("/admin/tables/memberships").Wants(http.StatusOK)
		for column, want := range map[string]string{"user_id": "anna.smith", "organization_id": "Acme", "role_id": "Owner"} {
			key := cells(memberships, column)[0]
			link := memberships.Find(`tbody a:contains("`+key+`")`).AttrOr("href", "")
			v.Get(link).Wants(http.StatusOK).Says(want)
		}
		if e := s.Events()[len(s.Events())-1]; e.Kind != models.EventLooked {
			t.Errorf("the last event is %+v", e)
		}
		v.Get("/admin/tables/sessions?column=user_id&value=" + anna.ID.String()).Wants(http.StatusOK)
		if e := s.Events()[len(s.Events())-1]; e.UserID != anna.ID || e.Detail.Table != "sessions, by user_id" {
			t.Errorf("the look at one person's sessions is recorded as %+v", e)
		}

		for _, unknown := range []string{"nothing", "bun_migrations", "sqlite_master", "pg_authid", "users;drop table users", "USERS", `users"`, "users u"} {
			v.Get("/admin/tables/" + url.PathEscape(unknown)).Wants(http.StatusNotFound)
		}
	})
}

// TestEveryTable wants operators to see each table of the database, and each of its columns
// shown or hidden on purpose.
func TestEveryTable(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		query := "SELECT name FROM sqlite_master WHERE type = 'table'"
		if db.Postgres() {
			query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
		}
		var names []string
		if err := db.Bun().NewRaw(query).Scan(t.Context(), &names); err != nil {
			t.Fatal(err)
		}
		names = slices.DeleteFunc(names, func(name string) bool {
			return strings.HasPrefix(name, "bun_") || strings.HasPrefix(name, "sqlite_") || name == "migration_checksums"
		})
		for _, name := range names {
			if _, ok := s.App.Table(name); !ok {
				t.Errorf("the operator's pages lack the table %s: add it to models.Tables, or with AddTable where its feature lists its routes", name)
			}
		}
		if len(names) != len(s.App.Tables()) {
			t.Errorf("the database has %d tables, the operator's pages %d", len(names), len(s.App.Tables()))
		}
		for _, table := range s.App.Tables() {
			if unlisted := table.Unlisted(); len(unlisted) > 0 {
				t.Errorf("say where %s becomes a table whether operators see these columns: %s", table.Name, strings.Join(unlisted, ", "))
			}
		}
	})
}

// TestTableRows sorts, filters and pages through tables.
func TestTableRows(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorAdmin)
		const people = 120
		for i := range people {
			u := &models.User{Username: fmt.Sprintf("many%03d", i), Email: fmt.Sprintf("many%d@example.com", i), FirstName: "Quincy", LastName: fmt.Sprint(i % 7), PasswordHash: "x"}
			if i%2 == 0 {
				u.VerifiedAt = time.Date(2026, 1, 1+i/2%20, 12, 0, 0, 0, time.UTC)
			}
			if err := db.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		for _, query := range []string{"", "sort=id", "sort=-id", "sort=username", "sort=-last_name", "sort=verified_at", "sort=-verified_at", "sort=password_hash", "sort=nonsense"} {
			seen := map[string]bool{}
			pages := 0
			for path := "/admin/tables/users?" + query; path != ""; pages++ {
				page := v.Get(path).Wants(http.StatusOK)
				for _, id := range cells(page, "id") {
					seen[id] = true
				}
				path = page.Find("p.after > a").AttrOr("href", "")
			}
			if len(seen) != people+1 || pages != 3 {
				t.Errorf("%q: %d pages show %d of %d rows", query, pages, len(seen), people+1)
			}
		}
		for query, want := range map[string]string{"sort=username": "anna.smith", "sort=-username": "many119", "": "many119", "sort=id": "anna.smith", "sort=verified_at": "many000", "sort=-verified_at": "many118"} {
			if got := cells(v.Get("/admin/tables/users?"+query).Wants(http.StatusOK), "username"); got[0] != want {
				t.Errorf("%q begins with %s, want %s", query, got[0], want)
			}
		}
		for query, want := range map[string]int{
			"column=username&value=many007":                               1,
			"column=username&value=many":                                  0,
			"column=username&value=" + url.QueryEscape("' OR 1=1 --"):     0,
			"column=last_name&value=3":                                    17,
			"column=last_name&value=3&sort=-username":                     17,
			"column=verified_at&value=2026-01-01":                         3,
			"column=verified_at&value=2026-01-01T12:00:00Z":               3,
			"column=id&value=" + s.User("many007").ID.String():            1,
			"column=operator_role&value=admin":                            1,
			"column=password_hash&value=x":                                50, // no such filter
			"column=nonsense&value=x":                                     50,
			"column=username&value=":                                      50,
			"column=username":                                             50,
			"value=many007":                                               50,
			"sort=username&page=-1":                                       50,
			"sort=username&page=2":                                        21,
			"sort=username&page=99999999999999999999":                     50,
			"sort=username&page=5":                                        0,
			"after=nonsense":                                              50,
			"column=created_at&value=" + time.Now().Format(time.DateOnly): -1, // the day may change
		} {
			page := v.Get("/admin/tables/users?" + query).Wants(http.StatusOK).Harmless()
			if n := len(cells(page, "id")); n != want && want >= 0 {
				t.Errorf("%q finds %d rows, want %d", query, n, want)
			}
		}
		for query, want := range map[string]string{
			"column=id&value=many":             "To filter by id, type an ID.",
			"column=verified_at&value=monday":  "To filter by verified_at, type a day",
			"column=created_at&value=2026-2-1": "To filter by created_at, type a day",
		} {
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				v.Get("/admin/tables/users?"+query, options...).Wants(http.StatusUnprocessableEntity).Says(want)
			}
		}
		v.Get("/admin/tables/mails?column=attempts&value=many").Wants(http.StatusUnprocessableEntity).Says("To filter by attempts, type a whole number.")
		v.Get("/admin/tables/organizations?column=no_trust&value=perhaps").Wants(http.StatusUnprocessableEntity).Says("To filter by no_trust, type yes or no.")
		v.Get("/admin/tables/organizations?column=no_trust&value=yes").Wants(http.StatusOK).Says("No row has this value.")
	})
}

// TestDeleteSession deletes a row of sessions, which signs the person out, with a reason that
// is recorded.
func TestDeleteSession(t *testing.T) {
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		v := s.Operator(apptest.Anna, models.OperatorAdmin)
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		id := s.User("benjamin").ID
		table := v.Get("/admin/tables/sessions?column=user_id&value=" + id.String()).Wants(http.StatusOK)
		path := table.Find(`tbody a[href$="/delete"]`).AttrOr("href", "")
		page := v.Get(path).Wants(http.StatusOK).Page().Harmless().Says("Of Ben Jones")
		v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		ben.Get("/dashboard").Wants(http.StatusOK)
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/admin/tables/sessions")
		ben.Get("/dashboard").Wants(http.StatusSeeOther)
		e := s.Events()[len(s.Events())-2] // before the look at the table
		if e.Kind != models.EventSessionEnded {
			e = s.Events()[len(s.Events())-1]
		}
		if e.Kind != models.EventSessionEnded || e.UserID != id || e.Detail.Reason != reason || e.OperatorRole != models.OperatorAdmin {
			t.Errorf("recorded is %+v", e)
		}
		v.Get(path).Wants(http.StatusNotFound)
		table = v.Get("/admin/tables/sessions").Wants(http.StatusOK)
		if table.Find(`tbody a[href$="/delete"]`).Length() != 0 {
			table.Failf("it offers to delete the operator's own session")
		}
		v.Post("/admin/tables/sessions/"+cells(table, "id")[0]+"/delete", apptest.Fill("reason", reason), options...).Wants(http.StatusForbidden)
		v.Get("/dashboard").Wants(http.StatusOK)
	})
}

// slowRow is a row of a view that never ends.
type slowRow struct {
	bun.BaseModel `bun:"table:slow_rows"`

	ID int64 `bun:",pk"`
}

// TestSlowTable sorts a table that is too large for it, and wants that to end and to say so.
func TestSlowTable(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorAdmin)
		if _, err := db.Bun().ExecContext(t.Context(), "CREATE VIEW slow_rows AS WITH RECURSIVE counted(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM counted WHERE id < 2000000000) SELECT id FROM counted"); err != nil {
			t.Fatal(err)
		}
		s.App.AddTable(models.NewTable((*slowRow)(nil), "id", ""))
		start := time.Now()
		for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
			v.Get("/admin/tables/slow_rows?sort=-id", options...).Wants(http.StatusUnprocessableEntity).Harmless().Says("This took too long and was stopped")
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
