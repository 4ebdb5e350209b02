package models_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// BenchmarkMembersPage reads one page of an organization's 100,000 members: the
// first, the last, the first by name, which sorts them all, and that of a search that
// scans them all to find the last member.
func BenchmarkMembersPage(b *testing.B) {
	const members, page = 100_000, 21
	for name, fresh := range map[string]func(*testing.B) string{"sqlite": freshSQLite, "postgres": freshPostgreSQL} {
		b.Run(name, func(b *testing.B) {
			db, err := models.Open(b.Context(), fresh(b), 0)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := db.Close(); err != nil {
					b.Error(err)
				}
			})
			if _, err := migrations.Up(b.Context(), db); err != nil {
				b.Fatal(err)
			}
			in, last := crowd(b, db, members, page)
			for name, search := range map[string]models.MemberSearch{
				"first":  {Limit: page},
				"last":   {After: last, Limit: page},
				"name":   {ByName: true, Limit: page},
				"search": {Text: fmt.Sprintf("Name %d", members-1), Emails: true, Limit: page},
			} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						rows, err := db.Members(b.Context(), in, search)
						if want := map[string]int{"first": page, "name": page, "last": page - 1, "search": 1}[name]; err != nil || len(rows) != want {
							b.Fatalf("%d rows (%v), want %d", len(rows), err, want)
						}
					}
				})
			}
		})
	}
}

// crowd fills an organization. It returns the organization's id and that of the
// member before the last page.
func crowd(b *testing.B, db *models.DB, members, page int) (organization, last uuid.UUID) {
	b.Helper()
	owner := &models.User{Username: "owner", Email: "owner@example.com", FirstName: "An", LastName: "Owner"}
	if err := db.CreateUser(b.Context(), owner); err != nil {
		b.Fatal(err)
	}
	first := newOrganization(b, db, owner, "crowd")
	plain := role(b, db, first, "Member")
	const batch = 1000
	for from := 1; from < members; from += batch {
		users, places := make([]models.User, 0, batch), make([]models.Membership, 0, batch)
		for i := from; i < min(from+batch, members); i++ {
			u := models.User{ID: uuid.Must(uuid.NewV7()), Username: fmt.Sprintf("user%d", i), Email: fmt.Sprintf("user%d@example.com", i),
				FirstName: "Name", LastName: fmt.Sprint(i), CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()}
			u.UsernameKey, u.EmailKey, u.NameKey = models.Key(u.Username), models.Key(u.Email), models.Key(u.FullName())
			users = append(users, u)
			places = append(places, models.Membership{ID: uuid.Must(uuid.NewV7()), OrganizationID: first.OrganizationID, UserID: u.ID, RoleID: plain, CreatedAt: u.CreatedAt})
			if i == members-page {
				last = places[len(places)-1].ID
			}
		}
		_, err := db.Bun().NewInsert().Model(&users).Exec(b.Context())
		if err == nil {
			_, err = db.Bun().NewInsert().Model(&places).Exec(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.Bun().ExecContext(b.Context(), "ANALYZE"); err != nil {
		b.Fatal(err)
	}
	return first.OrganizationID, last
}

func freshSQLite(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "bench.db") }

func freshPostgreSQL(b *testing.B) string {
	cluster, err := modelstest.Shared()
	if err != nil {
		b.Fatal(err)
	}
	url, drop, err := cluster.CreateDatabase(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := drop(); err != nil {
			b.Error(err)
		}
	})
	return url
}
