package app

import (
	"net"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"vestibule/app/mail"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/site"
)

// showsMail reports whether the site has the pages below /dev: it keeps mail instead of
// sending it, and is for this machine alone.
func (a *App) showsMail() bool {
	base, err := url.Parse(a.config.BaseURL)
	return a.outbox != nil && err == nil && mail.IsLoopback(base.Hostname())
}

// localOnly hides a route from all but this machine. The links in mail stay out of the
// browser's cache.
func localOnly(c *gin.Context) error {
	if !fromHere(c) {
		return models.ErrNotFound
	}
	c.Header("Cache-Control", "no-store")
	return nil
}

// ShowDevMail shows the mail that development keeps instead of sending it.
func (a *App) ShowDevMail(c *gin.Context) error {
	var messages []site.Mail
	for _, m := range a.outbox.Messages() {
		messages = append(messages, site.Mail{ID: m.ID, To: m.To, Subject: m.Subject, Text: m.Text, Header: m.Header, At: m.At})
	}
	f := a.Frame(c, http.StatusOK)
	page := site.DevMailPage(f, messages)
	return web.Render(c, f, page, page)
}

// mailPolicy is the Content-Security-Policy of a mail, whose styles are inline. It allows
// nothing else.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// ShowDevMailHTML shows the HTML of one such mail, by itself.
func (a *App) ShowDevMailHTML(c *gin.Context) error {
	for _, m := range a.outbox.Messages() {
		if m.ID == c.Param("id") {
			c.Header("Content-Security-Policy", mailPolicy)
			c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(m.HTML))
			return nil
		}
	}
	return models.ErrNotFound
}

// fromHere reports whether a program on this machine sent the request, and not a proxy
// on behalf of another. A proxy adds a header, or speaks HTTP/1.0 as nginx does.
func fromHere(c *gin.Context) bool {
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip"} {
		if c.Request.Header[name] != nil {
			return false
		}
	}
	return c.Request.ProtoAtLeast(1, 1) && !web.Current(c).AddressUnknown &&
		mail.IsLoopback(hostOf(c.Request.RemoteAddr)) && mail.IsLoopback(hostOf(c.Request.Host))
}

// hostOf returns an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
