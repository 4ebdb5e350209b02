package mailed

import (
	"errors"
	"net/http"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
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
	return web.Render(c, f, view.ForgotPasswordPage(f, content, h.Config.RecoveryWait > 0), content)
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
	limited, err := h.requestCode(c, &form.Form, "forgot-password", models.MailResetPassword, form.Email)
	switch {
	case err != nil:
		return err
	case limited && form.Again == "":
		return h.renderForgotPassword(c, http.StatusTooManyRequests, view.ForgotPasswordForm(form))
	case limited:
		return h.renderForgotPassword(c, http.StatusTooManyRequests, view.ForgotPasswordSent(form, forms.New(new(view.ForgotPasswordCode))))
	}
	return h.renderForgotPassword(c, http.StatusOK, view.ForgotPasswordSent(form, forms.New(new(view.ForgotPasswordCode))))
}

// ForgotPasswordCode leads on as the mailed link does, if the code of that mail is right and
// this browser has asked for it.
func (h Handlers) ForgotPasswordCode(c *gin.Context) error {
	form := forms.New(new(view.ForgotPasswordCode))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	code, limited, err := h.attemptMailedCode(c, &form.Form, form.Code, models.ResetPassword)
	if err != nil {
		return err
	}
	secret := ""
	if code != nil {
		secret, err = h.DB.ExchangeCode(c.Request.Context(), code)
		if errors.Is(err, models.ErrNotFound) { // used in another tab, or the account has changed
			form.Fail("code", wrongMailedCode)
		} else if err != nil {
			return err
		}
	}
	switch {
	case limited:
		return h.renderForgotPassword(c, http.StatusTooManyRequests, view.ForgotPasswordCodeForm(form))
	case !form.Valid():
		return h.renderForgotPassword(c, http.StatusUnprocessableEntity, view.ForgotPasswordCodeForm(form))
	}
	h.ClearCookie(c, web.CodeCookie)
	return web.Redirect(c, view.ResetPasswordPath(secret))
}
