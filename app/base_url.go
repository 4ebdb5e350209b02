package app

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"vestibule/app/mail"
)

var errBaseURL = errors.New("it must be https://HOST with no path, or http:// on localhost alone")

// normalizeBaseURL returns the origin of a site as browsers write it (RFC 6454, 6.2):
// in lower case, without the default port, and with the ASCII form of an international
// name. A browser's post is refused unless its Origin is the same.
func normalizeBaseURL(address string) (string, error) {
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Opaque != "" || u.Path != "" || u.ForceQuery || u.RawQuery != "" || strings.Contains(address, "#") {
		return "", errBaseURL
	}
	host, err := normalizeHost(u.Hostname())
	if err != nil {
		return "", errBaseURL
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "https" && (scheme != "http" || !mail.IsLoopback(host)) {
		return "", errBaseURL
	}
	port := u.Port()
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", errBaseURL
		}
		port = strconv.FormatUint(n, 10)
	}
	if port == "" || scheme+port == "https443" || scheme+port == "http80" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host, nil
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

// normalizeHost returns a host name as browsers write it, or an IP address.
func normalizeHost(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return "", errBaseURL
		}
		return ip.String(), nil
	}
	host, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false)).ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || host == "" || strings.ContainsFunc(host, notInHost) {
		return "", errBaseURL
	}
	return host, nil
}

// notInHost reports whether r can't be in the ASCII form of a host's name.
func notInHost(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", r)
}
