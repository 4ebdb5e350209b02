// Package web has what all pages share: the request and its middleware, rendering,
// answers, errors, cookies, limits and paging.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"vestibule/app/breached"
	"vestibule/app/metrics"
	"vestibule/app/passkey"
	"vestibule/app/password"
	"vestibule/app/provider"
	"vestibule/app/secrets"
	"vestibule/models"
	"vestibule/templates/components"
)

// Kit is shared by the handlers of every feature. It is safe for concurrent requests.
type Kit struct {
	DB     *models.DB
	Log    *slog.Logger
	Config Config
	Hasher *password.Hasher
	// Metrics counts what happens. It may be nil.
	Metrics *metrics.Metrics
	// Tracer traces requests. It may be nil.
	Tracer trace.Tracer
	// Secrets encrypts what the database must give back.
	Secrets secrets.Keys
	// Passkeys is the site as authenticators know it. It is nil if there can be no
	// passkeys, because BaseURL has an IP address.
	Passkeys *passkey.RelyingParty
	// Breached checks whether a new password was exposed in a data breach. If nil, passwords
	// aren't checked.
	Breached breached.Checker
	// Providers are where people have accounts by which they sign in.
	Providers []*provider.Provider
	// Reaches reports whether mail to address can be sent at all. If nil, it always can.
	Reaches func(ctx context.Context, address string) bool

	toasts  map[string]components.Message // by key
	exports map[string]Export             // by key in the downloaded data
	tables  []models.Table                // that operators see
	cards   []Card                        // on the operators' overview

	impersonated map[string]Impersonated // by method and route

	crossOrigin     http.CrossOriginProtection
	securityHeaders http.Header

	cookiePrefix, cookieSuffix string

	hashing        clientQuota   // of slots in the hasher's queue
	scoring        chan struct{} // a token for each password whose strength is being scored
	proxySeen      sync.Once     // that TRUSTED_PROXIES lacks
	unknownAddress sync.Once     // logs that a trusted proxy names no client

	searches  clientQuota   // of searches, running or waiting
	searching chan struct{} // a token for each search that runs
	downloads clientQuota
}

// Config holds the settings that handlers need.
type Config struct {
	BaseURL  string // such as https://example.com, without a trailing slash
	Secure   bool   // browsers reach the site by https
	Lifetime models.Lifetime

	UnconfirmedMax  time.Duration // see [models.DB.PurgeUnconfirmed]
	ConfirmPassword bool          // a new password is typed twice
	TrustBrowser    time.Duration // how long a browser may be trusted; 0 for never
	RecoveryWait    time.Duration // how long a recovery waits; 0 if there are none

	SecondFactor models.Whom // must have one

	SignUp        models.SignUpMode
	SignUpDomains []string // for [models.SignUpDomains], as [models.InDomains] takes them

	Naming models.Naming

	RelatedOrigins []string // that may use the passkeys, too

	Providers    []provider.Config
	SignOutThere bool // signing out leads to the provider's page for that
	LinkVerified bool // a provider's verified address connects it to the account with that address

	TrustedProxies []netip.Prefix

	AdminNetworks     []netip.Prefix // that the operator's pages open from; all if empty
	AdminApart        bool           // the operator's pages are on ADMIN_ADDR alone
	AdminSecondFactor bool           // the operator's pages require a second factor
	Impersonation     models.ImpersonationMode

	LimitAccount, LimitAddress, LimitSignUp, LimitMail, LimitCheck models.Limit
	LimitInvite, LimitInviteDay                                    models.Limit
	LimitWrites                                                    models.Rate

	AccessLog AccessLog
}

// SitePolicy returns what the site's settings say about factors.
func (k *Kit) SitePolicy() models.SitePolicy {
	return models.SitePolicy{SecondFactor: k.Config.SecondFactor, Passkeys: k.Passkeys != nil}
}

// Factors returns how user can prove who they are on this site.
func (k *Kit) Factors(ctx context.Context, user *models.User) (models.Factors, error) {
	factors, err := k.DB.Factors(ctx, user)
	return factors.Under(k.SitePolicy(), user), err
}

// NewKit returns a Kit. It returns an error if BaseURL or one of RelatedOrigins isn't an
// origin.
func NewKit(config Config, db *models.DB, log *slog.Logger, hasher *password.Hasher) (*Kit, error) {
	half := max(1, runtime.GOMAXPROCS(0)/2)
	k := &Kit{DB: db, Log: log, Config: config, Hasher: hasher, toasts: map[string]components.Message{}, impersonated: map[string]Impersonated{}, securityHeaders: newSecurityHeaders(config.Secure && !isLocalhost(config.BaseURL)), scoring: make(chan struct{}, half), searching: make(chan struct{}, half)}
	k.addOwnToasts()
	k.addProviders()
	k.cookiePrefix, k.cookieSuffix = cookieAffixes(config)
	if err := k.crossOrigin.AddTrustedOrigin(config.BaseURL); err != nil {
		return nil, err
	}
	var err error
	k.Passkeys, err = passkey.NewRelyingParty(config.BaseURL, config.RelatedOrigins)
	return k, err
}
