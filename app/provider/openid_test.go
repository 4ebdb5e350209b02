package provider

import (
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestMicrosoftTenants has Microsoft admit people of any tenant. Each tenant has an issuer of
// its own, which only its own tokens may have.
func TestMicrosoftTenants(t *testing.T) {
	t.Parallel()
	const base = "https://login.microsoftonline.com/"
	several, err := Config{Name: "microsoft", ClientID: "x", ClientSecret: "x"}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	one := several
	one.Issuer = base + "tenant-1/v2.0"
	tests := []struct {
		config         Config
		issuer, tenant string
		fits           bool
	}{
		{several, base + "tenant-1/v2.0", "tenant-1", true},
		{several, base + "tenant-1/v2.0", "tenant-2", false},
		{several, base + "tenant-1/v2.0", "", false},
		{several, "https://evil.example/tenant-1/v2.0", "tenant-1", false},
		{several, base + "{tenantid}/v2.0", "", false},
		{one, base + "tenant-1/v2.0", "tenant-1", true},
		{one, base + "tenant-2/v2.0", "tenant-2", false},
	}
	for _, tt := range tests {
		o := newOpenID(tt.config, oauth2.Config{})
		d := &discovery{at: time.Now()}
		d.Issuer, _ = o.issuer()
		o.found.Store(d)
		err := o.check(d, &oidc.IDToken{Issuer: tt.issuer, Audience: []string{"x"}}, &claims{Tenant: tt.tenant}, Request{})
		if (err == nil) != tt.fits {
			t.Errorf("%s with the tenant %q: %v", tt.issuer, tt.tenant, err)
		}
	}
	o := newOpenID(several, oauth2.Config{})
	o.found.Store(&discovery{at: time.Now(), Issuer: base + microsoftTenant + "/v2.0"})
	for issuer, fits := range map[string]bool{base + "tenant-1/v2.0": true, "https://evil.example/tenant-1/v2.0": false, "": false} {
		if err := o.checkIssuer(t.Context(), url.Values{"iss": {issuer}}); (err == nil) != fits {
			t.Errorf("the answer of %q: %v", issuer, err)
		}
	}
}
