package auth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/provider"
	"vestibule/app/web"
	"vestibule/models"
)

// providerSignOut returns the provider by which a session began, and its page that signs
// out there. The page is empty if there is none, or the provider isn't answering.
func (h Handlers) providerSignOut(c *gin.Context, s *models.Session) (*provider.Provider, string) {
	if s.IdentityID == uuid.Nil {
		return nil, ""
	}
	identity, err := h.DB.IdentityByID(c.Request.Context(), s.UserID, s.IdentityID)
	if err != nil { // such as one that was removed; they are signed out here all the same
		return nil, ""
	}
	p := h.Provider(identity.Provider)
	if p == nil {
		return nil, ""
	}
	address, err := p.SignOutURL(c.Request.Context(), h.Config.BaseURL+"/")
	if err != nil {
		web.Current(c).Log().Warn("provider failed", "provider", p.Name, "err", err)
	}
	return p, address
}

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
				err = recordOwn(c, tx, models.EventSignedOutThere, &models.User{ID: user}, models.EventDetail{Connection: p.Label})
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
