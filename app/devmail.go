package app

import (
	"html/template"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"
)

// showDevMail shows the mail that development keeps instead of sending it.
func (a *App) showDevMail(c *gin.Context) {
	a.render(c, http.StatusOK, "devmail", nil, a.outbox.Messages())
}

var mailURL = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;]`)

// linked makes the addresses in a mail's text clickable.
func linked(text string) template.HTML {
	escaped := template.HTMLEscapeString(text)
	return template.HTML(mailURL.ReplaceAllString(escaped, `<a href="$0">$0</a>`))
}
