package web

import (
	"strings"

	"github.com/gin-gonic/gin"

	"vestibule/templates/components"
)

// ProbeCookies is for pages with a form that signs in: it sets a cookie, so that
// [Kit.CookieProblem] can tell whether the browser keeps any.
func (k *Kit) ProbeCookies(c *gin.Context) {
	if !k.sendsCookies(c) {
		k.SetCookie(c, probeCookie, "1", 0)
	}
}

// CookieProblem returns what keeps the browser that sent a form from signing in, or "".
// A browser that drops cookies could not use a session, so it must not get one.
func (k *Kit) CookieProblem(c *gin.Context) string {
	switch {
	case c.Request.PostForm.Get(components.CookiesExpectedField) == "" || k.sendsCookies(c):
		return ""
	case k.openedInsecurely(c):
		return k.insecure()
	}
	return "Your browser didn't keep our cookie, so you can't sign in. Allow cookies for this site, then try again."
}

// InsecurePage returns what to say on a page with a form that signs in, before it is
// sent, or "". It knows for sure only once the form is sent.
func (k *Kit) InsecurePage(c *gin.Context) string {
	if !k.sendsCookies(c) && k.openedInsecurely(c) {
		return k.insecure()
	}
	return ""
}

func (k *Kit) insecure() string {
	return "This page was opened without https, so you can't sign in here. Open " + k.Config.BaseURL + " instead."
}

// sendsCookies reports whether the request has a cookie of this site.
func (k *Kit) sendsCookies(c *gin.Context) bool {
	for _, name := range []string{sessionCookie, SignInCookie, browserCookie, PasskeyCookie, ProviderCookie, CodeCookie, SetUpCookie, toastCookie, probeCookie} {
		if len(c.Request.CookiesNamed(k.cookieName(name))) > 0 {
			return true
		}
	}
	return false
}

// openedInsecurely reports whether a browser opened the page by http although the site
// is on https, so that it drops the site's cookies, which are Secure.
func (k *Kit) openedInsecurely(c *gin.Context) bool {
	h := c.Request.Header
	switch origin := h.Get("Origin"); {
	case !k.Config.Secure || c.Request.TLS != nil:
		return false
	case origin != "": // browsers send it with every form
		return strings.HasPrefix(origin, "http://")
	case h.Get("Sec-Fetch-Mode") != "": // browsers send it only by https, and on localhost
		return false
	}
	// Browsers send Upgrade-Insecure-Requests, unlike health checks and other programs.
	// Behind a proxy, which may speak https to the browser, nothing is certain.
	forwarded := h.Get("X-Forwarded-For") + h.Get("X-Forwarded-Proto") + h.Get("Forwarded") + h.Get("Via")
	return h.Get("Upgrade-Insecure-Requests") == "1" && forwarded == ""
}
