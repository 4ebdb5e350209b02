package auth

import (
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type signInForm struct {
	Login    string `form:"login" label:"E-mail or username" noun:"your e-mail or username" autocomplete:"username" validate:"required"`
	Password string `form:"password" label:"Password" type:"password" autocomplete:"current-password" validate:"required"`
}

func (h Handlers) ShowSignIn(c *gin.Context) error {
	form := forms.New(new(signInForm))
	form.Focus = "login"
	return h.Render(c, http.StatusOK, "signin", form, nil)
}

func (h Handlers) SignIn(c *gin.Context) error {
	in := new(signInForm)
	form := forms.New(in)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "signin", form, nil)
	}
	user, err := h.DB.UserByLogin(c.Request.Context(), in.Login)
	nobody := errors.Is(err, models.ErrNotFound)
	if nobody {
		// Treated as somebody with another password, so that neither
		// the answer nor its time tells.
		user, err = &models.User{ID: uuid.NewHash(sha256.New(), uuid.Nil, []byte(models.Key(in.Login)), 8)}, nil
	}
	if err != nil {
		return err
	}
	account, known, err := h.PerAccount(c, user)
	if err != nil {
		return err
	}
	tries := []web.Attempt{account}
	if !known { // one that is known serves for no other account, and is not kept out by its neighbours
		tries = []web.Attempt{web.PerIP(c, "sign-in", h.Config.LimitAddress), account}
	}
	if limited, err := h.Limited(c, form, tries...); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "signin", form, nil)
	}
	match, err := h.authenticate(c, user, in.Password)
	switch {
	case err != nil:
		h.Refund(c, tries...)
		return err
	case !match:
		if nobody {
			user = nil
		}
		h.Record(c, models.EventSignInFailed, user)
		form.Error = "The e-mail, username or password is wrong."
		form.Focus = "password"
		return h.Render(c, http.StatusUnprocessableEntity, "signin", form, nil)
	case user.Disabled():
		h.Record(c, models.EventSignInFailed, user)
		form.Error = "This account is disabled. Please contact the site's administrator."
		return h.Render(c, http.StatusUnprocessableEntity, "signin", form, nil)
	}
	h.Refund(c, tries[:len(tries)-1]...)
	h.ResetAttempts(c, account)
	e, err := h.startSession(c, models.EventSignIn, false, func(*models.DB) (*models.User, error) { return user, nil })
	if errors.Is(err, models.ErrNotFound) { // disabled, deleted or given another password meanwhile
		return h.RedirectWith(c, "changed", web.WithNext("/sign-in", web.LocalPath(c.Query("next"))))
	}
	if err != nil {
		return err
	}
	return h.finishSignIn(c, e, "signed-in")
}
