package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type passwordForm struct {
	CurrentPassword string `form:"current_password" label:"Current password" noun:"your current password" type:"password" autocomplete:"current-password" validate:"required"`
	auth.NewPassword
}

func newPasswordForm() (*passwordForm, *forms.Form) {
	in := new(passwordForm)
	form := forms.New(in)
	form.CheckURL = "/account/password/check"
	return in, form
}

func (h Handlers) ShowPassword(c *gin.Context) error {
	_, form := newPasswordForm()
	return h.Render(c, http.StatusOK, "password", form, nil)
}

func (h Handlers) ChangePassword(c *gin.Context) error {
	in, form := newPasswordForm()
	if err := web.Bind(c, form); err != nil {
		return err
	}
	user := web.Current(c).User
	auth.CheckPassword(form, in.Password, user)
	if limited, err := h.auth().CheckCurrentPassword(c, form, in.CurrentPassword); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "password", form, nil)
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "password", form, nil)
	}
	hash, err := h.Hash(c, in.Password)
	if err != nil {
		return err
	}
	session := web.Current(c).Session
	token, err := h.DB.ChangePassword(c.Request.Context(), user, hash, session)
	if err != nil {
		return err
	}
	h.SetSessionCookie(c, token, session)
	mark, err := h.RememberBrowser(c, h.DB, user, true)
	switch {
	case err == nil:
		h.SetBrowserCookie(c, mark)
	case !web.ClientGone(c):
		web.Current(c).Log().Error("browser not remembered", "err", err)
	}
	h.Record(c, models.EventPasswordChanged, user)
	return h.RedirectWith(c, "password-changed", "/account")
}

// CheckPassword checks one field as the person leaves it.
func (h Handlers) CheckPassword(c *gin.Context) error {
	in, form := newPasswordForm()
	if err := web.Bind(c, form); err != nil {
		return err
	}
	auth.CheckPassword(form, in.Password, web.Current(c).User)
	return h.CheckField(c, "password", form)
}
