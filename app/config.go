package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"go.opentelemetry.io/otel/trace"

	"vestibule/app/mail"
	"vestibule/app/passkey"
	"vestibule/app/password"
	"vestibule/app/provider"
	"vestibule/app/secrets"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
)

// Config holds every setting. Each comes from the environment variable in its env
// tag, from the same name in a file .env, or from its default, in this order.
type Config struct {
	Env               string           `env:"ENV" default:"development" help:"\"development\" or \"production\"."`
	Addr              string           `env:"ADDR" default:"localhost:8080" help:"Address to listen on, as host:port. Without a host, listens on all interfaces."`
	BaseURL           string           `env:"BASE_URL" help:"Address of the site as people type it, such as https://example.com. Required in production; the default is http://ADDR."`
	RelatedOrigins    string           `env:"RELATED_ORIGINS" help:"Other addresses whose pages may use the passkeys of BASE_URL, such as https://example.co.uk, separated by commas."`
	DatabaseURL       string           `env:"DATABASE_URL" default:"sqlite:data/vestibule.db" help:"\"sqlite:PATH\" or \"postgres://user:password@host/database\", with the parameters of libpq. As a flag, it must not have a password."`
	DatabaseConns     int              `env:"DATABASE_CONNS" default:"0" help:"Maximum number of database connections: 2 or more, or 0 to choose by the number of cores."`
	TrustedProxies    string           `env:"TRUSTED_PROXIES" help:"IP addresses or networks of the proxies whose X-Forwarded-For is trusted, separated by commas."`
	SessionIdle       time.Duration    `env:"SESSION_IDLE" default:"720h" help:"A session ends after this long without use. It is renewed after half that time."`
	SessionMax        time.Duration    `env:"SESSION_MAX" default:"2160h" help:"A session ends this long after sign-in, even if it is in use."`
	Argon2Memory      uint32           `name:"argon2-memory" env:"ARGON2_MEMORY" default:"19456" help:"Memory for a password hash, in KiB. The fewer passes, the more it must be: 47104 for one, 19456 for two, 12288 for three, 9216 for four, 7168 for five."`
	Argon2Time        uint32           `name:"argon2-time" env:"ARGON2_TIME" default:"2" help:"Passes of a password hash over its memory."`
	Argon2Threads     uint8            `name:"argon2-threads" env:"ARGON2_THREADS" default:"1" help:"Threads of a password hash."`
	AuditRetention    time.Duration    `env:"AUDIT_RETENTION" default:"8760h" help:"How long events stay in the audit log."`
	UnconfirmedMax    time.Duration    `env:"UNCONFIRMED_MAX" default:"336h" help:"An account is deleted this long after sign-up if its email address was never confirmed. 0s keeps it."`
	ConfirmPassword   Switch           `env:"CONFIRM_PASSWORD" default:"on" help:"Whether people type a new password twice: \"on\" or \"off\". They can look at it either way."`
	Breached          string           `name:"breached-passwords" env:"BREACHED_PASSWORDS" help:"Refuse passwords that are known from data breaches: a file that vestibule breached build wrote, or the URL of a range service such as https://api.pwnedpasswords.com/range/, which learns the first five digits of the SHA-1 of each new password."`
	Usernames         models.Usernames `env:"USERNAMES" default:"required" help:"Whether people have a username: \"required\", \"optional\", or \"off\", where they sign in by email address alone. Usernames that exist are kept, but neither shown nor accepted, while it is off."`
	Names             models.Names     `env:"NAMES" default:"both" help:"Which names people give: \"both\", a first and a last name, or \"one\", as they write it. Either setting shows the names that the other stored."`
	LimitAccount      models.Limit     `env:"LIMIT_ACCOUNT" default:"5,1s,15m,24h" help:"Limit on wrong passwords for an account, as FREE,FIRST,LONGEST,FORGET: the first FREE are immediate, then each must wait twice as long as the last, from FIRST up to LONGEST. The count restarts after FORGET without one. \"off\" disables it."`
	LimitAddress      models.Limit     `env:"LIMIT_ADDRESS" default:"30,1s,5m,1h" help:"Limit on wrong passwords from an IP address, in the same form."`
	LimitSignUp       models.Limit     `env:"LIMIT_SIGN_UP" default:"60,10s,10m,1h" help:"Limit on sign-ups, requests for mail, invitations and new organizations from an IP address, each counted separately, in the same form."`
	LimitInvite       models.Limit     `env:"LIMIT_INVITE" default:"30,1h,1h,1h" help:"Limit on invitations by an account and, counted separately, to an organization, in the same form."`
	LimitInviteDay    models.Limit     `env:"LIMIT_INVITE_DAY" default:"100,24h,24h,24h" help:"A second limit on the same invitations, for longer times."`
	LimitMail         models.Limit     `env:"LIMIT_MAIL" default:"3,1m,1h,24h" help:"Limit on requests for mail to a recipient, in the same form. Addresses that differ in dots or in what follows a + before the @ count as one."`
	LimitCheck        models.Limit     `env:"LIMIT_CHECK" default:"200,1s,1m,1h" help:"Limit on checks from an IP address whether a username, an email address or an organization's address is taken and, counted separately, on sign-ins that a passkey begins, in the same form."`
	LimitWrites       models.Rate      `env:"LIMIT_WRITES" default:"120" help:"How many changes a signed-in person can make in a minute. \"off\" disables it."`
	SMTPURL           string           `name:"smtp-url" env:"SMTP_URL" help:"Mail server: \"smtp://user:password@host:587\" (STARTTLS) or \"smtps://host:465\". Required in production. Without it, mail is shown on /dev/mail, to this machine only. As a flag, it must not have a password."`
	MailFrom          string           `env:"MAIL_FROM" help:"Sender of mail, such as \"Vestibule <hello@example.com>\". Required with SMTP_URL."`
	SignUp            string           `env:"SIGN_UP" default:"open" help:"Who may create an account: \"open\" for everybody, \"domains\" for people with an address at SIGN_UP_DOMAINS, \"invited\" or \"closed\". A valid invitation always lets in, and users create works anyway."`
	SignUpDomains     string           `env:"SIGN_UP_DOMAINS" help:"With SIGN_UP=domains, the domains of email addresses, separated by commas. *.example.com is every name below example.com."`
	SecondFactor      string           `env:"SECOND_FACTOR" default:"optional" help:"Who must have a second factor: \"optional\", \"operators\" of the site, or \"everyone\". Whoever must and has neither a passkey nor an authenticator app is led to add one before anything else."`
	TrustBrowser      time.Duration    `env:"TRUST_BROWSER" default:"720h" help:"How long a browser that a person trusts isn't asked for a second factor: a day or more, or 0s to always ask."`
	RecoveryWait      time.Duration    `env:"RECOVERY_WAIT" default:"72h" help:"How long somebody who has lost their second factor waits before they can remove it by mail: a day to 30 days, or 0s to leave that to operators."`
	SecretKeys        string           `env:"SECRET_KEYS" help:"Keys that encrypt the secrets of authenticator apps, as ID:KEY, separated by commas: the first encrypts, all decrypt. vestibule secrets new prints one. In development, the default is a key in data/secret-keys. As a flag, it isn't accepted."`
	ShutdownDelay     time.Duration    `env:"SHUTDOWN_DELAY" default:"0s" help:"How long to accept new requests after SIGTERM, while /readyz answers 503, so that a load balancer can notice. At most 1m."`
	AccessLog         web.AccessLog    `env:"ACCESS_LOG" default:"all" help:"Which requests are logged: \"all\", \"errors\", \"off\", or \"errors\" and a share of the others, such as 0.1."`
	LogLevel          string           `env:"LOG_LEVEL" default:"info" help:"\"debug\", \"info\", \"warn\" or \"error\"."`
	ProviderLinking   string           `env:"PROVIDER_LINKING" default:"ask" help:"What happens if a provider signs in somebody whose email address has an account here: \"ask\" tells them to sign in another way and connect it, \"verified\" connects it at once if both have verified the address. Providers are set by OIDC_NAME_ISSUER, _CLIENT_ID, _CLIENT_SECRET, _LABEL and _SCOPES, for any NAME."`
	ProviderSignOut   Switch           `env:"PROVIDER_SIGN_OUT" default:"off" help:"Whether signing out here also leads to the page of the provider that signs out there: \"on\" or \"off\"."`
	AdminAddr         string           `env:"ADMIN_ADDR" help:"Address to serve the operator's pages on, as host:port. They are then absent from ADDR. Without it, they are on ADDR."`
	AdminNetworks     string           `env:"ADMIN_NETWORKS" help:"IP addresses or networks that the operator's pages open from, separated by commas. Without it, they open from everywhere."`
	AdminSecondFactor Switch           `env:"ADMIN_SECOND_FACTOR" default:"on" help:"Whether the operator's pages require a second factor: \"on\" or \"off\"."`
	PprofAddr         string           `env:"PPROF_ADDR" help:"Address that serves profiles of the running program. Must be on localhost, such as localhost:6060."`
	MetricsAddr       string           `env:"METRICS_ADDR" help:"Address that serves metrics for Prometheus, on /metrics. Must be on this machine or a private network, such as localhost:9464, and not the port of ADDR."`

	// Providers are where people have accounts by which they sign in: see [ReadProviders].
	Providers []provider.Config `kong:"-"`

	// Tracer traces requests; nil for none.
	Tracer trace.Tracer `kong:"-"`
}

// Switch is a setting that is on or off.
type Switch bool

// UnmarshalText reads "on" or "off".
func (s *Switch) UnmarshalText(text []byte) error {
	if string(text) != "on" && string(text) != "off" {
		return errors.New(`it must be "on" or "off"`)
	}
	*s = string(text) == "on"
	return nil
}

// Validate returns a sentence about each setting whose value is invalid. In
// development it fills in BASE_URL. [Config.ValidateSite] also checks what a site
// requires.
func (c *Config) Validate() error { return c.validate(false) }

// ValidateSite is Validate for a site: it also returns a sentence about each
// setting that a site requires and that is missing.
func (c *Config) ValidateSite() error { return c.validate(true) }

func (c *Config) validate(site bool) error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	wrong := func(name, value, want string) { say("%s is %q: it must be %s", name, value, want) }
	if c.Env != "development" && c.Env != "production" {
		wrong("ENV", c.Env, `"development" or "production"`)
	}
	host, port, err := splitAddr(c.Addr)
	if err != nil {
		wrong("ADDR", c.Addr, "host:port, such as localhost:8080, or :8080 for every address")
	}
	switch {
	case c.BaseURL != "" || err != nil:
	case !c.Production():
		c.BaseURL = "http://" + net.JoinHostPort(host, port)
		if host == "" || isUnspecified(host) {
			c.BaseURL = "http://" + net.JoinHostPort("localhost", port)
		}
	case site:
		say("BASE_URL is not set: production needs the site's address, such as https://example.com")
	}
	switch origin, err := normalizeBaseURL(c.BaseURL); {
	case c.BaseURL == "":
	case strings.Contains(c.BaseURL, "@"): // may follow a password
		say("BASE_URL holds a user or a password: it must be https://HOST alone")
	case err != nil:
		say("BASE_URL is %q: %w", c.BaseURL, err)
	default:
		c.BaseURL = origin
	}
	if _, err := c.trustedProxies(); err != nil {
		wrong("TRUSTED_PROXIES", c.TrustedProxies, "IP addresses or networks such as 10.0.0.0/8, separated by commas, and not everybody's")
	}
	if _, err := c.relatedOrigins(); err != nil {
		wrong("RELATED_ORIGINS", c.RelatedOrigins, "https:// addresses with no path, separated by commas, of at most five names besides their endings")
	}
	if _, err := readNetworks(c.AdminNetworks); err != nil {
		wrong("ADMIN_NETWORKS", c.AdminNetworks, "IP addresses or networks such as 10.0.0.0/8, separated by commas")
	}
	if _, _, err := splitAddr(c.AdminAddr); c.AdminAddr != "" && (err != nil || c.AdminAddr == c.Addr) {
		wrong("ADMIN_ADDR", c.AdminAddr, "host:port, such as 10.0.0.5:8081, and not ADDR")
	}
	if c.DatabaseConns < 0 || c.DatabaseConns == 1 { // a migration takes two
		wrong("DATABASE_CONNS", fmt.Sprint(c.DatabaseConns), "0, or 2 or more")
	}
	if c.SessionIdle < time.Minute {
		wrong("SESSION_IDLE", c.SessionIdle.String(), "a minute (1m) or more")
	}
	if c.SessionMax < c.SessionIdle {
		wrong("SESSION_MAX", c.SessionMax.String(), "at least SESSION_IDLE")
	}
	if c.AuditRetention < time.Hour {
		wrong("AUDIT_RETENTION", c.AuditRetention.String(), "an hour (1h) or more")
	}
	if c.UnconfirmedMax != 0 && c.UnconfirmedMax < minUnconfirmed {
		wrong("UNCONFIRMED_MAX", c.UnconfirmedMax.String(), "a day (24h) or more, or 0s")
	}
	second := models.Whom(c.SecondFactor)
	if !slices.Contains([]models.Whom{models.Nobody, models.Operators, models.Everyone}, second) {
		wrong("SECOND_FACTOR", c.SecondFactor, `"optional", "operators" or "everyone"`)
	}
	if second != models.Nobody && c.SecretKeys == "" && c.Production() && site {
		say("SECRET_KEYS is not set: nobody could set up the second factor that SECOND_FACTOR requires; vestibule secrets new prints a key")
	}
	mode := models.SignUpMode(c.SignUp)
	if !slices.Contains([]models.SignUpMode{models.SignUpOpen, models.SignUpDomains, models.SignUpInvited, models.SignUpClosed}, mode) {
		wrong("SIGN_UP", c.SignUp, `"open", "domains", "invited" or "closed"`)
	}
	switch domains, err := c.signUpDomains(); {
	case err != nil:
		wrong("SIGN_UP_DOMAINS", c.SignUpDomains, "domains such as example.com or *.example.com, separated by commas")
	case mode == models.SignUpDomains && len(domains) == 0:
		say("SIGN_UP_DOMAINS is not set: SIGN_UP=domains needs the domains of email addresses that may sign up, such as example.com")
	}
	if c.ProviderLinking != "ask" && c.ProviderLinking != "verified" {
		wrong("PROVIDER_LINKING", c.ProviderLinking, `"ask" or "verified"`)
	}
	errs = append(errs, c.completeProviders()...)
	if c.TrustBrowser != 0 && c.TrustBrowser < 24*time.Hour {
		wrong("TRUST_BROWSER", c.TrustBrowser.String(), "a day (24h) or more, or 0s")
	}
	if c.RecoveryWait != 0 && (c.RecoveryWait < 24*time.Hour || c.RecoveryWait > 30*24*time.Hour) {
		wrong("RECOVERY_WAIT", c.RecoveryWait.String(), "a day (24h) to 30 days (720h), or 0s")
	}
	if _, err := secrets.Parse(c.SecretKeys); err != nil {
		say("SECRET_KEYS can't be read: %w", err)
	}
	if c.ShutdownDelay < 0 || c.ShutdownDelay > time.Minute {
		wrong("SHUTDOWN_DELAY", c.ShutdownDelay.String(), "0s to a minute (1m)")
	}
	between := func(name string, value, least, most uint32) {
		if value < least || value > most {
			wrong(name, fmt.Sprint(value), fmt.Sprintf("%d to %d", least, most))
		}
	}
	least := minArgon2Memory[len(minArgon2Memory)-1]
	if c.Argon2Time > 0 && int(c.Argon2Time) < len(minArgon2Memory) {
		least = minArgon2Memory[c.Argon2Time-1]
	}
	if c.Argon2Memory < least || c.Argon2Memory > password.MaxMemory {
		wrong("ARGON2_MEMORY", fmt.Sprint(c.Argon2Memory), fmt.Sprintf("%d to %d with ARGON2_TIME=%d; fewer passes need more memory", least, password.MaxMemory, c.Argon2Time))
	}
	between("ARGON2_TIME", c.Argon2Time, 1, password.MaxIterations)
	between("ARGON2_THREADS", uint32(c.Argon2Threads), 1, password.MaxParallelism)
	switch {
	case c.SMTPURL == "" && c.Production() && site:
		say("SMTP_URL is not set: production needs a mail server, such as smtp://user:password@mail.example.com:587")
	case c.SMTPURL == "":
	case c.MailFrom == "":
		say("MAIL_FROM is not set: mail needs a sender, such as hello@example.com")
	default:
		if _, err := mail.NewSMTP(c.SMTPURL, c.MailFrom); err != nil {
			say("SMTP_URL and MAIL_FROM: %w", err)
		}
	}
	if new(slog.Level).UnmarshalText([]byte(c.LogLevel)) != nil {
		wrong("LOG_LEVEL", c.LogLevel, `"debug", "info", "warn" or "error"`)
	}
	if host, _, err := splitAddr(c.PprofAddr); c.PprofAddr != "" && (err != nil || !mail.IsLoopback(host)) {
		wrong("PPROF_ADDR", c.PprofAddr, "on localhost, such as localhost:6060: profiles show what the program holds in memory")
	}
	if c.MetricsAddr != "" && c.checkMetricsAddr() != nil {
		wrong("METRICS_ADDR", c.MetricsAddr, "an address of this machine or a private network, such as localhost:9464, on another port than ADDR")
	}
	return errors.Join(errs...)
}

// splitAddr returns the host and the port of an address to listen on.
func splitAddr(addr string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(addr); err != nil {
		return "", "", err
	}
	_, err = net.LookupPort("tcp", port)
	return host, port, err
}

// minArgon2Memory is the least memory for one, two, three, four and more passes, in
// KiB: the equivalent pairs of OWASP's Password Storage Cheat Sheet.
var minArgon2Memory = [...]uint32{46 << 10, 19 << 10, 12 << 10, 9 << 10, 7 << 10}

// minUnconfirmed is how long the link in the first mail works.
const minUnconfirmed = 24 * time.Hour

// Production reports whether the site is in production, not in development.
func (c *Config) Production() bool { return c.Env == "production" }

// Secure reports whether browsers reach the site by https, and so whether cookies get
// the Secure attribute. Plain http is only for localhost.
func (c *Config) Secure() bool { return strings.HasPrefix(c.BaseURL, "https://") }

// web returns the settings that handlers need.
func (c *Config) web() web.Config {
	proxies, _ := c.trustedProxies() // Validate has checked it
	related, _ := c.relatedOrigins() // likewise
	domains, _ := c.signUpDomains()
	operators, _ := readNetworks(c.AdminNetworks)
	return web.Config{
		BaseURL:  c.BaseURL,
		Secure:   c.Secure(),
		Lifetime: models.Lifetime{Idle: c.SessionIdle, Max: c.SessionMax},

		RelatedOrigins: related,

		TrustedProxies: proxies,

		AdminNetworks:     operators,
		AdminApart:        c.AdminAddr != "",
		AdminSecondFactor: bool(c.AdminSecondFactor),

		Naming: c.naming(),

		LimitAccount: c.LimitAccount,
		LimitAddress: c.LimitAddress,
		LimitSignUp:  c.LimitSignUp,
		LimitMail:    c.LimitMail,
		LimitCheck:   c.LimitCheck,
		LimitWrites:  c.LimitWrites,

		AccessLog: c.AccessLog,

		UnconfirmedMax:  c.UnconfirmedMax,
		ConfirmPassword: bool(c.ConfirmPassword),
		LimitInvite:     c.LimitInvite, LimitInviteDay: c.LimitInviteDay,
		TrustBrowser: c.TrustBrowser,
		RecoveryWait: c.RecoveryWait,

		SecondFactor: models.Whom(c.SecondFactor),

		SignUp:        models.SignUpMode(c.SignUp),
		SignUpDomains: domains,

		Providers:    c.Providers,
		LinkVerified: c.ProviderLinking == "verified",
		SignOutThere: bool(c.ProviderSignOut),
	}
}

// signUpDomains returns the domains of SIGN_UP_DOMAINS as A-labels.
func (c *Config) signUpDomains() ([]string, error) {
	var domains []string
	for _, d := range splitList(c.SignUpDomains) {
		name, below := strings.CutPrefix(d, "*.")
		address := text.Email("a@" + name)
		if err := text.CheckEmail(address); err != nil {
			return nil, err
		}
		domain := strings.ToLower(address[len("a@"):])
		if below {
			domain = "*." + domain
		}
		domains = append(domains, domain)
	}
	return domains, nil
}

// naming returns by which names the site knows people.
func (c *Config) naming() models.Naming { return models.Naming{Usernames: c.Usernames, Names: c.Names} }

func (c *Config) argon2() argon2id.Params {
	params := password.DefaultParams
	params.Memory, params.Iterations, params.Parallelism = c.Argon2Memory, c.Argon2Time, c.Argon2Threads
	return params
}

// trustedProxies returns the networks of TRUSTED_PROXIES.
func (c *Config) trustedProxies() ([]netip.Prefix, error) {
	proxies, err := readNetworks(c.TrustedProxies)
	if slices.ContainsFunc(proxies, func(network netip.Prefix) bool { return network.Bits() == 0 }) { // everybody could claim any address
		return nil, errors.New("every address is trusted")
	}
	return proxies, err
}

// readNetworks returns the networks of a setting that lists networks and IP addresses.
func readNetworks(list string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, p := range splitList(list) {
		network, err := netip.ParsePrefix(p)
		if ip, errIP := netip.ParseAddr(strings.Trim(p, "[]")); errIP == nil && ip.Zone() == "" {
			network, err = ip.Unmap().Prefix(ip.Unmap().BitLen())
		}
		if err != nil {
			return nil, err
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// relatedOrigins returns the origins of RELATED_ORIGINS.
func (c *Config) relatedOrigins() ([]string, error) {
	var origins []string
	for _, address := range splitList(c.RelatedOrigins) {
		origin, err := normalizeBaseURL(address)
		if err != nil {
			return nil, err
		}
		origins = append(origins, origin)
	}
	if len(origins) == 0 {
		return nil, nil
	}
	_, err := passkey.NewRelyingParty(c.BaseURL, origins) // the base URL is one of them
	return origins, err
}

// splitList returns the items of a setting that holds several.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) })
}

func isUnspecified(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}
