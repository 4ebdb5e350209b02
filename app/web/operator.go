package web

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	"github.com/gin-gonic/gin"
)

type deskKey struct{}

// AtDesk returns r as a request that came to ADMIN_ADDR.
func AtDesk(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), deskKey{}, true))
}

// Operates reports whether the operator's pages are there for the request: an operator who
// impersonates nobody sent it, from one of ADMIN_NETWORKS if they are set, and to ADMIN_ADDR
// if that is.
func (k *Kit) Operates(c *gin.Context) bool {
	r := Current(c)
	if r.User == nil || r.Operator != nil || !r.User.Operator() {
		return false
	}
	if k.Config.AdminApart && c.Request.Context().Value(deskKey{}) == nil {
		return false
	}
	if len(k.Config.AdminNetworks) == 0 {
		return true
	}
	ip, err := netip.ParseAddr(c.ClientIP())
	return err == nil && !r.AddressUnknown &&
		slices.ContainsFunc(k.Config.AdminNetworks, func(network netip.Prefix) bool { return network.Contains(ip.WithZone("").Unmap()) })
}
