package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"vestibule/app"
)

// sqlitePath returns the path of the SQLite file, or false if the database is PostgreSQL.
func sqlitePath(config *app.Config) (string, bool) {
	rest, ok := strings.CutPrefix(config.DatabaseURL, "sqlite:")
	return strings.TrimPrefix(rest, "//"), ok
}

// postgresTool runs a program of PostgreSQL, such as pg_dump, on the database. It gives
// it the URL's parts in the environment, because everybody can read the arguments of a
// process.
func postgresTool(ctx context.Context, databaseURL, name string, args ...string) error {
	program, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%s is not installed: install PostgreSQL's client programs, such as the package postgresql-client, in the version of the server or a newer one", name)
	}
	settings, err := libpqSettings(databaseURL)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"--no-password"}, args...)...) // #nosec G204 -- the names are constants
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "PG") { // the site does not follow them either
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, settings...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, strings.TrimSpace(said.String()))
	}
	return nil
}

// libpqSettings returns the environment with which PostgreSQL's programs connect as
// DATABASE_URL says.
func libpqSettings(databaseURL string) ([]string, error) {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return nil, errors.New("DATABASE_URL can't be read: percent-encode special characters in its password")
	}
	query := u.Query()
	var settings []string
	set := func(name, value string) {
		if value != "" {
			settings = append(settings, name+"="+value)
		}
	}
	var hosts, ports []string
	for host := range strings.SplitSeq(u.Host, ",") { // one of several
		one := url.URL{Host: host}
		hosts, ports = append(hosts, one.Hostname()), append(ports, one.Port())
	}
	if host := query.Get("host"); host != "" {
		hosts, ports = []string{host}, []string{query.Get("port")}
		if socket, port, ok := strings.Cut(path.Base(host), ".s.PGSQL."); ok && socket == "" { // the socket itself
			hosts, ports = []string{path.Dir(host)}, []string{port}
		}
	}
	set("PGHOST", strings.Join(hosts, ","))
	if strings.Trim(strings.Join(ports, ""), ",") != "" {
		set("PGPORT", strings.Join(ports, ","))
	}
	set("PGUSER", u.User.Username())
	password, _ := u.User.Password()
	set("PGPASSWORD", password)
	set("PGDATABASE", strings.TrimPrefix(u.Path, "/"))
	for name, variable := range map[string]string{
		"sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "channel_binding": "PGCHANNELBINDING",
		"options": "PGOPTIONS", "target_session_attrs": "PGTARGETSESSIONATTRS", "application_name": "PGAPPNAME",
	} {
		set(variable, query.Get(name))
	}
	mode := query.Get("sslmode")
	switch mode {
	case "", "allow", "prefer": // the site requires TLS then
		mode = "require"
	case "verify-ca", "verify-full":
		if query.Get("sslrootcert") == "" {
			set("PGSSLROOTCERT", systemCertificates())
		}
	}
	set("PGSSLMODE", mode)
	return settings, nil
}

// systemCertificates returns the file of root certificates that Go uses on this system
// (crypto/x509), or "". PostgreSQL's programs would look for one of their own.
func systemCertificates() string {
	for _, file := range []string{
		os.Getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
	} {
		if info, err := os.Stat(filepath.Clean(file)); file != "" && err == nil && info.Mode().IsRegular() { // #nosec G703 -- the operator names the file
			return file
		}
	}
	return ""
}
