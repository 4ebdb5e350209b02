// Package admin has the operator's pages: what operators of the site see of people, and do
// for them.
package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"vestibule/app/mail"
	"vestibule/app/web"
	"vestibule/models"
)

// Handlers answers the requests of this package's pages.
type Handlers struct {
	*web.Kit
	SendData func(c *gin.Context, user *models.User) error // answers with what the site stores about user, as a file

	// PreviewMail returns what would be sent for m, without its secrets.
	PreviewMail func(ctx context.Context, m *models.Mail) (mail.Message, error)
}

// OperatorsOnly is middleware for the operator's pages. Everyone else gets 404, as for a page
// that isn't there. It comes before what asks a guest to sign in, which would give them away.
func (h Handlers) OperatorsOnly(c *gin.Context) error {
	if !h.Operates(c) {
		return web.Fail(http.StatusNotFound)
	}
	return nil
}

// AdminsOnly is middleware for what the role "support" doesn't allow. Put it after
// OperatorsOnly.
func (h Handlers) AdminsOnly(c *gin.Context) error {
	if !isAdmin(c) {
		return web.Refuse(http.StatusForbidden, "Your role doesn't allow this", "Only operators with the role Admin can do this. Nothing was changed.")
	}
	return nil
}

// isAdmin reports whether the operator has the role that does everything.
func isAdmin(c *gin.Context) bool {
	return web.Current(c).User.OperatorRole == models.OperatorAdmin
}

// HideMethods answers 404 in place of 405 for the operator's pages, whose methods would give
// them away.
func (h Handlers) HideMethods(c *gin.Context) error {
	if path := c.Request.URL.Path; path != "/admin" && !strings.HasPrefix(path, "/admin/") {
		return nil
	}
	c.Abort()
	c.Writer.Header().Del("Allow")
	return web.Fail(http.StatusNotFound)
}
