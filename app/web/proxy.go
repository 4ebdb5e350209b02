package web

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

const forwardedFor = "X-Forwarded-For"

// ForwardedFor leaves only IP addresses in X-Forwarded-For, from which gin takes the
// client's address. A trusted proxy may add a port, as Azure does, or write "unknown".
// gin would then take the proxy for the client of everybody.
func (k *Kit) ForwardedFor(c *gin.Context) {
	lines := c.Request.Header.Values(forwardedFor)
	if len(lines) == 0 {
		return
	}
	entries := slices.DeleteFunc(strings.Split(strings.Join(lines, ","), ","), func(entry string) bool { return strings.TrimSpace(entry) == "" })
	var addresses []string
	named := false // an address that no trusted proxy has
	for _, entry := range slices.Backward(entries) {
		ip, ok := parseAddress(entry)
		if !ok { // what stands before it may come from the client
			break
		}
		addresses = append(addresses, ip.String())
		named = named || !k.trusts(ip)
	}
	if named || len(addresses) == len(entries) && len(entries) > 0 {
		slices.Reverse(addresses)
		c.Request.Header.Set(forwardedFor, strings.Join(addresses, ", "))
		return
	}
	c.Request.Header.Del(forwardedFor)
	if proxy, err := netip.ParseAddr(c.RemoteIP()); err == nil && k.trusts(proxy) {
		Current(c).AddressUnknown = true
		k.unknownAddress.Do(func() {
			k.Log.Warn("a trusted proxy names no client in X-Forwarded-For: nobody is limited by IP address", "proxy", proxy.String())
		})
	}
}

// warnOfProxy logs, once, that requests come through a proxy that TRUSTED_PROXIES doesn't
// name. All people then have one address, so the limits for one apply to all of them.
func (k *Kit) warnOfProxy(c *gin.Context) {
	if c.GetHeader(forwardedFor) == "" && c.GetHeader("Forwarded") == "" {
		return
	}
	peer, err := netip.ParseAddr(c.RemoteIP())
	if err != nil || !IsInside(peer) || k.trusts(peer) { // anybody else can send the header, too
		return
	}
	k.proxySeen.Do(func() {
		k.Log.Warn("a proxy that TRUSTED_PROXIES doesn't name forwards requests: everybody has its address, and shares its limits",
			"proxy", peer.Unmap().String())
	})
}

// IsInside reports whether ip is of this machine or its own network.
func IsInside(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || sharedAddresses.Contains(ip)
}

// sharedAddresses are those between a provider and its customers (RFC 6598). Some clouds
// give them to their balancers.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

// trusts reports whether an address is in TRUSTED_PROXIES.
func (k *Kit) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(k.Config.TrustedProxies, func(network netip.Prefix) bool { return network.Contains(ip.Unmap()) })
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
