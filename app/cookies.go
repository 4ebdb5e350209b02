package app

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/models"
)

// cookieName has the __Host- prefix where browsers accept it: they then keep
// the cookie to this host and to https (RFC 6265bis, 4.1.3.2).
func (a *App) cookieName() string { return a.prefixed("session") }

func (a *App) prefixed(name string) string {
	if a.config.Secure() {
		return "__Host-" + name
	}
	return name
}

func (a *App) setCookie(c *gin.Context, name, value string, maxAge time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{ // #nosec G124 -- Secure is off on localhost alone, see Config
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   int(maxAge.Seconds()),
		HttpOnly: true,
		Secure:   a.config.Secure(),
		SameSite: http.SameSiteLaxMode,
	})
}

func (a *App) clearCookie(c *gin.Context, name string) { a.setCookie(c, name, "", -time.Second) }

func (a *App) setSessionCookie(c *gin.Context, token string, s *models.Session) {
	a.setCookie(c, a.cookieName(), token, time.Until(s.ExpiresAt))
}

func (a *App) clearSessionCookie(c *gin.Context) { a.clearCookie(c, a.cookieName()) }

// toasts are the sentences that a page may show once, by their key. A cookie
// carries the key over a redirect, never a sentence: whoever can set a cookie
// could else put words into the site's mouth.
var toasts = map[string]string{
	"welcome":          "Your account is ready. Welcome!",
	"signed-in":        "You are signed in.",
	"signed-out":       "You are signed out.",
	"saved":            "Your changes are saved.",
	"verified":         "Your e-mail is confirmed.",
	"link-sent":        "A new link is on its way to you.",
	"too-soon":         "A link was sent a moment ago. Look into your inbox, or try again in a minute.",
	"password-changed": "Your new password is set, and all other devices are signed out.",
	"session-ended":    "That device is signed out.",
	"sessions-ended":   "All other devices are signed out.",
	"deleted":          "Your account is deleted.",
	"expired":          "Your session has ended. Please sign in again.",

	"organization-created": "Your organization is ready.",
	"organization-deleted": "The organization is deleted.",
	"invited":              "The invitation is on its way.",
	"revoked":              "The invitation is taken back.",
	"joined":               "You are a member now. Welcome!",
	"left":                 "You have left the organization.",
	"removed":              "They are no member any more.",
	"gone":                 "It is deleted.",
	"role-deleted":         "The role is deleted. Who had it is a plain member.",
	"transferred":          "The organization has a new owner.",

	"changed": "Your account changed at this very moment, so nothing was done. Please look, and try again.",
}

// toastText returns the sentence of a toast. One that there is not is a fault of
// the program.
func toastText(toast string) string {
	text, ok := toasts[toast]
	if !ok {
		panic("no toast " + toast)
	}
	return text
}

// flash shows a toast on the next page.
func (a *App) flash(c *gin.Context, toast string) {
	_ = toastText(toast) // fails here rather than on the next page
	a.setCookie(c, a.prefixed("toast"), toast, time.Minute)
}

// takeFlash returns the toast that the last page left, and forgets it.
func (a *App) takeFlash(c *gin.Context) string {
	key, err := c.Cookie(a.prefixed("toast"))
	if err != nil {
		return ""
	}
	a.clearCookie(c, a.prefixed("toast"))
	return toasts[key]
}

// rememberBrowser notes in db the browser that user signs in from, and returns the
// mark for its cookie. Quietly means without a mail about a new one.
func (a *App) rememberBrowser(c *gin.Context, db *models.DB, user *models.User, quietly bool) (string, error) {
	mark, _ := c.Cookie(a.prefixed("browser")) // none is as good as an empty one
	client := a.client(c)
	notice := models.MailDetail{Browser: device(client.UserAgent), IP: client.IP, When: time.Now().UTC()}
	return db.RememberBrowser(c.Request.Context(), user, mark, notice, quietly)
}

func (a *App) setBrowserCookie(c *gin.Context, mark string) {
	a.setCookie(c, a.prefixed("browser"), mark, models.BrowserLife)
}

func (a *App) client(c *gin.Context) models.Device {
	return models.Device{IP: c.ClientIP(), UserAgent: c.Request.UserAgent()}
}
