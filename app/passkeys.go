package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// RelatedOrigins tells browsers which other origins may use the site's passkeys (WebAuthn
// level 3, 5.11).
func (a *App) RelatedOrigins(c *gin.Context) {
	if a.Passkeys == nil {
		c.Status(http.StatusNotFound)
		return
	}
	origins, err := a.Passkeys.RelatedOrigins()
	if err != nil { // with RELATED_ORIGINS, it fails at the start
		c.Status(http.StatusNotFound)
		return
	}
	c.Data(http.StatusOK, "application/json", origins)
}

// PasskeyEndpoints tells password managers where users add and remove passkeys (W3C,
// A Well-Known URL for Relying Party Passkey Endpoints).
func (a *App) PasskeyEndpoints(c *gin.Context) {
	if a.Passkeys == nil {
		c.Status(http.StatusNotFound)
		return
	}
	page := a.config.BaseURL + "/account/passkeys"
	c.JSON(http.StatusOK, gin.H{"enroll": page, "manage": page})
}
