package app

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
)

const forwardedFor = "X-Forwarded-For"

// ForwardedFor leaves only IP addresses in X-Forwarded-For, from which gin takes the
// client's address. A trusted proxy may add a port, as Azure does, or write "unknown".
// gin would then take the proxy for the client of everybody.
func (a *App) ForwardedFor(c *gin.Context) {
	lines := c.Request.Header.Values(forwardedFor)
	if len(lines) == 0 {
		return
	}
	var addresses []string
	for entry := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if ip, ok := parseAddress(entry); ok {
			addresses = append(addresses, ip.String())
		}
	}
	if len(addresses) > 0 {
		c.Request.Header.Set(forwardedFor, strings.Join(addresses, ", "))
		return
	}
	c.Request.Header.Del(forwardedFor)
	if proxy, err := netip.ParseAddr(c.RemoteIP()); err == nil && a.trusts(proxy) {
		web.Current(c).AddressUnknown = true
		a.unknownAddress.Do(func() {
			a.Log.Warn("a trusted proxy names no client in X-Forwarded-For: nobody is limited by IP address", "proxy", proxy.String())
		})
	}
}

// trusts reports whether an address is in TRUSTED_PROXIES.
func (a *App) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(a.proxies, func(network netip.Prefix) bool { return network.Contains(ip.Unmap()) })
}

// parseAddress reads an address as proxies write it: alone, with a port, in brackets, in
// quotes, or as in the header Forwarded (RFC 7239): for="[2001:db8::1]:443";proto=https.
func parseAddress(entry string) (netip.Addr, bool) {
	entry, _, _ = strings.Cut(entry, ";")
	entry = strings.TrimSpace(entry)
	if len(entry) > 4 && strings.EqualFold(entry[:4], "for=") {
		entry = entry[4:]
	}
	entry = strings.Trim(entry, "\" ")
	ip, err := netip.ParseAddr(strings.Trim(entry, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(entry)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = withPort.Addr()
	}
	return ip.WithZone("").Unmap(), true
}
