package app

import (
	"errors"

	"github.com/gin-gonic/gin"

	"vestibule/models"
)

// signOut ends the session. It does no harm to a person already signed out.
func (a *App) signOut(c *gin.Context) {
	if s := current(c).Session; s != nil {
		if err := a.db.DeleteSession(c.Request.Context(), s.UserID, s.ID); err != nil && !errors.Is(err, models.ErrNotFound) {
			a.error(c, err)
			return
		}
		a.record(c, models.EventSignOut, s.User)
	}
	a.clearSessionCookie(c)
	a.flash(c, "signed-out")
	a.redirect(c, "/")
}
