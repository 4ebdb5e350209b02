package mailed

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

// setPassword sets the new password of a mailed link's user, and signs the user in, after
// the second factor if they have one. The link also confirms the address.
func (h Handlers) setPassword(c *gin.Context, token *models.Token, pw string) error {
	p, err := h.proveLink(c, token, pw, models.EventPasswordReset, func(tx *models.DB, hash string) error {
		if err := tx.ResetPassword(c.Request.Context(), token, hash); err != nil || token.Purpose != models.VerifyEmail {
			return err
		}
		return recordConfirmed(c, tx, token)
	})
	if err != nil {
		return err
	}
	return h.auth().FinishSignIn(c, p, "password-changed", c.Query("next"))
}

// proveLink is [auth.Handlers.Prove] for a mailed link that sets a new password by calling set
// with its hash. It returns a [web.Refusal] if the link was used in the meantime.
func (h Handlers) proveLink(c *gin.Context, token *models.Token, pw, kind string, set func(tx *models.DB, hash string) error) (*auth.Proved, error) {
	hash, err := h.Hash(c, pw)
	if err != nil {
		return nil, err
	}
	p, err := h.auth().Prove(c, auth.Step{
		Factor:  models.FactorEmail,
		Kind:    kind,
		Quietly: true,
		Prepare: func(tx *models.DB) (*models.User, error) {
			err := set(tx, hash)
			return token.User, err // which set may have renewed
		},
	})
	if errors.Is(err, models.ErrNotFound) {
		return nil, goneLink(c, token.Purpose)
	}
	return p, err
}

// checkNewPassword checks one field of a form that a mailed link leads to.
func (h Handlers) checkNewPassword(c *gin.Context, form *forms.Form, secret, pw string, purpose models.Purpose) error {
	token, err := h.DB.TokenBySecret(c.Request.Context(), secret, purpose)
	switch {
	case errors.Is(err, models.ErrNotFound): // the form was sent in the meantime
		c.Status(http.StatusNoContent)
		return nil
	case err != nil:
		return err
	default:
		h.auth().ApplyAllPasswordRules(c, form, pw, token.User)
		return web.CheckFields(c, form.Refresh(c.Query("field")))
	}
}
