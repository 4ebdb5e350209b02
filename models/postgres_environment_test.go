package models_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"vestibule/models"
)

// TestPostgresEnvironment has PostgreSQL's own programs connect as the site does, whatever
// way a database URL is written.
func TestPostgresEnvironment(t *testing.T) {
	for _, setting := range os.Environ() { // the URL leaves out what these say
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
	certificates := t.TempDir() + "/root.crt"
	if err := os.WriteFile(certificates, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", certificates)
	for url, want := range map[string]string{
		"postgres://me:p%40ss%20word@db.example.com/hall":                     "PGDATABASE=hall PGHOST=db.example.com PGPASSWORD=p@ss word PGPORT=5432 PGSSLMODE=require PGUSER=me",
		"postgres://me:p@ss#word@db.example.com/hall":                         "PGDATABASE=hall PGHOST=db.example.com PGPASSWORD=p@ss#word PGPORT=5432 PGSSLMODE=require PGUSER=me",
		"postgres://me@db.example.com:6543/hall?sslmode=disable":              "PGDATABASE=hall PGHOST=db.example.com PGPORT=6543 PGSSLMODE=disable PGUSER=me",
		"postgres://me@[::1]:6543/hall?sslmode=prefer":                        "PGDATABASE=hall PGHOST=::1 PGPORT=6543 PGSSLMODE=prefer PGUSER=me",
		"postgres://me@/hall?host=/run/postgresql/.s.PGSQL.5433":              "PGDATABASE=hall PGHOST=/run/postgresql PGPORT=5433 PGSSLMODE=require PGUSER=me",
		"postgres://me@%2Frun%2Fpostgresql/hall":                              "PGDATABASE=hall PGHOST=/run/postgresql PGPORT=5432 PGSSLMODE=require PGUSER=me",
		"postgres:///?dbname=hall&user=me&host=db":                            "PGDATABASE=hall PGHOST=db PGPORT=5432 PGSSLMODE=require PGUSER=me",
		"postgres://me@a,b:5433/hall?target_session_attrs=primary":            "PGDATABASE=hall PGHOST=a,b PGPORT=5432,5433 PGSSLMODE=require PGTARGETSESSIONATTRS=read-write PGUSER=me",
		"postgres://me@db/hall?options=-csearch_path%3Dfront,%20public":       "",
		"postgres://me@db/hall?options=-csearch_path%3Dfront&work_mem=8MB":    "PGDATABASE=hall PGHOST=db PGOPTIONS=-c search_path=front -c work_mem=8MB PGPORT=5432 PGSSLMODE=require PGUSER=me",
		"postgres://me@db/hall?sslmode=verify-full&sslrootcert=/etc/root.crt": "",
		"postgres://me@db/hall?sslmode=verify-full":                           "PGDATABASE=hall PGHOST=db PGPORT=5432 PGSSLMODE=verify-full PGSSLROOTCERT=" + certificates + " PGUSER=me",
		"postgres://me@db/hall?sslmode=require&channel_binding=require":       "PGDATABASE=hall PGHOST=db PGPORT=5432 PGSSLMODE=verify-full PGSSLROOTCERT=" + certificates + " PGUSER=me",
		"postgres://me:swordfish%zz@db/hall":                                  "",
	} {
		got, err := models.PostgresEnvironment(url)
		if text := strings.Join(slices.Sorted(slices.Values(got)), " "); text != want || (err == nil) != (want != "") {
			t.Errorf("%s gives\n%s (%v), want\n%s", url, text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "swordfish") {
			t.Errorf("the error is %v", err)
		}
	}
}
