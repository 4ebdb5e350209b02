package auth

import (
	"net/http"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// ShowForgotPassword shows the form that requests a reset link.
func (h Handlers) ShowForgotPassword(c *gin.Context) error {
	form := forms.New(new(view.ForgotPassword))
	form.Focus = &form.Email
	return h.renderForgotPassword(c, http.StatusOK, view.ForgotPasswordForm(form))
}

func (h Handlers) renderForgotPassword(c *gin.Context, status int, content templ.Component) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.ForgotPasswordPage(f, content), content)
}

// ForgotPassword queues a mail without looking up the address, so neither the answer
// nor its timing reveals who has an account. The queue's worker looks it up.
func (h Handlers) ForgotPassword(c *gin.Context) error {
	form := forms.New(new(view.ForgotPassword))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	h.FailUnreachable(c.Request.Context(), &form.Form)
	if !form.Valid() {
		return h.renderForgotPassword(c, http.StatusUnprocessableEntity, view.ForgotPasswordForm(form))
	}
	attempts := []web.Attempt{web.PerIP(c, "forgot-password", h.Config.LimitSignUp), web.NewAttempt("forgot-password of "+text.MailboxKey(form.Email), h.Config.LimitMail)}
	if limited, err := h.Limited(c, &form.Form, attempts...); err != nil {
		return err
	} else if limited && form.Again != "" {
		return h.renderForgotPassword(c, http.StatusTooManyRequests, view.ForgotPasswordSent(form))
	} else if limited {
		return h.renderForgotPassword(c, http.StatusTooManyRequests, view.ForgotPasswordForm(form))
	}
	if err := h.DB.QueueMail(c.Request.Context(), models.Mail{Kind: models.MailResetPassword, Recipient: form.Email}); err != nil {
		h.Refund(c, attempts...)
		return err
	}
	return h.renderForgotPassword(c, http.StatusOK, view.ForgotPasswordSent(form))
}
