package app

import (
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/mail"
	"vestibule/models"
)

// ShowDevMail shows the mail that development keeps instead of sending it, to
// whoever sits at this machine.
func (a *App) ShowDevMail(c *gin.Context) error {
	if !mail.IsLoopback(hostOf(c.Request.RemoteAddr)) || !mail.IsLoopback(hostOf(c.Request.Host)) {
		return models.ErrNotFound
	}
	return a.Render(c, http.StatusOK, "devmail", nil, a.outbox.Messages())
}

// hostOf cuts the port off an address.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
