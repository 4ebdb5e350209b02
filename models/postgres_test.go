package models_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"vestibule/migrations"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// A role or a database may have defaults that the program can't work with.
func TestPostgresSettings(t *testing.T) {
	t.Parallel()
	dsn := modelstest.PostgreSQL(t)
	operator := modelstest.Open(t, dsn).Bun()
	for setting, values := range map[string][2]string{ // what the role has, and what the program needs
		"timezone":                            {"Asia/Kolkata", "UTC"},
		"default_transaction_isolation":       {"repeatable read", "read committed"},
		"default_transaction_deferrable":      {"on", "off"},
		"datestyle":                           {"SQL, DMY", "ISO, YMD"},
		"intervalstyle":                       {"iso_8601", "postgres"},
		"bytea_output":                        {"escape", "hex"},
		"client_encoding":                     {"LATIN1", "UTF8"},
		"standard_conforming_strings":         {"off", "on"},
		"extra_float_digits":                  {"-15", "1"},
		"transform_null_equals":               {"on", "off"},
		"array_nulls":                         {"off", "on"},
		"lock_timeout":                        {"1ms", "0"},
		"statement_timeout":                   {"200ms", "10s"},
		"idle_in_transaction_session_timeout": {"1ms", "0"},
		"search_path":                         {"public, pg_catalog", "public, pg_catalog"}, // the operator's choice
	} {
		name := strings.TrimPrefix(mustParse(t, dsn).Path, "/")
		value := "'" + values[0] + "'"
		if setting == "search_path" {
			value = values[0]
		}
		if _, err := operator.ExecContext(t.Context(), "ALTER ROLE CURRENT_USER IN DATABASE "+name+" SET "+setting+" = "+value); err != nil {
			t.Fatal(err)
		}
		var got string
		db := modelstest.Open(t, dsn)
		if err := db.Bun().QueryRowContext(t.Context(), "SHOW "+setting).Scan(&got); err != nil || got != values[1] {
			t.Errorf("%s is %q (%v), want %q", setting, got, err, values[1])
		}
		newUser(t, db, "user-"+strings.ReplaceAll(setting, "_", "-"))
	}
}

// TestPostgresURL opens databases by URLs as people paste them.
func TestPostgresURL(t *testing.T) {
	t.Parallel()
	dsn := modelstest.EmptyPostgreSQL(t)
	base := mustParse(t, dsn)
	password, _ := base.User.Password()
	host, port, _ := net.SplitHostPort(base.Host)
	database := strings.TrimPrefix(base.Path, "/")
	login := "postgres://" + base.User.String() + "@"
	at := login + base.Host + base.Path + "?"
	for name, tt := range map[string]struct{ url, says string }{
		"a timeout and a name":            {at + "sslmode=disable&connect_timeout=3&application_name=hall", ""},
		"prefer":                          {at + "sslmode=prefer", ""},
		"allow":                           {at + "sslmode=allow", ""},
		"options":                         {at + "sslmode=disable&options=-c%20search_path%3Dpublic%20--lock-timeout=1s", ""},
		"options with plus signs":         {at + "sslmode=disable&options=-csearch_path=a+b", ""},
		"a setting of the server":         {at + "sslmode=disable&search_path=public&work_mem=8MB", ""},
		"an encoding":                     {at + "sslmode=disable&client_encoding=LATIN1", ""},
		"keepalives":                      {at + "sslmode=disable&keepalives=1&keepalives_idle=30&gssencmode=disable&load_balance_hosts=disable", ""},
		"the other scheme":                {strings.Replace(at, "postgres:", "postgresql:", 1) + "sslmode=disable", ""},
		"parameters alone":                {"postgres://?sslmode=disable&host=" + host + "&port=" + port + "&dbname=" + database + "&user=postgres&password=" + url.QueryEscape(password), ""},
		"a primary":                       {at + "sslmode=disable&target_session_attrs=read-write", ""},
		"hosts, the second of them alive": {login + "127.0.0.1:1," + base.Host + base.Path + "?sslmode=disable&target_session_attrs=primary", ""},
		"hosts with one port":             {login + "127.0.0.1,127.0.0.1" + base.Path + "?sslmode=disable&port=" + port, ""},
		"no TLS":                          {at, "offers no TLS: add sslmode=disable"},
		"no TLS, as Neon wants it":        {at + "sslmode=require&channel_binding=require", "offers no TLS: add sslmode=disable"},
		"no such parameter":               {at + "sslmode=disable&pgbouncer=true", `"pgbouncer" (SQLSTATE=42704): remove that parameter`},
		"no such mode":                    {at + "sslmode=perhaps", "sslmode 'perhaps' is not supported"},
		"no such certificate":             {at + "sslmode=verify-full&sslrootcert=/no/such.pem", "/no/such.pem: no such file"},
		"a certificate without a key":     {at + "sslmode=require&sslcert=a.pem", "both sslcert and sslkey"},
		"a standby":                       {at + "sslmode=disable&target_session_attrs=standby", "it must be read-write"},
		"other options":                   {at + "sslmode=disable&options=endpoint%3Dabc", "remove options"},
		"TLS at once":                     {at + "sslmode=require&sslnegotiation=direct", "has sslnegotiation: remove it"},
		"a timeout in words":              {at + "sslmode=disable&connect_timeout=soon", "wrong connect_timeout"},
		"two hosts with three ports":      {login + "a,b/x?sslmode=disable&port=1,2,3", "one port, or one for each host"},
		"no port":                         {login + "localhost:/x?sslmode=disable&port=0", "port must be 1 to 65535"},
		"jdbc":                            {"jdbc:" + at, `remove "jdbc:"`},
		"keywords":                        {"host=localhost user=me password=" + password, "such as postgres://user:password@host/database"},
		"no slashes":                      {"postgres:me:" + password + "@localhost", "such as postgres://user:password@host/database"},
		"a driver in the scheme":          {"postgresql+psycopg2://me:" + password + "@localhost/x", `must start with "postgres://"`},
		"a password with a slash":         {"postgres://me:" + password + "/x@localhost/x", "percent-encode"},
		"a password with a question mark": {"postgres://me:" + password + "?x@localhost/x", "percent-encode"},
		"a password with a percent sign":  {"postgres://me:" + password + "%x@localhost/x", "percent-encode"},
		"a password that is wrong":        {"postgres://postgres:x" + password + "@" + base.Host + base.Path + "?sslmode=prefer", "SQLSTATE=28P01"},
		"no such database":                {at + "sslmode=disable&dbname=atlantis", `"atlantis" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := models.Open(t.Context(), tt.url, 0)
			switch {
			case err == nil && tt.says != "":
				t.Errorf("it opens, want %q (%v)", tt.says, db.Close())
			case err == nil:
				if name := "PostgreSQL database " + database + " on "; !strings.HasPrefix(db.Name(), name) || !strings.HasSuffix(db.Name(), base.Host) {
					t.Errorf("it is called %s, want %s", db.Name(), name+base.Host)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			case tt.says == "" || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), password):
				t.Errorf("it says %v, want one line with %q", err, tt.says)
			}
		})
	}
}

// TestPostgresSecurely opens a database whose server speaks TLS, and by its socket.
func TestPostgresSecurely(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	newCertificate(t, authority, key)
	socket, err := os.MkdirTemp("", "pg-") // a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(socket) })
	if os.Geteuid() == 0 {
		giveToPostgres(t, key, socket)
		for folder := dir; len(folder) > len(os.TempDir()); folder = filepath.Dir(folder) {
			if err := os.Chmod(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	cluster := modelstest.Own(t, "ssl=on", "ssl_cert_file="+authority, "ssl_key_file="+key, "unix_socket_directories="+socket)
	u := mustParse(t, cluster.URL("postgres"))
	const odd = `p@ss/w:o?r#d %'"\$HOME&=+ü`
	db := modelstest.Open(t, cluster.URL("postgres"))
	if _, err := db.Bun().DB.ExecContext(t.Context(), "ALTER USER postgres PASSWORD '"+strings.ReplaceAll(odd, "'", "''")+"'"); err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("postgres", odd)
	through := func(query string) string { u := *u; u.RawQuery = query; return u.String() }
	for name, tt := range map[string]struct{ url, says string }{
		"no word about it":                       {through(""), ""},
		"require":                                {through("sslmode=require"), ""},
		"prefer":                                 {through("sslmode=prefer"), ""},
		"the authority":                          {through("sslmode=verify-ca&sslrootcert=" + authority), ""},
		"the authority, by require":              {through("sslmode=require&sslrootcert=" + authority), ""},
		"the authority and the host":             {through("sslmode=verify-full&sslrootcert=" + authority), ""},
		"as Neon wants it":                       {through("sslmode=require&channel_binding=require&sslrootcert=" + authority), ""},
		"as Neon wants it, an unknown authority": {through("sslmode=require&channel_binding=require"), "sslrootcert=FILE"},
		"an unknown authority":                   {through("sslmode=verify-full"), "sslrootcert=FILE"},
		"the system's authorities":               {through("sslrootcert=system"), "sslrootcert=FILE"},
		"the socket":                             {"postgres://postgres:" + url.PathEscape(odd) + "@/postgres?host=" + socket + "&port=" + u.Port(), ""},
		"the socket in the host":                 {"postgres://" + u.User.String() + "@" + url.PathEscape(socket) + ":" + u.Port() + "/postgres", ""},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := models.Open(t.Context(), tt.url, 0)
			if err != nil {
				if tt.says == "" || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("it says %v, want %q", err, tt.says)
				}
				return
			}
			defer db.Close()
			var secure bool
			err = db.Bun().NewRaw("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(t.Context(), &secure)
			if socket := strings.Contains(name, "socket"); err != nil || tt.says != "" || secure == socket {
				t.Errorf("it opens, TLS %v (%v), want %q", secure, err, tt.says)
			}
		})
	}
}

// newCertificate writes a certificate of 127.0.0.1 that is its own authority.
func newCertificate(t *testing.T, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "EC PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(certificate, 0o644); err != nil {
		t.Fatal(err)
	}
}

// giveToPostgres makes the server's user the owner of files.
func giveToPostgres(t *testing.T, paths ...string) {
	t.Helper()
	postgres, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, errUID := strconv.Atoi(postgres.Uid)
	gid, errGID := strconv.Atoi(postgres.Gid)
	for _, path := range paths {
		if err := errors.Join(errUID, errGID, os.Chown(path, uid, gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailOver turns the server of a pool into one that takes no writes, while another
// server begins to take them. Writes go on, without a restart of the program.
func TestFailOver(t *testing.T) {
	t.Parallel()
	first, second := modelstest.Own(t), modelstest.Own(t)
	for _, cluster := range []*modelstest.Cluster{first, second} {
		db := modelstest.Open(t, cluster.URL("postgres"))
		if _, err := migrations.Up(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Bun().DB.ExecContext(t.Context(), "ALTER USER postgres PASSWORD 'the same'"); err != nil {
			t.Fatal(err)
		}
	}
	hosts := func(clusters ...*modelstest.Cluster) string {
		var all []string
		for _, c := range clusters {
			all = append(all, mustParse(t, c.URL("")).Host)
		}
		return "postgres://postgres:the%20same@" + strings.Join(all, ",") + "/postgres?sslmode=disable"
	}
	// readOnly sets whether a server takes writes. Each connection of the pools learns of
	// it by a signal.
	readOnly := func(c *modelstest.Cluster, value string, pools ...*models.DB) {
		t.Helper()
		port := mustParse(t, c.URL("")).Port()
		operator := modelstest.Open(t, hosts(c))
		for _, query := range []string{"ALTER SYSTEM SET default_transaction_read_only = " + value, "SELECT pg_reload_conf()"} {
			if _, err := operator.Bun().DB.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		for _, pool := range pools {
			for _, conn := range hold(t, pool, pool.Bun().Stats().OpenConnections) {
				for there, got := port, ""; there == port && got != value; {
					if err := conn.QueryRowContext(t.Context(), "SELECT current_setting('port'), current_setting('default_transaction_read_only')").Scan(&there, &got); err != nil {
						t.Fatal(err)
					}
				}
				if err := conn.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	db := modelstest.Open(t, hosts(first, second))
	readsFrom := func(want *modelstest.Cluster) {
		t.Helper()
		var port string
		err := db.Bun().NewRaw("SHOW port").Scan(t.Context(), &port)
		if wantPort := mustParse(t, want.URL("")).Port(); err != nil || port != wantPort {
			t.Errorf("the pool reads from port %s (%v), want %s", port, err, wantPort)
		}
	}
	readsFrom(first)
	newUser(t, db, "before")
	for _, conn := range hold(t, db, 8) {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}

	readOnly(first, "on", db)
	newUser(t, db, "after") // it is repeated on another server
	readsFrom(second)
	for range 8 {
		if err := db.InTx(t.Context(), func(tx *models.DB) error {
			return tx.Record(t.Context(), models.Event{Kind: "a"})
		}); err != nil {
			t.Errorf("a connection to a read-only server is used again: %v", err)
		}
	}
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}

	readOnly(second, "on", db)
	if err := db.Ready(t.Context()); !models.Unavailable(err) || !strings.Contains(err.Error(), "PostgreSQL is read-only") {
		t.Errorf("ready without a server that takes writes: %v", err)
	}
	late := modelstest.Open(t, hosts(first, second)) // a site that starts now shows pages, at least
	for name, pool := range map[string]*models.DB{"same": db, "late": late} {
		if _, err := pool.UserByLogin(t.Context(), "before"); err != nil {
			t.Errorf("the %s pool can't read from a read-only server: %v", name, err)
		}
	}

	readOnly(second, "off")
	for name, pool := range map[string]*models.DB{"same": db, "late": late} {
		for pool.Ready(t.Context()) != nil { // until the pool looks for a server that takes writes
			if t.Context().Err() != nil {
				t.Fatalf("the %s pool is not ready again", name)
			}
		}
		newUser(t, pool, "again-"+name)
	}
	readsFrom(second)
}

// hold returns n connections of the pool.
func hold(t *testing.T, db *models.DB, n int) []bun.Conn {
	t.Helper()
	var all []bun.Conn
	for range n {
		conn, err := db.Bun().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
	}
	return all
}

func mustParse(t *testing.T, dsn string) *url.URL {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
