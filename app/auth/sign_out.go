package auth

import (
	"errors"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/provider"
	"vestibule/app/web"
	"vestibule/models"
)

// SignOut ends the session, if there is one. It leads to the page in the field next, if
// there is one.
func (h Handlers) SignOut(c *gin.Context) error {
	r := web.Current(c)
	s := r.Session
	if s != nil {
		err := h.Audited(c, models.EventSignOut, s.User, func(tx *models.DB) error {
			if s.Impersonation != nil {
				if err := web.EndImpersonation(c, tx, models.ImpersonationSignedOut); err != nil {
					return err
				}
			}
			return tx.DeleteSession(c.Request.Context(), s.UserID, s.ID)
		})
		if err != nil && !errors.Is(err, models.ErrNotFound) { // another tab may have ended it
			return err
		}
	}
	h.ClearSessionCookie(c)
	if s != nil && h.Config.SignOutThere && c.PostForm("next") == "" {
		if there, address := h.providerSignOut(c, s); address != "" {
			return h.LeadAway(c, there.Label, address, "signed-out")
		}
	}
	next := "/"
	if back := c.PostForm("next"); back != "" {
		next = web.LocalPath(back)
	}
	return h.RedirectWith(c, "signed-out", next)
}

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
