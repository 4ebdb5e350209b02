package admin

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/device"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
)

// ShowSessions lists where people are signed in: everybody, or the user that the query names,
// which is recorded.
func (h Handlers) ShowSessions(c *gin.Context) error {
	ctx := c.Request.Context()
	sessions := view.Sessions{}
	of := web.PageStart(c, "user")
	if of != uuid.Nil {
		user, err := h.DB.UserByID(ctx, of)
		if err != nil {
			return err
		}
		if err := h.record(c, h.DB, models.EventLooked, user, models.EventDetail{}); err != nil {
			return err
		}
		sessions.User = user
	}
	running, err := h.DB.RunningSessions(ctx, of, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	sessions.List = web.NewList(c, "before", running, func(s models.Session) uuid.UUID { return s.ID }, func(s models.Session) view.SessionRow {
		return view.SessionRow{
			Session: s,
			Device:  device.Name(s.UserAgent),
			With:    h.signedInWith(&s),
			This:    s.ID == web.Current(c).Session.ID,
			MayEnd:  mayAct(web.Current(c).User, s.User) == nil,
		}
	}, sessions.Query())
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.SessionsPage(f, sessions), view.SessionRows(sessions))
}

// signedInWith says what the person proved in a session, as far as it is kept.
func (h Handlers) signedInWith(s *models.Session) string {
	var with []string
	if s.Identity != nil {
		with = append(with, h.ProviderLabel(s.Identity.Provider))
	}
	switch s.SecondFactor.Factor {
	case models.FactorPasskey:
		with = append(with, "a passkey")
	case models.FactorCode:
		with = append(with, "an authenticator app")
	case models.FactorRecoveryCode:
		with = append(with, "a recovery code")
	case models.FactorBrowser:
		with = append(with, "a trusted browser")
	}
	if s.Identity == nil && s.SecondFactor.Factor != models.FactorPasskey {
		with = append([]string{"a password or email"}, with...)
	}
	return strings.Join(with, " and ")
}

// EndSession asks for the reason to end somebody's session or, with a reason, ends it.
func (h Handlers) EndSession(c *gin.Context) error {
	return h.endSession(c, "operator-did", func(s *models.Session) view.Reasoned {
		return view.Reasoned{
			Title: "End the session", About: s.User.FullName() + ", " + device.Name(s.UserAgent), Button: "End session",
			Means: "They're signed out there at once, and can sign in again.",
			Path:  view.SessionPath(s.ID), Back: view.SessionsPath(s.UserID), BackTo: "the sessions",
		}
	})
}

// endSession shows the page that asks for the reason to end a session or, with a reason, ends
// it, records that, and leads back with a toast.
func (h Handlers) endSession(c *gin.Context, toast string, asks func(*models.Session) view.Reasoned) error {
	ctx := c.Request.Context()
	s, err := h.DB.SessionByID(ctx, web.ID(c))
	if err != nil {
		return err
	}
	if err := mayAct(web.Current(c).User, s.User); err != nil {
		return err
	}
	r := asks(s)
	return h.withReason(c, r, toast, r.Back, func(tx *models.DB, reason string) error {
		if _, err := tx.EndSession(ctx, s.ID); err != nil {
			return err
		}
		return h.record(c, tx, models.EventSessionEnded, s.User, models.EventDetail{Device: device.Name(s.UserAgent), Reason: reason})
	})
}
