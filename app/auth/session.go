package auth

import (
	"errors"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
)

// newSession is what a sign-in sends to the browser.
type newSession struct {
	session *models.Session
	token   string
	browser string // the mark that identifies the browser
}

// startSession starts a session of the user that prepare returns. What prepare
// writes, the session, the browser and an event of that kind are stored in one
// transaction. If quietly is false, a new browser is announced by mail.
func (h Handlers) startSession(c *gin.Context, kind string, quietly bool, prepare func(tx *models.DB) (*models.User, error)) (*newSession, error) {
	ctx, e := c.Request.Context(), new(newSession)
	return e, h.DB.InTx(ctx, func(tx *models.DB) error {
		user, err := prepare(tx)
		if err != nil {
			return err
		}
		if e.session, e.token, err = tx.CreateSession(ctx, user, web.ThisDevice(c), h.Config.Lifetime); err != nil {
			return err
		}
		if e.browser, err = h.RememberBrowser(c, tx, user, quietly); err != nil {
			return err
		}
		entry := web.Event(c, uuid.Nil, kind, user)
		entry.ActorID = user.ID
		return tx.Record(ctx, entry)
	})
}

// finishSignIn sends the new session to the browser, and redirects to the page that the
// user requested.
func (h Handlers) finishSignIn(c *gin.Context, e *newSession, toast string) error {
	h.useSession(c, e)
	h.Flash(c, toast)
	return web.Redirect(c, web.LocalPath(c.Query("next")))
}

// useSession sends the new session to the browser, and ends the one that it replaces.
// The rest of the request is the new user's.
func (h Handlers) useSession(c *gin.Context, e *newSession) {
	r := web.Current(c)
	old := r.Session
	r.Session, r.User, r.Expired = e.session, e.session.User, false
	if old != nil { // its cookie is about to be replaced
		ctx, cancel := web.Detached(c)
		defer cancel()
		if err := h.DB.DeleteSession(ctx, old.UserID, old.ID); err != nil && !errors.Is(err, models.ErrNotFound) {
			r.Log().Error("replaced session not ended", "err", err)
		}
	}
	h.SetSessionCookie(c, e.token, e.session)
	h.SetBrowserCookie(c, e.browser)
}
