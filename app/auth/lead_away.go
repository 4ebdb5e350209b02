package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	view "vestibule/templates/auth"
)

// LeadAway leads the browser to address, at another site that is called label. The caller
// vouches for it. When the browser comes back, it shows a toast, unless that is empty. It isn't
// a redirect: browsers apply the form-action of the Content-Security-Policy to where the
// answer to a form leads, and a provider may lead anywhere.
func (h Handlers) LeadAway(c *gin.Context, label, address, toast string) error {
	c.Header("Cache-Control", "no-store")
	f := h.Frame(c, http.StatusOK) // which takes the toast of the request before
	if toast != "" {
		h.Flash(c, toast)
	}
	if web.IsHTMX(c) {
		c.Header("HX-Redirect", address)
		c.Status(http.StatusOK)
		return nil
	}
	c.Header("Refresh", "0; url="+address)
	return web.RenderFragment(c, http.StatusOK, view.ProviderPage(f, label, address))
}
