// Package mailed has what mailed links and codes lead to: signing in, a new password, the
// confirmation of an email address, the recovery of an account, and "This wasn't me".
package mailed

import (
	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

func (h Handlers) auth() auth.Handlers { return auth.Handlers{Kit: h.Kit} }

// requestMail queues m, which somebody asks for by their address, without looking that up.
// It reports whether there were too many requests for what; form then has that error.
func (h Handlers) requestMail(c *gin.Context, form *forms.Form, what string, m models.Mail) (limited bool, err error) {
	attempts := []web.Attempt{web.PerIP(c, what, h.Config.LimitSignUp), web.NewAttempt(what+" of "+text.MailboxKey(m.Recipient), h.Config.LimitMail)}
	if limited, err := h.Limited(c, form, attempts...); limited || err != nil {
		return limited, err
	}
	if err := h.DB.QueueMail(c.Request.Context(), m); err != nil {
		h.Refund(c, attempts...)
		return false, err
	}
	return false, nil
}
