package mailed

import (
	"errors"
	"net/http"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/device"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// NeedsRecovery is middleware for routes of a site on which people recover their accounts
// by themselves.
func (h Handlers) NeedsRecovery(*gin.Context) error {
	if h.Config.RecoveryWait == 0 {
		return web.Fail(http.StatusNotFound)
	}
	return nil
}

// ShowRecover shows the form that asks for the link to recover an account.
func (h Handlers) ShowRecover(c *gin.Context) error {
	form := forms.New(new(view.Recover))
	form.Focus = &form.Email
	return h.renderRecover(c, http.StatusOK, view.RecoverForm(form, h.Config.RecoveryWait))
}

func (h Handlers) renderRecover(c *gin.Context, status int, content templ.Component) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.RecoverPage(f, content), content)
}

// Recover queues a mail as ForgotPassword does. The queue's worker looks up the account and
// whether it has a second factor.
func (h Handlers) Recover(c *gin.Context) error {
	form := forms.New(new(view.Recover))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	h.FailUnreachable(c.Request.Context(), &form.Form)
	if !form.Valid() {
		return h.renderRecover(c, http.StatusUnprocessableEntity, view.RecoverForm(form, h.Config.RecoveryWait))
	}
	detail := models.MailDetail{IP: c.ClientIP(), Browser: c.Request.UserAgent()} // for the event
	limited, err := h.requestMail(c, &form.Form, "recovery", models.Mail{Kind: models.MailRecover, Recipient: form.Email, Detail: detail})
	switch {
	case err != nil:
		return err
	case limited && form.Again == "":
		return h.renderRecover(c, http.StatusTooManyRequests, view.RecoverForm(form, h.Config.RecoveryWait))
	case limited:
		return h.renderRecover(c, http.StatusTooManyRequests, view.RecoverSent(form))
	}
	return h.renderRecover(c, http.StatusOK, view.RecoverSent(form))
}

// recoveryOf returns the recovery of the token's user, or nil if there is none.
func (h Handlers) recoveryOf(c *gin.Context, token *models.Token) (*models.Recovery, error) {
	r, err := h.DB.RecoveryOf(c.Request.Context(), token.UserID)
	if errors.Is(err, models.ErrNotFound) {
		return nil, nil
	}
	return r, err
}

// ShowRecoverStart shows what a mailed link begins, or until when the recovery waits that
// it began. Only the button begins it, because mail scanners open links.
func (h Handlers) ShowRecoverStart(c *gin.Context) error {
	return h.renderRecoverStart(c, http.StatusOK, forms.New(&view.RecoverStart{Token: c.Query("token")}))
}

func (h Handlers) renderRecoverStart(c *gin.Context, status int, form *view.RecoverStart) error {
	c.Header("Cache-Control", "no-store")
	token, err := h.linkToken(c, form.Token, models.Recover)
	if err != nil {
		return err
	}
	r, err := h.recoveryOf(c, token)
	if err != nil {
		return err
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.RecoverStartPage(f, form, token.User, r, h.Config.RecoveryWait), view.RecoverStartForm(form, token.User, h.Config.RecoveryWait))
}

// RecoverStart begins the wait of a recovery, unless one waits already.
func (h Handlers) RecoverStart(c *gin.Context) error {
	form := forms.New(new(view.RecoverStart))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.linkToken(c, form.Token, models.Recover)
	if err != nil {
		return err
	}
	attempt := web.NewAttempt("recovery of "+token.UserID.String(), h.Config.LimitMail)
	if limited, err := h.Limited(c, &form.Form, attempt); err != nil {
		return err
	} else if limited {
		return h.renderRecoverStart(c, http.StatusTooManyRequests, form)
	}
	by := models.MailDetail{Browser: device.Name(c.Request.UserAgent()), IP: c.ClientIP()}
	err = h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		begun, err := tx.BeginRecovery(c.Request.Context(), token, h.SitePolicy(), h.Config.RecoveryWait, by)
		if err != nil || !begun {
			return err
		}
		return auth.RecordOwn(c, tx, models.EventRecoveryBegun, token.User, models.EventDetail{})
	})
	if errors.Is(err, models.ErrNotFound) {
		return goneLink(c, models.Recover)
	}
	if err != nil {
		h.Refund(c, attempt)
		return err
	}
	return web.Redirect(c, view.RecoverStartPath(form.Token))
}

// ShowRecoverCancel shows which recovery a mailed link cancels, or that none waits.
func (h Handlers) ShowRecoverCancel(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := forms.New(&view.RecoverCancel{Token: c.Query("token")})
	token, err := h.linkToken(c, form.Token, models.CancelRecovery)
	if err != nil {
		return err
	}
	r, err := h.recoveryOf(c, token)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.RecoverCancelPage(f, form, token.User, r), view.RecoverCancelForm(form, token.User, r))
}

// RecoverCancel cancels the recovery of a mailed link's user.
func (h Handlers) RecoverCancel(c *gin.Context) error {
	form := forms.New(new(view.RecoverCancel))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.linkToken(c, form.Token, models.CancelRecovery)
	if err != nil {
		return err
	}
	if err := h.auth().CancelRecoveryOf(c, token.User); err != nil {
		return err
	}
	return web.Redirect(c, view.RecoverCancelPath(form.Token))
}

func (h Handlers) newRecoverFinish() *view.RecoverFinish {
	form := forms.New(new(view.RecoverFinish))
	form.CheckURL = "/recover/finish/check"
	h.auth().OmitConfirmation(&form.Form, &form.ConfirmPassword)
	return form
}

// finishToken returns the token of a link that finishes a recovery, once that has waited.
func (h Handlers) finishToken(c *gin.Context, secret string) (*models.Token, error) {
	token, err := h.linkToken(c, secret, models.FinishRecovery)
	if err != nil {
		return nil, err
	}
	r, err := h.recoveryOf(c, token)
	if err == nil && (r == nil || !r.Ready()) {
		err = goneLink(c, models.FinishRecovery)
	}
	return token, err
}

// ShowRecoverFinish shows the form that a mailed link leads to once the recovery has
// waited.
func (h Handlers) ShowRecoverFinish(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := h.newRecoverFinish()
	form.Token = c.Query("token")
	form.Focus = &form.Password
	form.Error = h.InsecurePage(c)
	token, err := h.finishToken(c, form.Token)
	if err != nil {
		return err
	}
	return h.renderRecoverFinish(c, http.StatusOK, form, token.User)
}

func (h Handlers) renderRecoverFinish(c *gin.Context, status int, form *view.RecoverFinish, user *models.User) error {
	h.ProbeCookies(c)
	f := h.Frame(c, status)
	return web.Render(c, f, view.RecoverFinishPage(f, form, user), view.RecoverFinishForm(f, form, user))
}

// RecoverFinish sets a new password, removes every other factor, and signs the user in.
func (h Handlers) RecoverFinish(c *gin.Context) error {
	form := h.newRecoverFinish()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.finishToken(c, form.Token)
	if err != nil {
		return err
	}
	h.auth().ApplyAllPasswordRules(c, &form.Form, form.Password, token.User)
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderRecoverFinish(c, http.StatusUnprocessableEntity, form, token.User)
	}
	p, err := h.proveLink(c, token, form.Password, models.EventRecoveryFinished, func(tx *models.DB, hash string) error {
		return tx.FinishRecovery(c.Request.Context(), token, hash)
	})
	if err != nil {
		return err
	}
	return h.auth().FinishSignIn(c, p, "recovered", "/account/security")
}

// CheckRecoverFinish checks one field as the user leaves it.
func (h Handlers) CheckRecoverFinish(c *gin.Context) error {
	form := h.newRecoverFinish()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	return h.checkNewPassword(c, &form.Form, form.Token, form.Password, models.FinishRecovery)
}
