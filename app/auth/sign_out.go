package auth

import (
	"errors"

	"github.com/gin-gonic/gin"

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
			return h.leave(c, there.Label, address, "signed-out")
		}
	}
	next := "/"
	if back := c.PostForm("next"); back != "" {
		next = web.LocalPath(back)
	}
	return h.RedirectWith(c, "signed-out", next)
}
