package migrations_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// lastOfRelease is the newest migration of version 0.1.0.
const lastOfRelease = "20261123040000"

// release returns the migrations of the last release.
func release(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		number, _, _ := strings.Cut(entry.Name(), "_")
		if strings.HasSuffix(entry.Name(), ".sql") && number <= lastOfRelease {
			content, err := fs.ReadFile(os.DirFS("."), entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			files[entry.Name()] = &fstest.MapFile{Data: content}
		}
	}
	return files
}

// The rows of the last release: every column of every table, in an order that the foreign
// keys allow.
var (
	anna, ben          = uuid.MustParse("01936000-0000-7000-8000-000000000001"), uuid.MustParse("01936000-0000-7000-8000-000000000002")
	acme, owner, place = uuid.MustParse("01936000-0000-7000-8000-000000000003"), uuid.MustParse("01936000-0000-7000-8000-000000000004"), uuid.MustParse("01936000-0000-7000-8000-000000000005")
	member, id         = uuid.MustParse("01936000-0000-7000-8000-000000000006"), uuid.MustParse("01936000-0000-7000-8000-000000000007")
	then               = time.Date(2026, 11, 20, 10, 11, 12, 131415000, time.UTC)
	hash32             = []byte("0123456789abcdef0123456789abcdef")

	releaseRows = []releaseRow{
		{"users", "id, username, username_key, email, email_key, first_name, last_name, password_hash, verified_at, disabled_at, created_at, updated_at, name_key",
			[]any{anna, "Anna.Smith", "anna.smith", "Anna@example.com", "anna@example.com", "Anna", "O'Smith", "$argon2id$v=19$x", then, nil, then, then, "anna o'smith"}},
		{"users", "id, username, username_key, email, email_key, first_name, last_name, password_hash, verified_at, disabled_at, created_at, updated_at, name_key",
			[]any{ben, "日本_ben", "日本_ben", "ben@bücher.example", "ben@bücher.example", "Ben", "Jones", "$argon2id$v=19$y", nil, then, then, then, "ben jones"}},
		{"sessions", "id, user_id, token_hash, ip, user_agent, created_at, authenticated_at, last_seen_at, expires_at",
			[]any{id, anna, hash32, "192.0.2.1", "Firefox", then, then, then, then.AddDate(1, 0, 0)}},
		{"tokens", "id, user_id, purpose, email, token_hash, created_at, expires_at",
			[]any{id, anna, "reset-password", "Anna@example.com", hash32, then, then.AddDate(1, 0, 0)}},
		{"mails", "id, kind, recipient, user_id, name, detail, created_at, attempts, next_at",
			[]any{id, "new-browser", "Anna@example.com", anna, "Anna", `{"browser":"Firefox"}`, then, 3, then.AddDate(1, 0, 0)}},
		{"browsers", "user_id, token_hash, seen_at", []any{anna, hash32, then}},
		{"throttles", "key, tries, until, forget_at", []any{"key", 7, then, then.AddDate(1, 0, 0)}},
		{"organizations", "id, name, slug, created_at", []any{acme, "Acme", "acme", then}},
		{"roles", "id, organization_id, kind, name, name_key, permissions", []any{owner, acme, "owner", "Owner", "owner", "null"}},
		{"roles", "id, organization_id, kind, name, name_key, permissions", []any{member, acme, "custom", "Writer", "writer", `["manage-members"]`}},
		{"memberships", "id, organization_id, user_id, role_id, created_at", []any{place, acme, anna, owner, then}},
		{"invitations", "id, organization_id, role_id, inviter_id, email, email_key, token_hash, created_at, expires_at",
			[]any{id, acme, member, anna, "guest@example.com", "guest@example.com", hash32, then, then.AddDate(1, 0, 0)}},
		{"events", "id, kind, user_id, actor_id, ip, user_agent, request_id, created_at, organization_id",
			[]any{id, "invited", anna, anna, "192.0.2.1", "Firefox", "REQUEST", then, acme}},
		{"notes", "id, organization_id, author_id, title, body, search_key, created_at",
			[]any{id, acme, anna, "Title", "Body\nof two lines", "title\nbody\nof two lines", then}},
	}
)

type releaseRow struct {
	table, columns string
	values         []any
}

// rowsOf returns the rows without those of an example that was removed.
func rowsOf(t *testing.T, db *models.DB) []releaseRow {
	return slices.DeleteFunc(slices.Clone(releaseRows), func(row releaseRow) bool { return !has(t, db, row.table) })
}

// fill stores the rows of the last release.
func fill(t *testing.T, db *models.DB) {
	t.Helper()
	for _, row := range rowsOf(t, db) {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(row.values)), ", ")
		if _, err := db.Bun().NewRaw("INSERT INTO "+row.table+" ("+row.columns+") VALUES ("+marks+")", row.values...).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// dump returns every column that the last release had, of every row.
func dump(t *testing.T, db *models.DB) []string {
	t.Helper()
	var all []string
	for _, row := range rowsOf(t, db) {
		var rows []map[string]any
		if err := db.Bun().NewRaw("SELECT "+row.columns+" FROM ?", bun.Ident(row.table)).Scan(t.Context(), &rows); err != nil {
			t.Fatal(err)
		}
		for _, values := range rows {
			all = append(all, row.table+": "+fmt.Sprint(values))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestUpgrade upgrades a filled database of the last release, and finds everything in
// place.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		if _, err := migrations.UpFrom(t.Context(), db, release(t)); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "DROP TABLE migration_checksums") // the last release had none
		fill(t, db)
		before := dump(t, db)
		if want := len(rowsOf(t, db)); len(before) != want {
			t.Fatalf("there are %d rows, want %d", len(before), want)
		}
		ran := up(t, db)
		if got := dump(t, db); !slices.Equal(got, before) {
			t.Errorf("after the upgrade there is\n%s\nbefore it was\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
		}
		if got := pending(t, db); len(got) > 0 {
			t.Errorf("pending are %v", got)
		}
		// The program works with the rows.
		u, err := db.UserByLogin(t.Context(), "ANNA@example.com")
		if err != nil || u.ID != anna || u.LastName != "O'Smith" || !u.VerifiedAt.Equal(then) {
			t.Errorf("the user is %+v (%v)", u, err)
		}
		if m, err := db.MembershipBySlug(t.Context(), "acme", anna); err != nil || m.Role.Kind != models.RoleOwner {
			t.Errorf("the membership is %+v (%v)", m, err)
		}
		// Back, and there again.
		for range ran {
			if _, err := migrations.Down(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
		if got := dump(t, db); !slices.Equal(got, before) {
			t.Errorf("after the way back there is\n%s\nbefore it was\n%s", strings.Join(got, "\n"), strings.Join(before, "\n"))
		}
		if got := up(t, db); !slices.Equal(got, ran) {
			t.Errorf("again it runs %v, want %v", got, ran)
		}
	})
}

// next returns the migrations of the last release and another one.
func next(t *testing.T, name, up, down string) fstest.MapFS {
	files := release(t)
	files["20270101000000_"+name+".up.sql"] = &fstest.MapFile{Data: []byte(up)}
	files["20270101000000_"+name+".down.sql"] = &fstest.MapFile{Data: []byte(down)}
	return files
}

// TestChangedMigrationIsRefused changes a migration that ran.
func TestChangedMigrationIsRefused(t *testing.T) {
	t.Parallel()
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		files := release(t)
		if _, err := migrations.UpFrom(t.Context(), db, files); err != nil {
			t.Fatal(err)
		}
		exec(t, db, "DELETE FROM migration_checksums WHERE name = '20261123010000'") // as if an earlier version had run it
		if _, err := migrations.UpFrom(t.Context(), db, files); err != nil {
			t.Fatal(err)
		}
		files["20261123010000_create_tokens_mails_browsers.tx.up.sql"].Data = []byte("-- Edited.\nSELECT 1;\n")
		files["20270101000000_more.tx.up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE more (id INTEGER)")}
		ran, err := migrations.UpFrom(t.Context(), db, files)
		if err == nil || !strings.Contains(err.Error(), "20261123010000") || len(ran) > 0 || has(t, db, "more") {
			t.Errorf("Up runs %v (%v)", ran, err)
		}
		exec(t, db, "INSERT INTO bun_migrations (name, group_id) VALUES ('20261231000000', 9)") // by another version
		steps, err := migrations.StatusFrom(t.Context(), db, files)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range steps {
			if s.Changed || s.Unknown || s.At.IsZero() {
				got = append(got, fmt.Sprint(s.Name, " ", s.Changed, s.Unknown, s.At.IsZero()))
			}
		}
		want := []string{"20261123010000_create_tokens_mails_browsers true false false", "20261231000000 false true false", "20270101000000_more false false true"}
		if !slices.Equal(got, want) {
			t.Errorf("the status is %q, want %q", got, want)
		}
	})
}

// TestOutsideATransaction makes an index without keeping writers waiting.
func TestOutsideATransaction(t *testing.T) {
	t.Parallel()
	const up = "CREATE INDEX {{if .Postgres}}CONCURRENTLY{{end}} IF NOT EXISTS more ON users (last_name);\n--bun:split\nUPDATE users SET last_name = last_name || ' Jr.' WHERE last_name NOT LIKE '% Jr.';\n--bun:split\n"
	eachEmpty(t, func(t *testing.T, url string) {
		db := modelstest.Open(t, url)
		if _, err := migrations.UpFrom(t.Context(), db, release(t)); err != nil {
			t.Fatal(err)
		}
		fill(t, db)
		broken := next(t, "more", up+"SELECT broken;", "DROP INDEX more")
		if ran, err := migrations.UpFrom(t.Context(), db, broken); err == nil || len(ran) > 0 {
			t.Errorf("Up runs %v (%v)", ran, err)
		}
		ran, err := migrations.UpFrom(t.Context(), db, next(t, "more", up+"SELECT 1;", "DROP INDEX more")) // goes on where it stopped
		if err != nil || !slices.Equal(ran, []string{"20270101000000_more"}) {
			t.Errorf("Up runs %v (%v)", ran, err)
		}
		var name string // the program's own queries need a later schema
		if err := db.Bun().NewSelect().Table("users").Column("last_name").Where("id = ?", anna).Scan(t.Context(), &name); err != nil || name != "O'Smith Jr." {
			t.Errorf("the user's last name is %q (%v)", name, err)
		}
	})
}

// TestMigrationLetsOthersPass changes a table that a long transaction reads. A statement
// that comes after the migration must not wait behind it.
func TestMigrationLetsOthersPass(t *testing.T) {
	t.Parallel()
	url := modelstest.EmptyPostgreSQL(t)
	db := modelstest.Open(t, url)
	if _, err := migrations.UpFrom(t.Context(), db, release(t)); err != nil {
		t.Fatal(err)
	}
	long, err := db.Bun().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.ExecContext(t.Context(), "LOCK TABLE users IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	files := release(t)
	files["20270101000000_more.tx.up.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE users ADD COLUMN more TEXT")}
	done := make(chan error, 1)
	go func() {
		_, err := migrations.UpFrom(t.Context(), db, files)
		done <- err
	}()
	waits := func(query string) {
		t.Helper()
		for n := 0; n == 0; time.Sleep(10 * time.Millisecond) {
			select {
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			default:
			}
			if err := db.Bun().NewRaw(query).Scan(t.Context(), &n); err != nil {
				t.Fatal(err)
			}
		}
	}
	waits("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
	// The lock against other migrations belongs to a transaction, which PgBouncer keeps on one session.
	waits("SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND datname = current_database() AND state = 'idle in transaction'")
	if _, err := db.UserByLogin(t.Context(), "anna.smith"); err == nil || models.Unavailable(err) {
		t.Errorf("a page waits behind the migration: %v", err)
	}
	if err := long.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
