package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type resetForm struct {
	Token string `form:"token" validate:"required"`
	newPassword
}

func newResetForm(token string) (*resetForm, *forms.Form) {
	in := &resetForm{Token: token}
	form := forms.New(in)
	form.CheckURL = "/reset-password/check"
	return in, form
}

func (a *App) showResetPassword(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	secret := c.Query("token")
	token, ok := a.linkToken(c, secret, models.ResetPassword)
	if !ok {
		return
	}
	_, form := newResetForm(secret)
	form.Focus = "password"
	a.render(c, http.StatusOK, "reset", form, token.User)
}

func (a *App) resetPassword(c *gin.Context) {
	in, form := newResetForm("")
	if !a.bind(c, form) {
		return
	}
	token, ok := a.linkToken(c, in.Token, models.ResetPassword)
	if !ok {
		return
	}
	checkPassword(form, in.Password, token.User)
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "reset", form, token.User)
		return
	}
	hash, err := a.hash(c, in.Password)
	if err != nil {
		a.error(c, err)
		return
	}
	e, err := a.startSession(c, models.EventPasswordReset, true, func(tx *models.DB) (*models.User, error) {
		err := tx.ResetPassword(c.Request.Context(), token, hash)
		return token.User, err
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		a.fail(c, http.StatusGone)
	case err != nil:
		a.error(c, err)
	default:
		a.finishSignIn(c, e, "password-changed")
	}
}

// checkReset checks one field as the person leaves it.
func (a *App) checkReset(c *gin.Context) {
	in, form := newResetForm("")
	if !a.bind(c, form) {
		return
	}
	token, err := a.db.TokenBySecret(c.Request.Context(), in.Token, models.ResetPassword)
	switch {
	case errors.Is(err, models.ErrNotFound): // it comes late: the form was sent meanwhile
		c.Status(http.StatusNoContent)
	case err != nil:
		a.error(c, err)
	default:
		checkPassword(form, in.Password, token.User)
		a.checkField(c, "reset", form)
	}
}
