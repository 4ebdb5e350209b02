package app_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/provider"
)

// TestProvidersOfTheEnvironment reads any number of providers, and completes the known ones.
func TestProvidersOfTheEnvironment(t *testing.T) {
	t.Parallel()
	c := valid()
	c.Providers = app.ReadProviders([]string{
		"OIDC_GOOGLE_CLIENT_ID=g", "OIDC_GOOGLE_CLIENT_SECRET=s=1",
		"OIDC_ACME_INC_ISSUER=https://id.example.com/a", "OIDC_ACME_INC_CLIENT_ID=a", "OIDC_ACME_INC_CLIENT_SECRET=s", "OIDC_ACME_INC_SCOPES=openid, email",
		"OIDC_GITHUB_CLIENT_ID=h", "OIDC_GITHUB_CLIENT_SECRET=s", "OIDC_GITHUB_LABEL=Hub",
		"OIDC_=x", "OIDC_ISSUER=x", "OIDC_lower_ISSUER=x", "XOIDC_A_ISSUER=x", "OIDC_A_SECRET=x",
	})
	if err := c.ValidateSite(); err != nil {
		t.Fatal(err)
	}
	want := []provider.Config{
		{Name: "acme-inc", Label: "Acme Inc", Issuer: "https://id.example.com/a", ClientID: "a", ClientSecret: "s", Scopes: []string{"openid", "email"}},
		{Name: "github", Label: "Hub", Issuer: "https://github.com", ClientID: "h", ClientSecret: "s", Scopes: []string{"user:email"}},
		{Name: "google", Label: "Google", Issuer: "https://accounts.google.com", ClientID: "g", ClientSecret: "s=1", Scopes: []string{"openid", "profile", "email"}},
	}
	equal := func(a, b provider.Config) bool {
		return a.Name == b.Name && a.Label == b.Label && a.Issuer == b.Issuer && a.ClientID == b.ClientID && a.ClientSecret == b.ClientSecret &&
			slices.Equal(a.Scopes, b.Scopes) && a.Timeout == 10*time.Second
	}
	if !slices.EqualFunc(c.Providers, want, equal) {
		t.Errorf("the providers are %+v", c.Providers)
	}
	for setting, environ := range map[string][]string{
		"OIDC_ACME_ISSUER is not set":               {"OIDC_ACME_CLIENT_ID=a", "OIDC_ACME_CLIENT_SECRET=s"},
		"OIDC_ACME_CLIENT_ID is not set":            {"OIDC_ACME_ISSUER=https://id.example.com", "OIDC_ACME_CLIENT_SECRET=s"},
		"OIDC_A_B_CLIENT_SECRET is not set":         {"OIDC_A_B_ISSUER=https://id.example.com", "OIDC_A_B_CLIENT_ID=a"},
		"OIDC_ACME_SCOPES lacks \"openid\"":         {"OIDC_ACME_ISSUER=https://id.example.com", "OIDC_ACME_CLIENT_ID=a", "OIDC_ACME_CLIENT_SECRET=s", "OIDC_ACME_SCOPES=email"},
		`OIDC_ACME_ISSUER is "http://id.example"`:   {"OIDC_ACME_ISSUER=http://id.example", "OIDC_ACME_CLIENT_ID=a", "OIDC_ACME_CLIENT_SECRET=s"},
		`OIDC_ACME_ISSUER is "id.example"`:          {"OIDC_ACME_ISSUER=id.example", "OIDC_ACME_CLIENT_ID=a", "OIDC_ACME_CLIENT_SECRET=s"},
		`OIDC_ACME_ISSUER is "https://a.example?b"`: {"OIDC_ACME_ISSUER=https://a.example?b", "OIDC_ACME_CLIENT_ID=a", "OIDC_ACME_CLIENT_SECRET=s"},
	} {
		c := valid()
		c.Providers = app.ReadProviders(environ)
		if err := c.ValidateSite(); err == nil || !strings.HasPrefix(err.Error(), setting) {
			t.Errorf("%v is refused with %v, want %s", environ, err, setting)
		}
	}
	c = valid()
	c.ProviderLinking = "always"
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "PROVIDER_LINKING ") {
		t.Errorf("a bad value is refused with %v", err)
	}
}
