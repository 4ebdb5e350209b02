package provider

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config is a provider as an operator sets it.
type Config struct {
	Name         string // in URLs, such as "acme"
	Label        string // for people, such as "Acme"
	Issuer       string // its URL, which says who it is
	ClientID     string
	ClientSecret string
	Scopes       []string

	// Timeout is how long the provider may take to answer a question.
	Timeout time.Duration
}

const (
	gitHubName = "github"
	appleName  = "apple"

	gitHubIssuer = "https://github.com"
)

// presets are the providers that need no issuer, by name. A site that asks for more scopes
// than it needs scares people away.
var presets = map[string]Config{
	"google":    {Label: "Google", Issuer: "https://accounts.google.com", Scopes: standardScopes},
	"microsoft": {Label: "Microsoft", Issuer: "https://login.microsoftonline.com/common/v2.0", Scopes: standardScopes},
	appleName:   {Label: "Apple", Issuer: "https://appleid.apple.com", Scopes: []string{"openid", "name", "email"}},
	gitHubName:  {Label: "GitHub", Issuer: gitHubIssuer, Scopes: []string{"user:email"}},
}

var standardScopes = []string{"openid", "profile", "email"}

// defaultTimeout is how long a provider may take to answer a question.
const defaultTimeout = 10 * time.Second

// Complete returns c with what its name, or else the standard, says about the parts that
// are missing. It returns a sentence about each part that can't be used, with the name of
// its setting.
func (c Config) Complete() (Config, error) {
	preset := presets[c.Name]
	c.Label = cmp.Or(c.Label, preset.Label, title(c.Name))
	c.Issuer = cmp.Or(c.Issuer, preset.Issuer)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if len(c.Scopes) == 0 {
		if c.Scopes = preset.Scopes; c.Scopes == nil {
			c.Scopes = standardScopes
		}
	}
	var errs []error
	say := func(part, what string) {
		setting := "OIDC_" + strings.ToUpper(strings.ReplaceAll(c.Name, "-", "_")) + "_" + part
		errs = append(errs, errors.New(setting+" "+what))
	}
	switch {
	case c.Issuer == "":
		say("ISSUER", "is not set: it is the provider's URL, such as https://id.example.com")
	case !isSecure(c.Issuer):
		say("ISSUER", fmt.Sprintf("is %q: it must be a URL with https, without a query", c.Issuer))
	}
	if c.ClientID == "" {
		say("CLIENT_ID", "is not set: the provider gives it to the site")
	}
	if c.ClientSecret == "" {
		say("CLIENT_SECRET", "is not set: the provider gives it to the site")
	}
	if !c.gitHub() && !slices.Contains(c.Scopes, "openid") {
		say("SCOPES", `lacks "openid", without which the provider doesn't say who signs in`)
	}
	return c, errors.Join(errs...)
}

// title turns a name into words: "acme-inc" into "Acme Inc".
func title(name string) string {
	words := strings.Split(name, "-")
	for i, word := range words {
		if word != "" {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, " ")
}

// gitHub reports whether the provider is GitHub, or a GitHub Enterprise Server.
func (c Config) gitHub() bool { return c.Name == gitHubName }

// PostsAnswer reports whether the provider sends its answer in the body of a form: Apple
// does if it is asked for a name or an address.
func (c Config) PostsAnswer() bool {
	return c.Name == appleName && slices.ContainsFunc(c.Scopes, func(s string) bool { return s == "name" || s == "email" })
}

// isSecure reports whether address is a URL with https, or with http on this machine.
func isSecure(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback() && net.ParseIP(host) != nil
}
