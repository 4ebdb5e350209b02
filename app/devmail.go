package app

import (
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/mail"
)

// showDevMail shows the mail that development keeps instead of sending it, to
// whoever sits at this machine.
func (a *App) showDevMail(c *gin.Context) {
	if !mail.IsLoopback(hostOf(c.Request.RemoteAddr)) || !mail.IsLoopback(hostOf(c.Request.Host)) {
		a.notFound(c)
		return
	}
	a.render(c, http.StatusOK, "devmail", nil, a.outbox.Messages())
}

// hostOf cuts the port off an address.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
