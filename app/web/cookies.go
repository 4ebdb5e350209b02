package web

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/device"
	"vestibule/models"
)

// cookieName has the __Host- prefix where browsers accept it: they then keep
// the cookie to this host and to https (RFC 6265bis, 4.1.3.2).
func (k *Kit) cookieName() string { return k.prefixed("session") }

func (k *Kit) prefixed(name string) string {
	if k.Config.Secure {
		return "__Host-" + name
	}
	return name
}

func (k *Kit) setCookie(c *gin.Context, name, value string, maxAge time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{ // #nosec G124 -- Secure is off only on localhost, see Config
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   int(maxAge.Seconds()),
		HttpOnly: true,
		Secure:   k.Config.Secure,
		SameSite: http.SameSiteLaxMode,
	})
}

func (k *Kit) clearCookie(c *gin.Context, name string) { k.setCookie(c, name, "", -time.Second) }

// SetSessionCookie gives the browser the token of s until s expires.
func (k *Kit) SetSessionCookie(c *gin.Context, token string, s *models.Session) {
	k.setCookie(c, k.cookieName(), token, time.Until(s.ExpiresAt))
}

// ClearSessionCookie removes the token from the browser.
func (k *Kit) ClearSessionCookie(c *gin.Context) { k.clearCookie(c, k.cookieName()) }

// RememberBrowser stores the browser that user signs in from, and returns the mark for
// its cookie. If quietly is false, a new browser is announced by mail.
func (k *Kit) RememberBrowser(c *gin.Context, db *models.DB, user *models.User, quietly bool) (string, error) {
	mark, _ := c.Cookie(k.prefixed("browser")) // a missing cookie counts as an empty one
	client := ThisDevice(c)
	notice := models.MailDetail{Browser: device.Name(client.UserAgent), IP: client.IP, When: time.Now().UTC()}
	return db.RememberBrowser(c.Request.Context(), user, mark, notice, quietly)
}

// SetBrowserCookie gives the browser the mark by which it is recognized.
func (k *Kit) SetBrowserCookie(c *gin.Context, mark string) {
	k.setCookie(c, k.prefixed("browser"), mark, models.BrowserLife)
}

// ThisDevice returns the device that sent the request.
func ThisDevice(c *gin.Context) models.Device {
	return models.Device{IP: c.ClientIP(), UserAgent: c.Request.UserAgent()}
}
