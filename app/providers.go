package app

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"vestibule/app/provider"
)

// providerSetting matches the settings of a provider, such as OIDC_ACME_CLIENT_ID.
var providerSetting = regexp.MustCompile(`^OIDC_([A-Z0-9]+(?:_[A-Z0-9]+)*?)_(ISSUER|CLIENT_ID|CLIENT_SECRET|LABEL|SCOPES)$`)

// IsProviderSetting reports whether an environment variable is a setting of a provider.
// There are as many as the operator names, so they are no fields of [Config].
func IsProviderSetting(name string) bool { return providerSetting.MatchString(name) }

// ReadProviders returns the providers that environment variables describe, by name.
func ReadProviders(environ []string) []provider.Config {
	found := map[string]provider.Config{}
	for _, pair := range environ {
		setting, value, _ := strings.Cut(pair, "=")
		parts := providerSetting.FindStringSubmatch(setting)
		if parts == nil {
			continue
		}
		name := strings.ReplaceAll(strings.ToLower(parts[1]), "_", "-")
		p := found[name]
		p.Name = name
		switch parts[2] {
		case "ISSUER":
			p.Issuer = value
		case "CLIENT_ID":
			p.ClientID = value
		case "CLIENT_SECRET":
			p.ClientSecret = value
		case "LABEL":
			p.Label = value
		case "SCOPES":
			p.Scopes = splitList(value)
		}
		found[name] = p
	}
	var providers []provider.Config
	for _, name := range slices.Sorted(maps.Keys(found)) {
		providers = append(providers, found[name])
	}
	return providers
}

// completeProviders fills in what the providers' names say about the parts that are
// missing. It returns a sentence about each part that can't be used.
func (c *Config) completeProviders() (errs []error) {
	for i, p := range c.Providers {
		complete, err := p.Complete()
		if err != nil {
			errs = append(errs, err)
		}
		c.Providers[i] = complete
	}
	return errs
}
