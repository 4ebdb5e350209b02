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
	browsers, err := h.DB.TrustedBrowsers(c.Request.Context(), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	this, err := h.DB.KnownBrowser(c.Request.Context(), web.Current(c).User, h.TrustMark(c))
	if err != nil {
		return err
	}
	trusted := make([]view.BrowserRow, 0, len(browsers))
	for _, b := range browsers {
		trusted = append(trusted, view.BrowserRow{Key: b.Key(), Name: device.Name(b.UserAgent), This: b.Key() == this, SeenAt: b.SeenAt, Until: b.TrustedUntil})
	}
	f := h.Frame(c, http.StatusOK)
	page := view.SessionsPage(f, rows, trusted)
	return web.Render(c, f, page, page)
}

// EndSession ends another of the user's sessions.
func (h Handlers) EndSession(c *gin.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return models.ErrNotFound
	}
	if id == web.Current(c).Session.ID {
		return h.auth().SignOut(c)
	}
	user := web.Current(c).User
	detail := new(models.EventDetail)
	err = h.AuditedDetail(c, models.EventSessionEnded, user, detail, func(tx *models.DB) error {
		s, err := tx.EndSession(c.Request.Context(), id)
		if err == nil && s.UserID != user.ID {
			err = models.ErrNotFound
		}
		detail.Device = device.Name(s.UserAgent)
		return err
	})
	if errors.Is(err, models.ErrNotFound) { // it may already have ended, which is fine
		web.Current(c).Log().Warn("session to end not found")
	} else if err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "session-ended", "/account/sessions")
}

// RevokeBrowser ends the trust in a browser, which is then asked for a second factor.
func (h Handlers) RevokeBrowser(c *gin.Context) error {
	user := web.Current(c).User
	err := h.Audited(c, models.EventBrowserRevoked, user, func(tx *models.DB) error {
		return tx.UntrustBrowser(c.Request.Context(), user.ID, c.Param("id"))
	})
	if err != nil && !errors.Is(err, models.ErrNotFound) { // it may have ended, which is fine
		return err
	}
	return h.RespondToast(c, http.StatusOK, "browser-revoked", "/account/sessions")
}

// EndOtherSessions ends all of the user's sessions except this one, and the trust in other
// browsers.
func (h Handlers) EndOtherSessions(c *gin.Context) error {
	user := web.Current(c).User
	err := h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		if err := tx.UntrustBrowsers(c.Request.Context(), user.ID, h.TrustMark(c)); err != nil {
			return err
		}
		n, err := tx.DeleteSessions(c.Request.Context(), user.ID, web.Current(c).Session.ID)
		if err != nil || n == 0 {
			return err
		}
		return web.RecordDetail(c, tx, uuid.Nil, models.EventSessionsEnded, user, models.EventDetail{Count: n})
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "sessions-ended", "/account/sessions")
}
