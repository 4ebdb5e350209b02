package web

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/device"
	"vestibule/app/mail"
	"vestibule/models"
)

// The site's cookies, before [Kit.cookieName] completes their names.
const (
	sessionCookie  = "session"  // the token of the session
	SignInCookie   = "sign_in"  // the token of the sign-in that waits for another factor
	browserCookie  = "browser"  // the mark that identifies the browser
	PasskeyCookie  = "passkey"  // identifies the browser until an authenticator answers
	ProviderCookie = "provider" // identifies the browser until a provider answers
	CodeCookie     = "code"     // identifies the browser that waits for a mailed code, and says for which address
	SetUpCookie    = "set_up"   // holds, sealed, the authenticator app that a user sets up
	toastCookie    = "toast"    // the key of the message that the next page shows
	probeCookie    = "probe"    // shows that the browser keeps cookies
	themeCookie    = "theme"    // the chosen theme
)

// cookieName returns the full name of one of the site's cookies.
//
// The name has the __Host- prefix where browsers accept it: they then keep the cookie to
// this host and to https (RFC 6265bis, 4.1.3.2). On localhost it ends with the port,
// because cookies ignore ports, and other programs there may use the same name.
func (k *Kit) cookieName(name string) string { return k.cookiePrefix + name + k.cookieSuffix }

// cookieAffixes returns what cookieName puts before and after a name.
func cookieAffixes(config Config) (prefix, suffix string) {
	if config.Secure {
		prefix = "__Host-"
	}
	base, err := url.Parse(config.BaseURL)
	if err != nil || !isLocalhost(config.BaseURL) {
		return prefix, ""
	}
	switch {
	case base.Port() != "":
		return prefix, "-" + base.Port()
	case config.Secure:
		return prefix, "-443"
	}
	return prefix, "-80"
}

// isLocalhost reports whether baseURL is on this machine alone: localhost, a name below
// it (RFC 6761, 6.3) or a loopback address.
func isLocalhost(baseURL string) bool {
	base, err := url.Parse(baseURL)
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(base.Hostname()), ".")
	return mail.IsLoopback(host) || strings.HasSuffix(host, ".localhost")
}

// Cookie returns the value of one of the site's cookies, or "".
func (k *Kit) Cookie(c *gin.Context, name string) string {
	value, _ := c.Cookie(k.cookieName(name)) // a missing cookie counts as an empty one
	return value
}

// SetCookie sets one of the site's cookies, until the browser is closed if maxAge is 0. Scripts
// can't read it, and other sites' forms don't send it. That of a session is left to
// SetSessionCookie and ClearSessionCookie.
// It replaces what the answer sets already: a name must not be in it twice (RFC 6265, 4.1.1).
func (k *Kit) SetCookie(c *gin.Context, name, value string, maxAge time.Duration) {
	name = k.cookieName(name)
	header := c.Writer.Header()
	header["Set-Cookie"] = slices.DeleteFunc(header["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, name+"=") })
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

// ClearCookie removes one of the site's cookies from the browser.
func (k *Kit) ClearCookie(c *gin.Context, name string) { k.SetCookie(c, name, "", -time.Second) }

// SetSessionCookie gives the browser the token of s until s expires.
func (k *Kit) SetSessionCookie(c *gin.Context, token string, s *models.Session) {
	k.SetCookie(c, sessionCookie, token, time.Until(s.ExpiresAt))
}

// ClearSessionCookie removes the token from the browser. Only call it when this request
// has ended the session: any other answer may come late, when the browser has the token
// of a newer one.
func (k *Kit) ClearSessionCookie(c *gin.Context) { k.ClearCookie(c, sessionCookie) }

// SetSealedCookie sets a cookie whose value only the site can read, and only with the same
// context. It returns secrets.ErrNoKey if the site has no key.
func (k *Kit) SetSealedCookie(c *gin.Context, name, plain, context string, maxAge time.Duration) error {
	sealed, key, err := k.Secrets.Seal([]byte(plain), name+" "+context)
	if err == nil {
		k.SetCookie(c, name, key+"."+base64.RawURLEncoding.EncodeToString(sealed), maxAge)
	}
	return err
}

// SealedCookie returns what SetSealedCookie has set, or models.ErrNotFound.
func (k *Kit) SealedCookie(c *gin.Context, name, context string) (string, error) {
	key, encoded, _ := strings.Cut(k.Cookie(c, name), ".")
	sealed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", models.ErrNotFound
	}
	plain, err := k.Secrets.Open(sealed, key, name+" "+context)
	if err != nil { // another user's, or of a key that is gone
		return "", models.ErrNotFound
	}
	return string(plain), nil
}

// RememberBrowser stores the browser that user signs in from, and returns the mark for
// its cookie. If quietly is false, a new browser is announced by mail.
func (k *Kit) RememberBrowser(c *gin.Context, db *models.DB, user *models.User, quietly bool) (string, error) {
	client := ThisDevice(c)
	notice := models.MailDetail{Browser: device.Name(client.UserAgent), IP: client.IP, When: time.Now().UTC()}
	return db.RememberBrowser(c.Request.Context(), user, k.Cookie(c, browserCookie), notice, quietly)
}

// TrustMark returns the mark of a browser that may be trusted, or "" if none may.
func (k *Kit) TrustMark(c *gin.Context) string {
	if k.Config.TrustBrowser == 0 {
		return ""
	}
	return k.Cookie(c, browserCookie)
}

// SetBrowserCookie gives the browser the mark by which it is recognized.
func (k *Kit) SetBrowserCookie(c *gin.Context, mark string) {
	k.SetCookie(c, browserCookie, mark, models.BrowserLife)
}

// ThisDevice returns the device that sent the request.
func ThisDevice(c *gin.Context) models.Device {
	return models.Device{IP: c.ClientIP(), UserAgent: c.Request.UserAgent()}
}
