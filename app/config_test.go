package app_test

import (
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/app/password"
)

// valid is a config as the defaults make it, before ValidateSite.
func valid() app.Config {
	return app.Config{
		Env: "development", Addr: "localhost:8080", DatabaseURL: "sqlite:data/vestibule.db", LogLevel: "info", SignUp: "open", SecondFactor: "optional", ProviderLinking: "ask", Impersonation: "read",
		SessionIdle: apptest.SessionIdle, SessionMax: apptest.SessionMax, AuditRetention: 365 * apptest.Day, Argon2Memory: 19456, Argon2Time: 2, Argon2Threads: 1,
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*app.Config)
		names  []string // the settings in its sentences, in order
	}{
		"no environment":               {func(c *app.Config) { c.Env = "" }, []string{"ENV"}},
		"another environment":          {func(c *app.Config) { c.Env = "Production" }, []string{"ENV"}},
		"no port":                      {func(c *app.Config) { c.Addr = "localhost" }, []string{"ADDR"}},
		"an address that is a URL":     {func(c *app.Config) { c.Addr = "http://localhost:8080" }, []string{"ADDR"}},
		"no such port":                 {func(c *app.Config) { c.Addr = "localhost:80800" }, []string{"ADDR"}},
		"profiles for everybody":       {func(c *app.Config) { c.PprofAddr = ":6060" }, []string{"PPROF_ADDR"}},
		"profiles for the network":     {func(c *app.Config) { c.PprofAddr = "192.0.2.1:6060" }, []string{"PPROF_ADDR"}},
		"profiles without a port":      {func(c *app.Config) { c.PprofAddr = "localhost" }, []string{"PPROF_ADDR"}},
		"metrics for everybody":        {func(c *app.Config) { c.MetricsAddr = ":9464" }, []string{"METRICS_ADDR"}},
		"metrics on every address":     {func(c *app.Config) { c.MetricsAddr = "0.0.0.0:9464" }, []string{"METRICS_ADDR"}},
		"metrics on a public address":  {func(c *app.Config) { c.MetricsAddr = "198.51.100.1:9464" }, []string{"METRICS_ADDR"}},
		"metrics by a name":            {func(c *app.Config) { c.MetricsAddr = "example.com:9464" }, []string{"METRICS_ADDR"}},
		"metrics without a port":       {func(c *app.Config) { c.MetricsAddr = "localhost" }, []string{"METRICS_ADDR"}},
		"metrics where the site is":    {func(c *app.Config) { c.MetricsAddr = c.Addr }, []string{"METRICS_ADDR"}},
		"metrics beside the site":      {func(c *app.Config) { c.Addr, c.MetricsAddr = ":80", "10.0.0.1:http" }, []string{"METRICS_ADDR"}},
		"bare IPv6":                    {func(c *app.Config) { c.Addr = "::1:8080" }, []string{"ADDR"}},
		"production without BASE_URL":  {func(c *app.Config) { production(c); c.BaseURL = "" }, []string{"BASE_URL"}},
		"production without a mailer":  {func(c *app.Config) { production(c); c.SMTPURL = "" }, []string{"SMTP_URL"}},
		"a mailer without a sender":    {func(c *app.Config) { production(c); c.MailFrom = "" }, []string{"MAIL_FROM"}},
		"a mailer that is no URL":      {func(c *app.Config) { production(c); c.SMTPURL = "mail.example.com" }, []string{"SMTP_URL"}},
		"plain http elsewhere":         {func(c *app.Config) { c.BaseURL = "http://example.com" }, []string{"BASE_URL"}},
		"plain http on a LAN":          {func(c *app.Config) { c.BaseURL = "http://192.168.0.1:8080" }, []string{"BASE_URL"}},
		"plain http by the address":    {func(c *app.Config) { c.Addr = "example.com:80" }, []string{"BASE_URL"}},
		"a URL with a path":            {func(c *app.Config) { c.BaseURL = "https://example.com/app" }, []string{"BASE_URL"}},
		"a URL with a query":           {func(c *app.Config) { c.BaseURL = "https://example.com?x=1" }, []string{"BASE_URL"}},
		"a URL with an empty query":    {func(c *app.Config) { c.BaseURL = "https://example.com?" }, []string{"BASE_URL"}},
		"a URL with a fragment":        {func(c *app.Config) { c.BaseURL = "https://example.com#x" }, []string{"BASE_URL"}},
		"a URL with an empty fragment": {func(c *app.Config) { c.BaseURL = "https://example.com#" }, []string{"BASE_URL"}},
		"a URL with a person":          {func(c *app.Config) { c.BaseURL = "https://me@example.com" }, []string{"BASE_URL"}},
		"a URL with a password":        {func(c *app.Config) { c.BaseURL = "https://me:%zz@example.com" }, []string{"BASE_URL"}},
		"a URL with a port alone":      {func(c *app.Config) { c.BaseURL = "https://:8443" }, []string{"BASE_URL"}},
		"a URL without a scheme":       {func(c *app.Config) { c.BaseURL = "example.com" }, []string{"BASE_URL"}},
		"a URL of another scheme":      {func(c *app.Config) { c.BaseURL = "ftp://example.com" }, []string{"BASE_URL"}},
		"a URL with a space":           {func(c *app.Config) { c.BaseURL = "https://exam ple.com" }, []string{"BASE_URL"}},
		"a proxy by name":              {func(c *app.Config) { c.TrustedProxies = "10.0.0.1,proxy" }, []string{"TRUSTED_PROXIES"}},
		"a proxy with a zone":          {func(c *app.Config) { c.TrustedProxies = "fe80::1%eth0" }, []string{"TRUSTED_PROXIES"}},
		"a network too small":          {func(c *app.Config) { c.TrustedProxies = "10.0.0.0/33" }, []string{"TRUSTED_PROXIES"}},
		"everybody a proxy":            {func(c *app.Config) { c.TrustedProxies = "0.0.0.0/0" }, []string{"TRUSTED_PROXIES"}},
		"everybody a proxy, by a star": {func(c *app.Config) { c.TrustedProxies = "*" }, []string{"TRUSTED_PROXIES"}},
		"a URL with an empty path":     {func(c *app.Config) { c.BaseURL = "https://example.com/app/" }, []string{"BASE_URL"}},
		"a URL with no such port":      {func(c *app.Config) { c.BaseURL = "https://example.com:99999" }, []string{"BASE_URL"}},
		"a URL with an odd name":       {func(c *app.Config) { c.BaseURL = "https://exa$mple.com" }, []string{"BASE_URL"}},
		"a URL of one colon":           {func(c *app.Config) { c.BaseURL = "https:example.com" }, []string{"BASE_URL"}},
		"an address of a port alone":   {func(c *app.Config) { c.Addr = "8080" }, []string{"ADDR"}},
		"one connection":               {func(c *app.Config) { c.DatabaseConns = 1 }, []string{"DATABASE_CONNS"}},
		"fewer connections than none":  {func(c *app.Config) { c.DatabaseConns = -1 }, []string{"DATABASE_CONNS"}},
		"no idle time":                 {func(c *app.Config) { c.SessionIdle = 0 }, []string{"SESSION_IDLE"}},
		"idle for 59 seconds":          {func(c *app.Config) { c.SessionIdle = 59 * time.Second }, []string{"SESSION_IDLE"}},
		"idle longer than at most":     {func(c *app.Config) { c.SessionMax = apptest.SessionIdle - 1 }, []string{"SESSION_MAX"}},
		"7 MiB with four passes":       {func(c *app.Config) { c.Argon2Memory, c.Argon2Time = 9215, 4 }, []string{"ARGON2_MEMORY"}},
		"7 MiB with one pass":          {func(c *app.Config) { c.Argon2Memory, c.Argon2Time = 7168, 1 }, []string{"ARGON2_MEMORY"}},
		"19 MiB with one pass":         {func(c *app.Config) { c.Argon2Memory, c.Argon2Time = 19456, 1 }, []string{"ARGON2_MEMORY"}},
		"memory below OWASP's least":   {func(c *app.Config) { c.Argon2Memory = 7167 }, []string{"ARGON2_MEMORY"}},
		"memory above 256 MiB":         {func(c *app.Config) { c.Argon2Memory = 256<<10 + 1 }, []string{"ARGON2_MEMORY"}},
		"no pass":                      {func(c *app.Config) { c.Argon2Time = 0 }, []string{"ARGON2_TIME"}},
		"unconfirmed for an hour":      {func(c *app.Config) { c.UnconfirmedMax = time.Hour }, []string{"UNCONFIRMED_MAX"}},
		"unconfirmed for less":         {func(c *app.Config) { c.UnconfirmedMax = -apptest.Day }, []string{"UNCONFIRMED_MAX"}},
		"an impersonation of some":     {func(c *app.Config) { c.Impersonation = "some" }, []string{"IMPERSONATION"}},
		"a second factor of some":      {func(c *app.Config) { c.SecondFactor = "some" }, []string{"SECOND_FACTOR"}},
		"a second factor without keys": {func(c *app.Config) { production(c); c.SecondFactor = "everyone" }, []string{"SECRET_KEYS"}},
		"trust for an hour":            {func(c *app.Config) { c.TrustBrowser = time.Hour }, []string{"TRUST_BROWSER"}},
		"a key without an ID":          {func(c *app.Config) { c.SecretKeys = "c2VjcmV0" }, []string{"SECRET_KEYS"}},
		"an audit log of half an hour": {func(c *app.Config) { c.AuditRetention = 30 * time.Minute }, []string{"AUDIT_RETENTION"}},
		"a shutdown an hour away":      {func(c *app.Config) { c.ShutdownDelay = time.Hour }, []string{"SHUTDOWN_DELAY"}},
		"a shutdown in the past":       {func(c *app.Config) { c.ShutdownDelay = -time.Second }, []string{"SHUTDOWN_DELAY"}},
		"17 passes":                    {func(c *app.Config) { c.Argon2Time = 17 }, []string{"ARGON2_TIME"}},
		"no thread":                    {func(c *app.Config) { c.Argon2Threads = 0 }, []string{"ARGON2_THREADS"}},
		"17 threads":                   {func(c *app.Config) { c.Argon2Threads = 17 }, []string{"ARGON2_THREADS"}},
		"no log level":                 {func(c *app.Config) { c.LogLevel = "" }, []string{"LOG_LEVEL"}},
		"another log level":            {func(c *app.Config) { c.LogLevel = "verbose" }, []string{"LOG_LEVEL"}},
		"everything": {func(c *app.Config) {
			*c = app.Config{BaseURL: "x", DatabaseConns: 1, SessionMax: -1, TrustedProxies: "x"}
		},
			[]string{"ENV", "ADDR", "BASE_URL", "TRUSTED_PROXIES", "IMPERSONATION", "DATABASE_CONNS", "SESSION_IDLE", "SESSION_MAX", "AUDIT_RETENTION", "SECOND_FACTOR", "SIGN_UP", "PROVIDER_LINKING", "ARGON2_MEMORY", "ARGON2_TIME", "ARGON2_THREADS", "LOG_LEVEL"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := valid()
			tt.change(&c)
			err := c.ValidateSite()
			if err == nil {
				t.Fatalf("%+v is accepted", c)
			}
			sentences := strings.Split(err.Error(), "\n")
			if len(sentences) != len(tt.names) {
				t.Fatalf("%d sentences, want %d about %v:\n%v", len(sentences), len(tt.names), tt.names, err)
			}
			for i, name := range tt.names {
				if !strings.HasPrefix(sentences[i], name+" ") {
					t.Errorf("%q does not begin with %s", sentences[i], name)
				}
			}
		})
	}
}

// production makes c one for people.
func production(c *app.Config) {
	mailed(c)
	c.Env, c.BaseURL = "production", "https://example.com"
}

// mailed gives c a mail server.
func mailed(c *app.Config) {
	c.SMTPURL, c.MailFrom = "smtp://user:password@mail.example.com:587", "Vestibule <hello@example.com>"
}

func TestConfigAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change  func(*app.Config)
		baseURL string
		secure  bool
	}{
		"the defaults":         {func(*app.Config) {}, "http://localhost:8080", false},
		"every address":        {func(c *app.Config) { c.Addr = ":8080" }, "http://localhost:8080", false},
		"every IPv4 address":   {func(c *app.Config) { c.Addr = "0.0.0.0:80" }, "http://localhost", false},
		"every IPv6 address":   {func(c *app.Config) { c.Addr = "[::]:80" }, "http://localhost", false},
		"IPv6":                 {func(c *app.Config) { c.Addr = "[::1]:8080" }, "http://[::1]:8080", false},
		"any loopback":         {func(c *app.Config) { c.BaseURL = "http://127.0.0.2:1" }, "http://127.0.0.2:1", false},
		"production":           {production, "https://example.com", true},
		"a slash at the end":   {func(c *app.Config) { c.BaseURL = "https://example.com/" }, "https://example.com", true},
		"a port":               {func(c *app.Config) { c.BaseURL = "https://example.com:8443" }, "https://example.com:8443", true},
		"https on localhost":   {func(c *app.Config) { c.BaseURL = "https://localhost:8080" }, "https://localhost:8080", true},
		"an address and a URL": {func(c *app.Config) { c.Addr, c.BaseURL = "10.0.0.1:80", "https://example.com" }, "https://example.com", true},
		"proxies":              {func(c *app.Config) { c.TrustedProxies = " 10.0.0.0/8 ,::1,, 192.0.2.1" }, "http://localhost:8080", false},
		"the least": {func(c *app.Config) {
			c.SessionIdle, c.SessionMax, c.Argon2Memory, c.Argon2Time = time.Minute, time.Minute, 7168, 5
		}, "http://localhost:8080", false},
		"one pass":                  {func(c *app.Config) { c.Argon2Memory, c.Argon2Time = 47104, 1 }, "http://localhost:8080", false},
		"three passes":              {func(c *app.Config) { c.Argon2Memory, c.Argon2Time = 12288, 3 }, "http://localhost:8080", false},
		"capitals":                  {func(c *app.Config) { c.BaseURL = "HTTPS://WWW.Example.COM" }, "https://www.example.com", true},
		"the default port":          {func(c *app.Config) { c.BaseURL = "https://example.com:443/" }, "https://example.com", true},
		"the port of http":          {func(c *app.Config) { c.BaseURL = "http://LOCALHOST:80" }, "http://localhost", false},
		"a port with a zero":        {func(c *app.Config) { c.BaseURL = "https://example.com:08443" }, "https://example.com:8443", true},
		"two slashes at the end":    {func(c *app.Config) { c.BaseURL = "https://example.com//" }, "https://example.com", true},
		"a dot at the end":          {func(c *app.Config) { c.BaseURL = "https://example.com." }, "https://example.com", true},
		"an international name":     {func(c *app.Config) { c.BaseURL = "https://BÜCHER.example" }, "https://xn--bcher-kva.example", true},
		"a name with underscores":   {func(c *app.Config) { c.BaseURL = "https://my_site.example.com" }, "https://my_site.example.com", true},
		"a long IPv6 address":       {func(c *app.Config) { c.BaseURL = "https://[2001:DB8:0:0::1]:443" }, "https://[2001:db8::1]", true},
		"proxies with spaces":       {func(c *app.Config) { c.TrustedProxies = "10.0.0.1/8 [::1];fd00::/8\n" }, "http://localhost:8080", false},
		"the most":                  {func(c *app.Config) { c.Argon2Memory, c.Argon2Time, c.Argon2Threads = 256<<10, 16, 16 }, "http://localhost:8080", false},
		"two connections":           {func(c *app.Config) { c.DatabaseConns = 2 }, "http://localhost:8080", false},
		"metrics on this machine":   {func(c *app.Config) { c.MetricsAddr = "localhost:9464" }, "http://localhost:8080", false},
		"metrics on the network":    {func(c *app.Config) { c.MetricsAddr = "[fd00::1]:9464" }, "http://localhost:8080", false},
		"metrics within a provider": {func(c *app.Config) { c.MetricsAddr = "100.64.0.9:9464" }, "http://localhost:8080", false},
		"a log level in capitals":   {func(c *app.Config) { c.LogLevel = "WARN" }, "http://localhost:8080", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := valid()
			tt.change(&c)
			if err := c.ValidateSite(); err != nil {
				t.Fatal(err)
			}
			if c.BaseURL != tt.baseURL || c.Secure() != tt.secure {
				t.Errorf("the site is %s, secure %v; want %s, %v", c.BaseURL, c.Secure(), tt.baseURL, tt.secure)
			}
			if err := c.ValidateSite(); err != nil {
				t.Errorf("a valid config is not valid again: %v", err)
			}
		})
	}
}

// What the other commands do not need must not keep them from work.
func TestConfigOfACommand(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*app.Config){
		"production":             func(c *app.Config) { c.Env = "production" },
		"production, every host": func(c *app.Config) { c.Env, c.Addr = "production", ":8080" },
		"production on a LAN":    func(c *app.Config) { c.Env, c.Addr = "production", "10.0.0.1:80" },
	} {
		c := valid()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.ValidateSite(); err == nil {
			t.Errorf("%s: %+v makes a site", name, c)
		}
	}
	c := valid()
	c.Env, c.LogLevel = "production", "loud"
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "LOG_LEVEL ") {
		t.Errorf("a bad value is refused with %v", err)
	}
}

// TestSettingsAreDocumented compares the settings with the table for operators and
// with .env.example, both ways.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	var settings []string
	defaults := map[string]string{}
	for field := range reflect.TypeFor[app.Config]().Fields() {
		name := field.Tag.Get("env")
		if name == "" {
			continue // of Providers, whose settings have any name
		}
		settings = append(settings, name)
		defaults[name] = field.Tag.Get("default")
	}

	for _, part := range []string{"ISSUER", "CLIENT_ID", "CLIENT_SECRET", "LABEL", "SCOPES"} {
		settings = append(settings, "OIDC_ACME_"+part)
	}

	const path = "../cmd/vestibule/README.md"
	_, table, _ := strings.Cut(read(t, path), "\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	code := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(table) {
		cells := strings.SplitN(line, "|", 4)
		names, values := code.FindAllStringSubmatch(cells[1], -1), code.FindAllStringSubmatch(cells[2], -1)
		for i, name := range names {
			rows = append(rows, name[1])
			switch want := defaults[name[1]]; {
			case want != "" && (i >= len(values) || values[i][1] != want):
				t.Errorf("%s gives %s the default %s, want %s", path, name[1], cells[2], want)
			case want == "" && name[1] != "BASE_URL" && strings.TrimSpace(cells[2]) != "none":
				t.Errorf("%s gives %s the default %s, want none", path, name[1], cells[2])
			}
		}
	}
	if !slices.Equal(rows, settings) {
		t.Errorf("the table of %s has\n%v, want\n%v", path, rows, settings)
	}

	var examples []string
	for _, match := range regexp.MustCompile(`(?m)^# ([A-Z0-9_]+)=`).FindAllStringSubmatch(read(t, "../.env.example"), -1) {
		examples = append(examples, match[1])
	}
	if !slices.Equal(examples, settings) {
		t.Errorf(".env.example has\n%v, want\n%v", examples, settings)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Schemes and hosts have no case (RFC 3986, 3.1 and 3.2.2): a site by HTTPS://
// must get Secure cookies like one by https://.
func TestBaseURLInCapitals(t *testing.T) {
	t.Parallel()
	c := valid()
	c.BaseURL = "HTTPS://example.com"
	if err := c.ValidateSite(); err != nil || !c.Secure() {
		t.Errorf("the cookies of %s are not Secure (%v)", c.BaseURL, err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("development", "localhost:8080", "", "", "info")
	f.Add("production", ":80", "https://example.com", "10.0.0.0/8, ::1", "WARN")
	f.Add("production", "[::1]:http", "HTTPS://EXAMPLE.com:443/", "fe80::1%eth0", "error-4")
	f.Add("", ":", "https://example.com?", ",,", "")
	f.Add("development", "localhost:99999", "http://localhost@evil", "1.2.3.4/33", "INFO+99999999999999999999")
	f.Add("development", "[::]:\x00", "https://\xff", "\x00", "\n")
	f.Fuzz(func(t *testing.T, env, addr, baseURL, proxies, level string) {
		c := valid()
		c.Env, c.Addr, c.BaseURL, c.TrustedProxies, c.LogLevel = env, addr, baseURL, proxies, level
		c.Argon2Memory, c.Argon2Time = 7168, 5
		mailed(&c)
		if err := c.ValidateSite(); err != nil {
			for sentence := range strings.SplitSeq(err.Error(), "\n") {
				if name, _, _ := strings.Cut(sentence, " "); !strings.Contains(" ENV ADDR BASE_URL TRUSTED_PROXIES LOG_LEVEL ", " "+name+" ") {
					t.Errorf("%q names no setting", sentence)
				}
			}
			return
		}
		u, err := url.Parse(c.BaseURL)
		if err != nil || u.Hostname() == "" || c.Secure() != (u.Scheme == "https") {
			t.Errorf("%q is accepted, secure %v (%v)", c.BaseURL, c.Secure(), err)
		}
		if _, err := app.New(c, nil, slog.New(slog.DiscardHandler), password.Here); err != nil {
			t.Errorf("a valid config makes no site: %v", err)
		}
	})
}
