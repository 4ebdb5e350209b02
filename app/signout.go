package app

import "github.com/gin-gonic/gin"

// signOut ends the session. It does no harm to a person already signed out.
func (a *App) signOut(c *gin.Context) {
	if s := current(c).Session; s != nil {
		if err := a.db.DeleteSession(c, s); err != nil {
			a.error(c, err)
			return
		}
	}
	a.clearSessionCookie(c)
	a.flash(c, "signed-out")
	a.redirect(c, "/")
}
