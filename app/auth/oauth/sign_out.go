package oauth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/provider"
	"vestibule/app/web"
	"vestibule/models"
)

// ProviderSignedOut ends the sessions of somebody who has signed out at a provider, which
// says so itself (OpenID Connect Back-Channel Logout 1.0).
func (h Handlers) ProviderSignedOut(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	p := h.Provider(c.Param("provider"))
	if p == nil {
		return web.NotFound(c)
	}
	if err := web.ReadForm(c); err != nil {
		return err
	}
	attempt := web.PerIP(c, "provider", h.Config.LimitCheck)
	if err := h.Attempt(c, attempt); err != nil {
		return err
	}
	out, err := p.ReadSignOut(c.Request.Context(), c.Request.PostForm.Get("logout_token"))
	switch {
	case errors.Is(err, provider.ErrUnavailable):
		h.Refund(c, attempt)
		web.Current(c).Log().Warn("provider failed", "provider", p.Name, "err", err)
		return web.Fail(http.StatusServiceUnavailable)
	case err != nil:
		web.Current(c).Log().Warn("logout token refused", "provider", p.Name, "err", err)
		c.JSON(http.StatusBadRequest, gin.H{"error": "invalid_request"}) // as the specification has it
		return nil
	}
	h.Refund(c, attempt)
	err = h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		users, err := tx.EndSessionsOf(c.Request.Context(), out.Issuer, out.Subject, out.SessionID, out.Until)
		for _, user := range users {
			if err == nil {
				err = auth.RecordOwn(c, tx, models.EventSignedOutThere, &models.User{ID: user}, models.EventDetail{Connection: p.Label})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	c.Status(http.StatusOK)
	return nil
}
