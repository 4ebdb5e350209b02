package auth

import (
	"errors"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/metrics"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/layouts"
)

// step is a factor that a way in has proved. Every way in calls [Handlers.prove] with one.
type step struct {
	factor  models.Factor
	kind    string         // of the event that is recorded
	quietly bool           // a new browser is not announced by mail
	waiting *models.SignIn // the sign-in that the factor completes; nil for the first factor

	identity        *models.Identity // that a provider has proved; its id may be set by prepare
	providerSession string           // there

	detail models.EventDetail // of the event

	trust bool // the browser isn't asked for a second factor for a while

	// prepare returns the user. What it writes is stored whether or not another factor
	// is missing.
	prepare func(tx *models.DB) (*models.User, error)
	// then writes what needs every factor, with the session; may be nil.
	then func(tx *models.DB) error
}

// proved is what a step sends to the browser: a new session, or a sign-in that waits for
// another factor.
type proved struct {
	session *models.Session // nil if a factor is missing
	token   string          // of the session, or of the sign-in that waits
	browser string          // the mark that identifies the browser of the session
}

// prove asks policy what is missing after s. If that is nothing, it starts a session. What
// s writes, the session or the sign-in that waits, the browser and an event are stored in
// one transaction. It returns models.ErrNotFound if the user, or the sign-in that waits,
// has changed or ended in the meantime.
func (h Handlers) prove(c *gin.Context, s step) (*proved, error) {
	ctx, p := c.Request.Context(), new(proved)
	if web.Current(c).Operator != nil { // who must not get a session of somebody else's
		return nil, web.ClosedToOperators()
	}
	err := h.DB.InTx(ctx, func(tx *models.DB) error {
		user, err := s.prepare(tx)
		if err != nil {
			return err
		}
		taken := models.Step{
			Factor: s.factor, Waiting: s.waiting, Browser: h.TrustMark(c), Site: h.SitePolicy(), Device: web.ThisDevice(c), Lifetime: h.Config.Lifetime,
		}
		if s.identity != nil {
			taken.Identity, taken.ProviderSession = s.identity.ID, s.providerSession
		}
		if p.session, p.token, err = tx.Prove(ctx, user, taken); err != nil {
			return err
		}
		kind := s.kind
		if p.session == nil && kind == models.EventSignIn {
			kind = models.EventSignInStarted
		}
		if err := recordOwn(c, tx, kind, user, s.detail); err != nil || p.session == nil {
			return err
		}
		if err := overtakeRecovery(c, tx, user); err != nil {
			return err
		}
		if p.browser, err = h.RememberBrowser(c, tx, user, s.quietly); err != nil {
			return err
		}
		if s.trust && h.Config.TrustBrowser > 0 {
			if err := tx.TrustBrowser(ctx, user, p.browser, c.Request.UserAgent(), h.Config.TrustBrowser); err != nil {
				return err
			}
			if err := recordOwn(c, tx, models.EventBrowserTrusted, user, models.EventDetail{}); err != nil {
				return err
			}
		}
		if s.then == nil {
			return nil
		}
		return s.then(tx)
	})
	if err == nil {
		h.countProved(s, p)
	}
	return p, err
}

// countProved counts a factor that somebody has proved.
func (h Handlers) countProved(s step, p *proved) {
	switch {
	case s.kind == models.EventSignUp:
		h.Metrics.SignUp(string(s.factor))
	case p.session == nil:
		h.Metrics.SignIn(string(s.factor), metrics.Continued)
	default:
		h.Metrics.SignIn(string(s.factor), metrics.Succeeded)
	}
}

// recordRefused counts an attempt to prove a factor that failed, and adds an event of that
// kind to user's account.
func (h Handlers) recordRefused(c *gin.Context, way models.Factor, kind string, user *models.User) {
	h.Metrics.SignIn(string(way), metrics.Refused)
	h.RecordAttempt(c, kind, user)
}

// overtakeRecovery cancels the recovery of user, if there is one: they have every factor.
func overtakeRecovery(c *gin.Context, tx *models.DB, user *models.User) error {
	canceled, err := tx.CancelRecovery(c.Request.Context(), user)
	if err != nil || !canceled {
		return err
	}
	return recordOwn(c, tx, models.EventRecoveryCanceled, user, models.EventDetail{})
}

// recordOwn records what user did before they were signed in.
func recordOwn(c *gin.Context, tx *models.DB, kind string, user *models.User, detail models.EventDetail) error {
	entry := web.Event(c, uuid.Nil, kind, user)
	entry.ActorID, entry.Detail = user.ID, detail
	return tx.Record(c.Request.Context(), entry)
}

// finishSignIn sends p to the browser. It leads to next, or first asks for the factor that
// is missing.
func (h Handlers) finishSignIn(c *gin.Context, p *proved, toast, next string) error {
	h.use(c, p)
	if p.session == nil {
		if toast != "signed-in" {
			h.Flash(c, toast)
		}
		return web.Redirect(c, layouts.WithNext("/sign-in/second-factor", next))
	}
	return h.RedirectWith(c, toast, next)
}

// use sends p to the browser. A new session ends the one that it replaces, and the rest of
// the request is the new user's.
func (h Handlers) use(c *gin.Context, p *proved) {
	if p.session == nil {
		h.SetSignInCookie(c, p.token)
		return
	}
	r := web.Current(c)
	old := r.Session
	r.Session, r.User, r.Expired = p.session, p.session.User, false
	ctx, cancel := web.Detached(c)
	defer cancel()
	if old != nil { // its cookie is about to be replaced
		if err := h.DB.DeleteSession(ctx, old.UserID, old.ID); err != nil && !errors.Is(err, models.ErrNotFound) {
			r.Log().Error("replaced session not ended", "err", err)
		}
	}
	if token := h.SignInToken(c); token != "" { // of a sign-in that another way in has overtaken
		if err := h.DB.EndSignIn(ctx, token); err != nil {
			r.Log().Error("waiting sign-in not ended", "err", err)
		}
		h.ClearSignInCookie(c)
	}
	if err := h.EndWaitingSignUps(c); err != nil {
		r.Log().Error("waiting sign-up not ended", "err", err)
	}
	h.SetSessionCookie(c, p.token, p.session)
	h.SetBrowserCookie(c, p.browser)
}

// waiting returns the sign-in of this browser that waits for another factor, or
// models.ErrNotFound.
func (h Handlers) waiting(c *gin.Context) (*models.SignIn, error) {
	return h.DB.SignInByToken(c.Request.Context(), h.SignInToken(c))
}
