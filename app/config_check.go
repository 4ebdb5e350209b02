package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"vestibule/app/mail"
	"vestibule/app/password"
	"vestibule/app/secrets"
	"vestibule/models"
)

// problems are sentences about settings.
type problems []error

func (p *problems) say(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// wrong says what the value of a setting must be.
func (p *problems) wrong(name, value, want string) {
	p.say("%s is %q: it must be %s", name, value, want)
}

// between says so unless value is between least and most.
func (p *problems) between(name string, value, least, most uint32) {
	if value < least || value > most {
		p.wrong(name, fmt.Sprint(value), fmt.Sprintf("%d to %d", least, most))
	}
}

// validate returns the problems of all settings; site is as in ValidateSite.
func (c *Config) validate(site bool) error {
	var p problems
	c.checkAddresses(&p, site)
	c.checkLimits(&p)
	c.checkSecondFactor(&p, site)
	c.checkSignUp(&p)
	c.checkHashing(&p)
	c.checkMail(&p, site)
	c.checkOperation(&p)
	return errors.Join(p...)
}

// checkAddresses checks where the site is, and who may reach its parts.
func (c *Config) checkAddresses(p *problems, site bool) {
	if c.Env != "development" && c.Env != "production" {
		p.wrong("ENV", c.Env, `"development" or "production"`)
	}
	host, port, err := splitAddr(c.Addr)
	if err != nil {
		p.wrong("ADDR", c.Addr, "host:port, such as localhost:8080, or :8080 for every address")
	}
	switch {
	case c.BaseURL != "" || err != nil:
	case !c.Production():
		c.BaseURL = "http://" + net.JoinHostPort(host, port)
		if host == "" || isUnspecified(host) {
			c.BaseURL = "http://" + net.JoinHostPort("localhost", port)
		}
	case site:
		p.say("BASE_URL is not set: production needs the site's address, such as https://example.com")
	}
	switch origin, err := normalizeBaseURL(c.BaseURL); {
	case c.BaseURL == "":
	case strings.Contains(c.BaseURL, "@"): // may follow a password
		p.say("BASE_URL holds a user or a password: it must be https://HOST alone")
	case err != nil:
		p.say("BASE_URL is %q: %w", c.BaseURL, err)
	default:
		c.BaseURL = origin
	}
	if _, err := c.trustedProxies(); err != nil {
		p.wrong("TRUSTED_PROXIES", c.TrustedProxies, "IP addresses or networks such as 10.0.0.0/8, separated by commas, and not everybody's")
	}
	if _, err := c.relatedOrigins(); err != nil {
		p.wrong("RELATED_ORIGINS", c.RelatedOrigins, "https:// addresses with no path, separated by commas, of at most five names besides their endings")
	}
	if _, err := readNetworks(c.AdminNetworks); err != nil {
		p.wrong("ADMIN_NETWORKS", c.AdminNetworks, "IP addresses or networks such as 10.0.0.0/8, separated by commas")
	}
	if _, _, err := splitAddr(c.AdminAddr); c.AdminAddr != "" && (err != nil || c.AdminAddr == c.Addr) {
		p.wrong("ADMIN_ADDR", c.AdminAddr, "host:port, such as 10.0.0.5:8081, and not ADDR")
	}
	if !slices.Contains([]models.ImpersonationMode{models.ImpersonationOff, models.ImpersonationRead, models.ImpersonationWrite}, models.ImpersonationMode(c.Impersonation)) {
		p.wrong("IMPERSONATION", c.Impersonation, `"off", "read" or "write"`)
	}
}

// minUnconfirmed is how long the link in the first mail works.
const minUnconfirmed = 24 * time.Hour

// checkLimits checks how many connections there are, and how long sessions and records are
// kept.
func (c *Config) checkLimits(p *problems) {
	if c.DatabaseConns < 0 || c.DatabaseConns == 1 { // a migration takes two
		p.wrong("DATABASE_CONNS", fmt.Sprint(c.DatabaseConns), "0, or 2 or more")
	}
	if c.SessionIdle < time.Minute {
		p.wrong("SESSION_IDLE", c.SessionIdle.String(), "a minute (1m) or more")
	}
	if c.SessionMax < c.SessionIdle {
		p.wrong("SESSION_MAX", c.SessionMax.String(), "at least SESSION_IDLE")
	}
	if c.AuditRetention < time.Hour {
		p.wrong("AUDIT_RETENTION", c.AuditRetention.String(), "an hour (1h) or more")
	}
	if c.UnconfirmedMax != 0 && c.UnconfirmedMax < minUnconfirmed {
		p.wrong("UNCONFIRMED_MAX", c.UnconfirmedMax.String(), "a day (24h) or more, or 0s")
	}
	if c.ShutdownDelay < 0 || c.ShutdownDelay > time.Minute {
		p.wrong("SHUTDOWN_DELAY", c.ShutdownDelay.String(), "0s to a minute (1m)")
	}
}

func (c *Config) checkSecondFactor(p *problems, site bool) {
	second := models.Whom(c.SecondFactor)
	if !slices.Contains([]models.Whom{models.Nobody, models.Operators, models.Everyone}, second) {
		p.wrong("SECOND_FACTOR", c.SecondFactor, `"optional", "operators" or "everyone"`)
	}
	if second != models.Nobody && c.SecretKeys == "" && c.Production() && site {
		p.say("SECRET_KEYS is not set: nobody could set up the second factor that SECOND_FACTOR requires; vestibule secrets new prints a key")
	}
	if _, err := secrets.Parse(c.SecretKeys); err != nil {
		p.say("SECRET_KEYS can't be read: %w", err)
	}
	if c.TrustBrowser != 0 && c.TrustBrowser < 24*time.Hour {
		p.wrong("TRUST_BROWSER", c.TrustBrowser.String(), "a day (24h) or more, or 0s")
	}
	if c.RecoveryWait != 0 && (c.RecoveryWait < 24*time.Hour || c.RecoveryWait > 30*24*time.Hour) {
		p.wrong("RECOVERY_WAIT", c.RecoveryWait.String(), "a day (24h) to 30 days (720h), or 0s")
	}
}

// checkSignUp checks who may sign up, and by which providers.
func (c *Config) checkSignUp(p *problems) {
	mode := models.SignUpMode(c.SignUp)
	if !slices.Contains([]models.SignUpMode{models.SignUpOpen, models.SignUpDomains, models.SignUpInvited, models.SignUpClosed}, mode) {
		p.wrong("SIGN_UP", c.SignUp, `"open", "domains", "invited" or "closed"`)
	}
	switch domains, err := c.signUpDomains(); {
	case err != nil:
		p.wrong("SIGN_UP_DOMAINS", c.SignUpDomains, "domains such as example.com or *.example.com, separated by commas")
	case mode == models.SignUpDomains && len(domains) == 0:
		p.say("SIGN_UP_DOMAINS is not set: SIGN_UP=domains needs the domains of email addresses that may sign up, such as example.com")
	}
	if c.ProviderLinking != "ask" && c.ProviderLinking != "verified" {
		p.wrong("PROVIDER_LINKING", c.ProviderLinking, `"ask" or "verified"`)
	}
	*p = append(*p, c.completeProviders()...)
}

// minArgon2Memory is the least memory for one, two, three, four and more passes, in
// KiB: the equivalent pairs of OWASP's Password Storage Cheat Sheet.
var minArgon2Memory = [...]uint32{46 << 10, 19 << 10, 12 << 10, 9 << 10, 7 << 10}

func (c *Config) checkHashing(p *problems) {
	least := minArgon2Memory[len(minArgon2Memory)-1]
	if c.Argon2Time > 0 && int(c.Argon2Time) < len(minArgon2Memory) {
		least = minArgon2Memory[c.Argon2Time-1]
	}
	if c.Argon2Memory < least || c.Argon2Memory > password.MaxMemory {
		p.wrong("ARGON2_MEMORY", fmt.Sprint(c.Argon2Memory), fmt.Sprintf("%d to %d with ARGON2_TIME=%d; fewer passes need more memory", least, password.MaxMemory, c.Argon2Time))
	}
	p.between("ARGON2_TIME", c.Argon2Time, 1, password.MaxIterations)
	p.between("ARGON2_THREADS", uint32(c.Argon2Threads), 1, password.MaxParallelism)
}

func (c *Config) checkMail(p *problems, site bool) {
	switch {
	case c.SMTPURL == "" && c.Production() && site:
		p.say("SMTP_URL is not set: production needs a mail server, such as smtp://user:password@mail.example.com:587")
	case c.SMTPURL == "":
	case c.MailFrom == "":
		p.say("MAIL_FROM is not set: mail needs a sender, such as hello@example.com")
	default:
		if _, err := mail.NewSMTP(c.SMTPURL, c.MailFrom); err != nil {
			p.say("SMTP_URL and MAIL_FROM: %w", err)
		}
	}
}

// checkOperation checks the log, and the addresses for operators' tools.
func (c *Config) checkOperation(p *problems) {
	if new(slog.Level).UnmarshalText([]byte(c.LogLevel)) != nil {
		p.wrong("LOG_LEVEL", c.LogLevel, `"debug", "info", "warn" or "error"`)
	}
	if host, _, err := splitAddr(c.PprofAddr); c.PprofAddr != "" && (err != nil || !mail.IsLoopback(host)) {
		p.wrong("PPROF_ADDR", c.PprofAddr, "on localhost, such as localhost:6060: profiles show what the program holds in memory")
	}
	if c.MetricsAddr != "" && c.checkMetricsAddr() != nil {
		p.wrong("METRICS_ADDR", c.MetricsAddr, "an address of this machine or a private network, such as localhost:9464, on another port than ADDR")
	}
}

// splitAddr returns the host and the port of an address to listen on.
func splitAddr(addr string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(addr); err != nil {
		return "", "", err
	}
	_, err = net.LookupPort("tcp", port)
	return host, port, err
}
