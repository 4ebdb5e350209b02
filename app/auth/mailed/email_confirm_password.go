package mailed

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// newVerifyEmailPassword returns the form without the rules for passwords: those need
// the user, whom the token in the form names.
func (h Handlers) newVerifyEmailPassword() *view.VerifyEmailPassword {
	form := forms.New(new(view.VerifyEmailPassword))
	form.CheckURL = "/verify-email/password/check"
	h.auth().OmitConfirmation(&form.Form, &form.ConfirmPassword)
	return form
}

// ShowVerifyEmailPassword shows the form that confirms a first address without the
// password of its account. Whoever set that may not own the address.
func (h Handlers) ShowVerifyEmailPassword(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := h.newVerifyEmailPassword()
	form.Token = c.Query("token")
	form.Focus = &form.Password
	token, err := h.linkToken(c, form.Token, models.VerifyEmail)
	if err != nil {
		return err
	}
	if isAnothers(c, token) {
		return h.renderAnotherAccount(c, http.StatusOK, token, view.VerifyEmailPasswordPath(form.Token))
	}
	return h.renderVerifyEmailPassword(c, http.StatusOK, form, token)
}

func (h Handlers) renderVerifyEmailPassword(c *gin.Context, status int, form *view.VerifyEmailPassword, token *models.Token) error {
	h.ProbeCookies(c)
	f := h.Frame(c, status)
	page := view.VerifyEmailPasswordPage(f, form, token, token.User.DeletedAt(h.Config.UnconfirmedMax))
	return web.Render(c, f, page, view.VerifyEmailPasswordForm(form, token))
}

// VerifyEmailPassword confirms the address and sets the new password, which ends every
// session, and signs the user in.
func (h Handlers) VerifyEmailPassword(c *gin.Context) error {
	form := h.newVerifyEmailPassword()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.linkToken(c, form.Token, models.VerifyEmail)
	if err != nil {
		return err
	}
	if isAnothers(c, token) {
		return h.renderAnotherAccount(c, http.StatusConflict, token, view.VerifyEmailPasswordPath(form.Token))
	}
	h.auth().ApplyAllPasswordRules(c, &form.Form, form.Password, token.User)
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderVerifyEmailPassword(c, http.StatusUnprocessableEntity, form, token)
	}
	return h.setPassword(c, token, form.Password)
}

// CheckVerifyEmailPassword checks one field as the user leaves it.
func (h Handlers) CheckVerifyEmailPassword(c *gin.Context) error {
	form := h.newVerifyEmailPassword()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	return h.checkNewPassword(c, &form.Form, form.Token, form.Password, models.VerifyEmail)
}
