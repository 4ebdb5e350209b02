package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
)

func (h Handlers) newPassword(user *models.User) *view.Password {
	form := forms.New(new(view.Password))
	form.CheckURL = "/account/password/check"
	h.auth().OmitConfirmation(&form.Form, &form.ConfirmPassword)
	form.Check = func() {
		auth.ApplyPasswordRules(&form.Form, form.Password, user)
		if form.CurrentPassword != "" && password.Normalize(form.Password) == password.Normalize(form.CurrentPassword) {
			form.Fail("password", "Choose a password that's different from your current one.")
		}
	}
	return form
}

// ShowPassword shows the form that changes the user's password.
func (h Handlers) ShowPassword(c *gin.Context) error {
	return h.renderPassword(c, http.StatusOK, h.newPassword(web.Current(c).User))
}

func (h Handlers) renderPassword(c *gin.Context, status int, form *view.Password) error {
	if err := h.auth().FillIdentity(c, &form.Identity); err != nil {
		return err
	}
	factors, err := h.DB.Factors(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	factors.Password = false // without it
	if form.Removable = factors.WayIn(); !form.Removable {
		if form.ByMail, err = h.DB.MailWorks(c.Request.Context(), web.Current(c).User); err != nil {
			return err
		}
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.PasswordPage(f, form), view.PasswordForm(f, form))
}

// ChangePassword sets the new password, or the first one, and ends all other sessions.
func (h Handlers) ChangePassword(c *gin.Context) error {
	user := web.Current(c).User
	form := h.newPassword(user)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	h.auth().FailBreached(c, &form.Form)
	if limited, err := h.auth().CheckIdentity(c, &form.Form, &form.Identity); err != nil {
		return err
	} else if limited {
		return h.renderPassword(c, http.StatusTooManyRequests, form)
	}
	if !form.Valid() {
		return h.renderPassword(c, http.StatusUnprocessableEntity, form)
	}
	hash, err := h.Hash(c, form.Password)
	if err != nil {
		return err
	}
	err = h.replacePassword(c, models.EventPasswordChanged, func(tx *models.DB) (string, error) {
		return tx.ChangePassword(c.Request.Context(), user, hash, web.Current(c).Session)
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "password-changed", "/account")
}

// RemovePassword removes the password of a user who has another way in, or chooses to sign
// in by a mailed code, and ends all other sessions.
func (h Handlers) RemovePassword(c *gin.Context) error {
	err := h.replacePassword(c, models.EventPasswordRemoved, func(tx *models.DB) (string, error) {
		return tx.RemovePassword(c.Request.Context(), web.Current(c).User, web.Current(c).Session)
	})
	if errors.Is(err, models.ErrLastWayIn) {
		return lastWayIn("You can't sign in without a password. Confirm your email address, or add a passkey, first.")
	}
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "password-removed", "/account/password")
}

// replacePassword calls replace, which returns the new token of the session, and gives it
// to this browser, the only one that stays known.
func (h Handlers) replacePassword(c *gin.Context, kind string, replace func(tx *models.DB) (token string, err error)) error {
	user, session := web.Current(c).User, web.Current(c).Session
	var token, mark string
	err := h.Audited(c, kind, user, func(tx *models.DB) (err error) {
		if token, err = replace(tx); err != nil {
			return err
		}
		mark, err = h.RememberBrowser(c, tx, user, true)
		return err
	})
	if err != nil {
		return err
	}
	h.SetSessionCookie(c, token, session)
	h.SetBrowserCookie(c, mark)
	return nil
}

// lastWayIn returns the [web.Refusal] to remove what a user needs to sign in.
func lastWayIn(text string) error {
	return web.Refuse(http.StatusConflict, "Your only way to sign in", text)
}

// CheckPassword checks one field as the user leaves it.
func (h Handlers) CheckPassword(c *gin.Context) error {
	form := h.newPassword(web.Current(c).User)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	h.auth().FailBreached(c, &form.Form)
	return web.CheckFields(c, form.Refresh(c.Query("field")))
}
