package mailed

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/layouts"
)

// ShowVerifyEmailCode shows where the signed-in user types the code that confirms their
// first address: the mail may be open on another device.
func (h Handlers) ShowVerifyEmailCode(c *gin.Context) error {
	if web.Current(c).User.Verified() {
		return web.Redirect(c, "/account/email")
	}
	form := NewVerifyEmailCode(models.VerifyEmail)
	form.Focus = &form.Code
	return h.renderVerifyEmailCode(c, http.StatusOK, form)
}

// NewVerifyEmailCode returns the form that takes the code for that purpose.
func NewVerifyEmailCode(purpose models.Purpose) *view.VerifyEmailCode {
	action := "/account/verify/code"
	if purpose == models.ChangeEmail {
		action = "/account/email/code"
	}
	return forms.New(&view.VerifyEmailCode{Action: action})
}

func (h Handlers) renderVerifyEmailCode(c *gin.Context, status int, form *view.VerifyEmailCode) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.VerifyEmailCodePage(f, form), view.VerifyEmailCodeForm(form))
}

// VerifyEmailCode confirms the user's first address if the code is right.
func (h Handlers) VerifyEmailCode(c *gin.Context) error {
	return h.verifyEmailByCode(c, models.VerifyEmail, layouts.Home)
}

// ChangeEmailCode confirms the address that the user asked for if the code is right.
func (h Handlers) ChangeEmailCode(c *gin.Context) error {
	return h.verifyEmailByCode(c, models.ChangeEmail, "/account/email")
}

// verifyEmailByCode does what a mailed link does in a browser that is signed in.
func (h Handlers) verifyEmailByCode(c *gin.Context, purpose models.Purpose, next string) error {
	form := NewVerifyEmailCode(purpose)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	code, limited, err := h.attemptOwnCode(c, &form.Form, form.Code, purpose)
	switch {
	case err != nil:
		return err
	case limited:
		return h.renderVerifyEmailCode(c, http.StatusTooManyRequests, form)
	case code == nil:
		return h.renderVerifyEmailCode(c, http.StatusUnprocessableEntity, form)
	}
	err = h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		token, err := tx.TokenOfCode(c.Request.Context(), code)
		if err != nil {
			return err
		}
		return confirmEmail(c, tx, token)
	})
	if err != nil {
		return asConfirmFailure(c, err)
	}
	return h.RedirectWith(c, "verified", next)
}

// attemptOwnCode is attemptMailedCode for a code that the signed-in user has asked for, in
// any of their sessions.
func (h Handlers) attemptOwnCode(c *gin.Context, form *forms.Form, typed string, purpose models.Purpose) (code *models.Code, limited bool, err error) {
	user := web.Current(c).User
	if typed = models.NormalizeCode(typed); typed == "" {
		form.Fail("code", wantsMailedCode)
		return nil, false, nil
	}
	code, err = h.DB.OwnCode(c.Request.Context(), user.ID, purpose)
	if errors.Is(err, models.ErrNotFound) {
		form.Fail("code", wrongMailedCode)
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	match, limited, err := h.checkMailedCode(c, form, codeAttempt{user: user, known: user, request: code.ID.String(), typed: typed, hash: code.CodeHash})
	if !match {
		return nil, limited, err
	}
	return code, false, nil
}
