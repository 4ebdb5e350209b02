package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// showDevMail shows the mail that development keeps instead of sending it.
func (a *App) showDevMail(c *gin.Context) {
	a.render(c, http.StatusOK, "devmail", nil, a.outbox.Messages())
}
