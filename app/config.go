package app

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"go.opentelemetry.io/otel/trace"

	"vestibule/app/passkey"
	"vestibule/app/password"
	"vestibule/app/provider"
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
	Impersonation     string           `env:"IMPERSONATION" default:"read" help:"Whether operators with the role admin may use the site as somebody else, for 30 minutes: \"off\", \"read\" to change nothing, or \"write\" to change what isn't sensitive. The person is told afterwards."`
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
		Impersonation:     models.ImpersonationMode(c.Impersonation),

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
