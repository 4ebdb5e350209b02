package models

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// postgresURL is a database URL as libpq reads it (PostgreSQL, 32.1.1.2). The driver
// reads a part of that: it knows one host, no fallback and no options.
type postgresURL struct {
	user, password, database, application string

	servers     []postgresServer // to try, in order
	security    url.Values       // the settings of TLS, by libpq's names
	dialTimeout time.Duration
	readTimeout time.Duration     // 0 if the URL has none
	settings    map[string]string // of the session
}

// postgresServer is one way to reach a server.
type postgresServer struct {
	network, addr string
	tls           *tls.Config // nil for a connection in the clear
}

// parsePostgresURL reads a URL that begins with postgres:// or postgresql://. Its errors
// are sentences for the operator, and repeat nothing that may be part of a password.
func parsePostgresURL(databaseURL string) (*postgresURL, error) {
	_, rest, ok := strings.Cut(databaseURL, "://")
	if !ok {
		return nil, errScheme
	}
	rest, rawQuery, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(path, "/@") || !strings.Contains(authority, "@") && strings.Contains(rawQuery, "@") {
		return nil, errEncode
	}
	userinfo, hosts := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		userinfo, hosts = authority[:i], authority[i+1:]
	}
	user, password, _ := strings.Cut(userinfo, ":")
	for _, part := range []*string{&user, &password, &path} {
		var err error
		if *part, err = url.PathUnescape(*part); err != nil {
			return nil, errEncode
		}
	}
	query, err := url.ParseQuery(strings.ReplaceAll(rawQuery, "+", "%2B")) // libpq takes no + for a space
	if err != nil {
		return nil, errEncode
	}
	take := func(name string) string {
		values := query[name]
		delete(query, name)
		if len(values) == 0 {
			return ""
		}
		return values[len(values)-1]
	}

	u := &postgresURL{settings: map[string]string{}}
	u.user = cmp.Or(take("user"), user, os.Getenv("PGUSER"), "postgres")
	u.password = cmp.Or(take("password"), password, os.Getenv("PGPASSWORD"))
	u.database = cmp.Or(take("dbname"), path, os.Getenv("PGDATABASE"), u.user)
	u.application = cmp.Or(take("application_name"), take("fallback_application_name"))
	delete(query, "fallback_application_name")
	if u.dialTimeout, err = seconds("connect_timeout", cmp.Or(take("connect_timeout"), take("dial_timeout"))); err != nil {
		return nil, err
	}
	if u.readTimeout, err = seconds("read_timeout", take("read_timeout")); err != nil {
		return nil, err
	}
	switch target := take("target_session_attrs"); target {
	case "", "any", "read-write", "primary": // each connection must take writes anyway
	default:
		return nil, fmt.Errorf("the database URL has target_session_attrs=%q: it must be read-write, as every connection writes", target)
	}
	if err := u.options(take("options")); err != nil {
		return nil, err
	}
	if err := u.findServers(hosts, take); err != nil {
		return nil, err
	}
	for name := range query {
		value := take(name)
		switch _, known := ignored[name]; {
		case known:
		case !settingName.MatchString(name):
			return nil, errEncode
		default:
			u.settings[strings.ToLower(name)] = value
		}
	}
	return u, nil
}

var errEncode = errors.New("can't read the database URL: percent-encode special characters in its password")

// ignored are parameters of libpq that change nothing here: the system keeps
// connections alive, and hosts are always tried in order.
var ignored = map[string]struct{}{
	"keepalives": {}, "keepalives_idle": {}, "keepalives_interval": {}, "keepalives_count": {}, "tcp_user_timeout": {},
	"gssencmode": {}, "gssdelegation": {}, "sslcompression": {}, "sslsni": {}, "load_balance_hosts": {},
}

// settingName is what the name of a setting of the server looks like.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// seconds reads a time as libpq does, in seconds, or with a unit.
func seconds(name, value string) (time.Duration, error) {
	if value == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(value, 10, 16); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("the database URL has a wrong %s: it must be a number of seconds", name)
	}
	return d, nil
}

// options reads the switches of a server's command line that set something for the
// session: -c name=value, -cname=value and --name=value.
func (u *postgresURL) options(line string) error {
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		setting, long := strings.CutPrefix(words[i], "--")
		if !long {
			var short bool
			setting, short = strings.CutPrefix(words[i], "-c")
			if short && setting == "" && i+1 < len(words) {
				i++
				setting = words[i]
			}
			if !short {
				setting = ""
			}
		}
		name, value, ok := strings.Cut(setting, "=")
		name = strings.ReplaceAll(name, "-", "_")
		if !ok || !settingName.MatchString(name) {
			return errors.New("the database URL has options other than -c name=value: remove options")
		}
		u.settings[strings.ToLower(name)] = value
	}
	return nil
}

// findServers finds every way to reach the hosts of the URL.
func (u *postgresURL) findServers(authority string, take func(string) string) (err error) {
	hosts, ports, err := hostsAndPorts(authority, take)
	if err != nil {
		return err
	}
	if u.security, err = securityIn(take); err != nil {
		return err
	}
	for i, host := range hosts {
		port := ports[0]
		if len(ports) > 1 {
			port = ports[i]
		}
		if err := u.addServer(cmp.Or(host, os.Getenv("PGHOST"), "localhost"), cmp.Or(port, os.Getenv("PGPORT"), "5432")); err != nil {
			return err
		}
	}
	return nil
}

// hostsAndPorts returns the hosts of the URL, and one port for all or one for each. What
// the URL leaves out is empty.
func hostsAndPorts(authority string, take func(string) string) (hosts, ports []string, err error) {
	hosts = strings.Split(authority, ",")
	ports = make([]string, len(hosts))
	for i, host := range hosts {
		if bare, port, err := net.SplitHostPort(host); err == nil {
			hosts[i], ports[i] = bare, port
		} else {
			hosts[i] = strings.Trim(host, "[]")
		}
		if hosts[i], err = url.PathUnescape(hosts[i]); err != nil { // a socket's folder is %2Fvar%2Frun…
			return nil, nil, errEncode
		}
	}
	if list := take("host"); list != "" {
		hosts = strings.Split(list, ",")
	}
	if list := take("port"); list != "" {
		ports = strings.Split(list, ",")
	}
	if take("hostaddr") != "" {
		return nil, nil, errors.New("the database URL has hostaddr: use host")
	}
	if len(ports) > 1 && len(ports) != len(hosts) {
		return nil, nil, errors.New("the database URL must have one port, or one for each host")
	}
	return hosts, ports, nil
}

// securityIn returns the settings of TLS. They always have an sslmode.
func securityIn(take func(string) string) (url.Values, error) {
	security := url.Values{}
	for _, name := range []string{"sslmode", "sslrootcert", "sslcert", "sslkey"} {
		if value := cmp.Or(take(name), os.Getenv("PG"+strings.ToUpper(name))); value != "" {
			security.Set(name, value)
		}
	}
	mode := cmp.Or(security.Get("sslmode"), "require")
	if take("ssl") == "true" {
		mode = "require"
	}
	if security.Get("sslrootcert") == "system" { // the default of verify-full
		security.Del("sslrootcert")
		mode = "verify-full"
	}
	switch binding := take("channel_binding"); binding {
	case "", "prefer", "disable":
	case "require": // the driver can't bind, so the certificate must show who the server is
		mode = "verify-full"
	default:
		return nil, fmt.Errorf("the database URL has channel_binding=%q: it must be require, prefer or disable", binding)
	}
	if negotiation := take("sslnegotiation"); negotiation != "" && negotiation != "postgres" {
		return nil, errors.New("the database URL has sslnegotiation: remove it")
	}
	if security.Has("sslcert") != security.Has("sslkey") {
		return nil, errors.New("the database URL must have both sslcert and sslkey, or neither")
	}
	security.Set("sslmode", mode)
	return security, nil
}

// addServer adds the ways to reach one host, in the order of its sslmode.
func (u *postgresURL) addServer(host, port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("can't read the database URL: its port must be 1 to 65535, and special characters in its password must be percent-encoded")
	}
	if filepath.IsAbs(host) {
		if !strings.HasPrefix(filepath.Base(host), socketName) {
			host = filepath.Join(host, socketName+port)
		}
		u.servers = append(u.servers, postgresServer{network: "unix", addr: host})
		return nil
	}
	secure := postgresServer{network: "tcp", addr: net.JoinHostPort(host, port)}
	clear := secure
	one := url.URL{Scheme: "postgres", Host: secure.addr, RawQuery: u.security.Encode()}
	connector, err := pgdriver.NewDriver().OpenConnector(one.String())
	if err != nil {
		return fmt.Errorf("the database URL: %s", strings.TrimPrefix(err.Error(), "pgdriver: "))
	}
	secure.tls = connector.(*pgdriver.Connector).Config().TLSConfig
	switch u.security.Get("sslmode") {
	case "prefer":
		u.servers = append(u.servers, secure, clear)
	case "allow":
		u.servers = append(u.servers, clear, secure)
	default: // disable has no tls
		u.servers = append(u.servers, secure)
	}
	return nil
}

// socketName begins the name of a server's socket; its port follows.
const socketName = ".s.PGSQL."

// PostgresEnvironment returns the environment in which PostgreSQL's own programs connect
// as the site does with databaseURL (PostgreSQL, 32.15). Its errors repeat nothing of a
// password.
func PostgresEnvironment(databaseURL string) ([]string, error) {
	u, err := parsePostgresURL(databaseURL)
	if err != nil {
		return nil, err
	}
	var hosts, ports, options []string
	for _, server := range slices.CompactFunc(u.servers, func(a, b postgresServer) bool { return a.addr == b.addr }) {
		host, port, err := net.SplitHostPort(server.addr)
		if server.network == "unix" {
			host, port, err = filepath.Dir(server.addr), strings.TrimPrefix(filepath.Base(server.addr), socketName), nil
		}
		if err != nil {
			return nil, err
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	for _, name := range slices.Sorted(maps.Keys(u.settings)) {
		options = append(options, "-c "+name+"="+strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace(u.settings[name]))
	}
	rootCert := u.security.Get("sslrootcert")
	if strings.HasPrefix(u.security.Get("sslmode"), "verify-") {
		rootCert = cmp.Or(rootCert, systemCertificates())
	}
	attrs := ""
	if len(hosts) > 1 {
		attrs = "read-write" // the server that the site uses
	}
	var environment []string
	for name, value := range map[string]string{
		"PGHOST": strings.Join(hosts, ","), "PGPORT": strings.Join(ports, ","),
		"PGUSER": u.user, "PGPASSWORD": u.password, "PGDATABASE": u.database, "PGAPPNAME": u.application,
		"PGSSLMODE": u.security.Get("sslmode"), "PGSSLROOTCERT": rootCert, "PGSSLCERT": u.security.Get("sslcert"), "PGSSLKEY": u.security.Get("sslkey"),
		"PGOPTIONS": strings.Join(options, " "), "PGTARGETSESSIONATTRS": attrs,
	} {
		if value != "" {
			environment = append(environment, name+"="+value)
		}
	}
	slices.Sort(environment)
	return environment, nil
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
