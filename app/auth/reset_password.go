package auth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type resetForm struct {
	Token string `form:"token" validate:"required"`
	NewPassword
}

func newResetForm(token string) (*resetForm, *forms.Form) {
	in := &resetForm{Token: token}
	form := forms.New(in)
	form.CheckURL = "/reset-password/check"
	return in, form
}

func (h Handlers) ShowResetPassword(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	secret := c.Query("token")
	token, err := h.linkToken(c, secret, models.ResetPassword)
	if err != nil {
		return err
	}
	_, form := newResetForm(secret)
	form.Focus = "password"
	return h.Render(c, http.StatusOK, "reset", form, token.User)
}

func (h Handlers) ResetPassword(c *gin.Context) error {
	in, form := newResetForm("")
	if err := web.Bind(c, form); err != nil {
		return err
	}
	token, err := h.linkToken(c, in.Token, models.ResetPassword)
	if err != nil {
		return err
	}
	CheckPassword(form, in.Password, token.User)
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "reset", form, token.User)
	}
	hash, err := h.Hash(c, in.Password)
	if err != nil {
		return err
	}
	e, err := h.startSession(c, models.EventPasswordReset, true, func(tx *models.DB) (*models.User, error) {
		err := tx.ResetPassword(c.Request.Context(), token, hash)
		return token.User, err
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		return web.Fail(http.StatusGone)
	case err != nil:
		return err
	default:
		return h.finishSignIn(c, e, "password-changed")
	}
}

// CheckResetPassword checks one field as the person leaves it.
func (h Handlers) CheckResetPassword(c *gin.Context) error {
	in, form := newResetForm("")
	if err := web.Bind(c, form); err != nil {
		return err
	}
	token, err := h.DB.TokenBySecret(c.Request.Context(), in.Token, models.ResetPassword)
	switch {
	case errors.Is(err, models.ErrNotFound): // it comes late: the form was sent meanwhile
		c.Status(http.StatusNoContent)
		return nil
	case err != nil:
		return err
	default:
		CheckPassword(form, in.Password, token.User)
		return h.CheckField(c, "reset", form)
	}
}
