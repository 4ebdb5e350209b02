package app

import (
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/mail"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/site"
)

// ShowDevMail shows the mail that development keeps instead of sending it. Only this
// machine can see it.
func (a *App) ShowDevMail(c *gin.Context) error {
	if !mail.IsLoopback(hostOf(c.Request.RemoteAddr)) || !mail.IsLoopback(hostOf(c.Request.Host)) {
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

// hostOf returns an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
