package web

import (
	"time"

	"github.com/gin-gonic/gin"
)

// themes are the values of the theme's cookie. Without one the system decides.
var themes = map[string]bool{"light": true, "dark": true}

// SetTheme keeps the choice of light, dark or the system's theme in the browser.
func (k *Kit) SetTheme(c *gin.Context) error {
	if theme := c.PostForm("theme"); themes[theme] {
		k.SetCookie(c, themeCookie, theme, 400*24*time.Hour) // the longest that browsers keep (RFC 6265bis, 5.5)
	} else {
		k.ClearCookie(c, themeCookie)
	}
	return Redirect(c, Origin(c))
}

// theme returns the chosen theme, or "" for the system's.
func (k *Kit) theme(c *gin.Context) string {
	if theme := k.Cookie(c, themeCookie); themes[theme] {
		return theme
	}
	return ""
}
