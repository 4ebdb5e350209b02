package mailed

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// newResetPassword returns the form without the rules for passwords: those need the
// user, whom the token in the form names.
func (h Handlers) newResetPassword() *view.ResetPassword {
	form := forms.New(new(view.ResetPassword))
	form.CheckURL = "/reset-password/check"
	h.auth().OmitConfirmation(&form.Form, &form.ConfirmPassword)
	return form
}

// ShowResetPassword shows the form that a mailed link leads to.
func (h Handlers) ShowResetPassword(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := h.newResetPassword()
	form.Token = c.Query("token")
	form.Focus = &form.Password
	form.Error = h.InsecurePage(c)
	token, err := h.linkToken(c, form.Token, models.ResetPassword)
	if err != nil {
		return err
	}
	return h.renderResetPassword(c, http.StatusOK, form, token.User)
}

func (h Handlers) renderResetPassword(c *gin.Context, status int, form *view.ResetPassword, user *models.User) error {
	h.ProbeCookies(c)
	f := h.Frame(c, status)
	return web.Render(c, f, view.ResetPasswordPage(f, form, user), view.ResetPasswordForm(f, form, user))
}

// ResetPassword sets the new password and signs the user in.
func (h Handlers) ResetPassword(c *gin.Context) error {
	form := h.newResetPassword()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.linkToken(c, form.Token, models.ResetPassword)
	if err != nil {
		return err
	}
	h.auth().ApplyAllPasswordRules(c, &form.Form, form.Password, token.User)
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderResetPassword(c, http.StatusUnprocessableEntity, form, token.User)
	}
	return h.setPassword(c, token, form.Password)
}

// CheckResetPassword checks one field as the user leaves it.
func (h Handlers) CheckResetPassword(c *gin.Context) error {
	form := h.newResetPassword()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	return h.checkNewPassword(c, &form.Form, form.Token, form.Password, models.ResetPassword)
}
