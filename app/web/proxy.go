package web

import (
	"net/netip"

	"github.com/gin-gonic/gin"
)

// warnOfProxy logs, once, that requests come through a proxy that TRUSTED_PROXIES doesn't
// name. All people then have one address, so the limits for one apply to all of them.
func (k *Kit) warnOfProxy(c *gin.Context) {
	if c.GetHeader("X-Forwarded-For") == "" && c.GetHeader("Forwarded") == "" {
		return
	}
	peer, err := netip.ParseAddr(c.RemoteIP())
	if err != nil || !isInside(peer) || k.trusts(peer) { // anybody else can send the header, too
		return
	}
	k.proxySeen.Do(func() {
		k.Log.Warn("a proxy that TRUSTED_PROXIES doesn't name forwards requests: everybody has its address, and shares its limits",
			"proxy", peer.Unmap().String())
	})
}

// isInside reports whether ip is of this machine or its own network.
func isInside(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || sharedAddresses.Contains(ip)
}

// sharedAddresses are those between a provider and its customers (RFC 6598). Some clouds
// give them to their balancers.
var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func (k *Kit) trusts(ip netip.Addr) bool {
	for _, network := range k.Config.TrustedProxies {
		if network.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}
