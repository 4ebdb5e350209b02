package account

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/device"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
)

// ShowSessions shows the user's sessions.
func (h Handlers) ShowSessions(c *gin.Context) error {
	sessions, err := h.DB.Sessions(c.Request.Context(), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	rows := make([]view.SessionRow, 0, len(sessions))
	for _, s := range sessions {
		rows = append(rows, view.SessionRow{
			ID:         s.ID.String(),
			Device:     device.Name(s.UserAgent),
			This:       s.ID == web.Current(c).Session.ID,
			IP:         s.IP,
			CreatedAt:  s.CreatedAt,
			LastSeenAt: s.LastSeenAt,
		})
	}
	f := h.Frame(c, http.StatusOK)
	page := view.SessionsPage(f, rows)
	return web.Render(c, f, page, page)
}

// EndSession ends another of the user's sessions.
func (h Handlers) EndSession(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return models.ErrNotFound
	}
	err = h.DB.DeleteSession(c.Request.Context(), web.Current(c).User.ID, id)
	// It may already have ended, which is fine.
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return err
	}
	if id == web.Current(c).Session.ID {
		return h.auth().SignOut(c)
	}
	if err == nil {
		h.Record(c, models.EventSessionEnded, web.Current(c).User)
	} else {
		web.Current(c).Log().Warn("no such session of this person to end")
	}
	return h.RespondToast(c, http.StatusOK, "session-ended", "/account/sessions")
}

// EndOtherSessions ends all of the user's sessions except this one.
func (h Handlers) EndOtherSessions(c *gin.Context) error {
	if _, err := h.DB.DeleteSessions(c.Request.Context(), web.Current(c).User.ID, web.Current(c).Session.ID); err != nil {
		return err
	}
	h.Record(c, models.EventSessionsEnded, web.Current(c).User)
	return h.RedirectWith(c, "sessions-ended", "/account/sessions")
}
