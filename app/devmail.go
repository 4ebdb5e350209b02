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

// showsMail reports whether the site has the page /dev/mail: it keeps mail instead of
// sending it, and is for this machine alone.
func (a *App) showsMail() bool {
	base, err := url.Parse(a.config.BaseURL)
	return a.outbox != nil && err == nil && mail.IsLoopback(base.Hostname())
}

// ShowDevMail shows the mail that development keeps instead of sending it. Only this
// machine can see it.
func (a *App) ShowDevMail(c *gin.Context) error {
	if !fromHere(c) {
		return models.ErrNotFound
	}
	var messages []site.Mail
	for _, m := range a.outbox.Messages() {
		messages = append(messages, site.Mail{To: m.To, Subject: m.Subject, Text: m.Text, At: m.At})
	}
	f := a.Frame(c, http.StatusOK)
	page := site.DevMailPage(f, messages)
	return web.Render(c, f, page, page)
}

// fromHere reports whether a program on this machine sent the request, and not a proxy
// on behalf of another. A proxy adds a header, or speaks HTTP/1.0 as nginx does.
func fromHere(c *gin.Context) bool {
	for _, name := range []string{"Forwarded", "Via", forwardedFor, "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-Ip"} {
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
