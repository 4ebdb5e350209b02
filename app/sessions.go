package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

func (a *App) showSessions(c *gin.Context) {
	sessions, err := a.db.Sessions(c.Request.Context(), current(c).User.ID)
	if err != nil {
		a.error(c, err)
		return
	}
	a.render(c, http.StatusOK, "sessions", nil, sessions)
}

// endSession ends another of the person's sessions.
func (a *App) endSession(c *gin.Context) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		a.notFound(c)
		return
	}
	err = a.db.DeleteSession(c.Request.Context(), current(c).User.ID, id)
	// One that has ended by itself is as good.
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		a.error(c, err)
		return
	}
	if id == current(c).Session.ID {
		a.signOut(c)
		return
	}
	if err == nil {
		a.record(c, models.EventSessionEnded, current(c).User)
	} else {
		current(c).Log().Warn("no such session of this person to end")
	}
	a.respondToast(c, http.StatusOK, "session-ended", "/account/sessions")
}

func (a *App) endOtherSessions(c *gin.Context) {
	if _, err := a.db.DeleteSessions(c.Request.Context(), current(c).User.ID, current(c).Session.ID); err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventSessionsEnded, current(c).User)
	a.flash(c, "sessions-ended")
	a.redirect(c, "/account/sessions")
}
