// Package web holds what every page shares and no page owns: the request and its
// middleware, rendering, answers, errors, cookies, limits and paging.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"

	"vestibule/app/password"
	"vestibule/models"
)

// Kit is what the handlers of every feature share. It is safe for concurrent
// requests.
type Kit struct {
	DB     *models.DB
	Log    *slog.Logger
	Config Config
	Hasher *password.Hasher

	toasts  map[string]string // by their key
	exports map[string]Export // by their key in the data that people download

	crossOrigin     http.CrossOriginProtection
	securityHeaders http.Header
	hashing         clientQuota   // of slots in the hasher's queue
	scoring         chan struct{} // a token for each password whose strength is being scored
}

// Config holds the settings that handlers need.
type Config struct {
	BaseURL  string // such as https://example.com, without a slash at its end
	Secure   bool   // browsers reach the site by https
	Lifetime models.Lifetime

	LimitAccount, LimitAddress, LimitSignUp, LimitMail, LimitCheck models.Limit
}

// NewKit returns a Kit. It returns an error if BaseURL is no origin.
func NewKit(config Config, db *models.DB, log *slog.Logger, hasher *password.Hasher) (*Kit, error) {
	half := max(1, runtime.GOMAXPROCS(0)/2)
	k := &Kit{DB: db, Log: log, Config: config, Hasher: hasher, toasts: newToasts(), securityHeaders: newSecurityHeaders(config.Secure), scoring: make(chan struct{}, half)}
	if err := k.crossOrigin.AddTrustedOrigin(config.BaseURL); err != nil {
		return nil, err
	}
	return k, nil
}

// Export reads what a feature's own tables hold of a user, for JSON.
type Export func(ctx context.Context, user *models.User) (any, error)

// Export adds to the data that people can download, under key. It panics if another
// feature has the key.
func (k *Kit) Export(key string, read Export) {
	if k.exports[key] != nil {
		panic("two features export " + key)
	}
	if k.exports == nil {
		k.exports = map[string]Export{}
	}
	k.exports[key] = read
}

// Exports returns what features have added, by key.
func (k *Kit) Exports() map[string]Export { return k.exports }
