package main

import (
	"slices"
	"strings"
	"testing"
)

// TestLibpqSettings gives PostgreSQL's programs what DATABASE_URL says.
func TestLibpqSettings(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "/dev/null/absent")
	for url, want := range map[string]string{
		"postgres://me:p%40ss%20word@db.example.com/hall":                     "PGDATABASE=hall PGHOST=db.example.com PGPASSWORD=p@ss word PGSSLMODE=require PGUSER=me",
		"postgres://me@db.example.com:6543/hall?sslmode=disable":              "PGDATABASE=hall PGHOST=db.example.com PGPORT=6543 PGSSLMODE=disable PGUSER=me",
		"postgres://me@[::1]:6543/hall?sslmode=prefer":                        "PGDATABASE=hall PGHOST=::1 PGPORT=6543 PGSSLMODE=require PGUSER=me",
		"postgres://me@/hall?host=/run/postgresql/.s.PGSQL.5433":              "PGDATABASE=hall PGHOST=/run/postgresql PGPORT=5433 PGSSLMODE=require PGUSER=me",
		"postgres://me@db/hall?sslmode=verify-full&sslrootcert=/etc/root.crt": "PGDATABASE=hall PGHOST=db PGSSLMODE=verify-full PGSSLROOTCERT=/etc/root.crt PGUSER=me",
		"postgres://me@db/hall?sslmode=require&channel_binding=require":       "PGCHANNELBINDING=require PGDATABASE=hall PGHOST=db PGSSLMODE=require PGUSER=me",
	} {
		got, err := libpqSettings(url)
		slices.Sort(got)
		if text := strings.Join(got, " "); err != nil || text != want {
			t.Errorf("%s gives\n%s (%v), want\n%s", url, text, err, want)
		}
	}
	// Without a root certificate of its own, the system's.
	if got, err := libpqSettings("postgres://me@db/hall?sslmode=verify-full"); err != nil || systemCertificates() != "" && !slices.Contains(got, "PGSSLROOTCERT="+systemCertificates()) {
		t.Errorf("verify-full gives %v (%v)", got, err)
	}
	if _, err := libpqSettings("postgres://me:swordfish%zz@db/hall"); err == nil || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("the error is %v", err)
	}
}
