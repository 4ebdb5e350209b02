package auth

import (
	"errors"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/metrics"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/layouts"
)

// Step is a factor that a way in has proved. Every way in calls [Handlers.Prove] with one, in
// which at least Factor, Kind and Prepare are set.
type Step struct {
	Factor  models.Factor  // one of those of models; FactorPasskey is as good as two
	Kind    string         // of the event that is recorded, such as models.EventSignIn
	Quietly bool           // a new browser is not announced by mail
	Waiting *models.SignIn // the sign-in that the factor completes; nil for the first factor

	Identity        *models.Identity // that a provider has proved; its id may be set by Prepare
	ProviderSession string           // the id of the session at the provider, if it says one

	Detail models.EventDetail // of the event

	Trust bool // the browser isn't asked for a second factor for a while

	// Prepare returns the user. What it writes is stored whether or not another factor
	// is missing.
	Prepare func(tx *models.DB) (*models.User, error)
	// Then writes what needs every factor, with the session; may be nil.
	Then func(tx *models.DB) error
}

// Proved is what a step sends to the browser: a new session, or a sign-in that waits for
// another factor.
type Proved struct {
	Session *models.Session // nil if a factor is missing
	token   string          // of the session, or of the sign-in that waits
	browser string          // the mark that identifies the browser of the session
}

// Prove asks policy what is missing after s. If that is nothing, it starts a session. What
// s writes, the session or the sign-in that waits, the browser and an event are stored in
// one transaction. The caller has limited the attempts, and those of the user by
// [web.Kit.Write]; it passes what Prove returns to FinishSignIn.
//
// It returns models.ErrNotFound if the user, or the sign-in that waits, has changed, ended or
// been disabled in the meantime, a [web.Refusal] to operators who impersonate somebody, and
// the errors of s.Prepare and s.Then.
func (h Handlers) Prove(c *gin.Context, s Step) (*Proved, error) {
	ctx, p := c.Request.Context(), new(Proved)
	switch r := web.Current(c); {
	case !r.SessionRead: // so nobody knows whether an operator asks, or which session ends
		return nil, errors.New("a way in must be routed below Session")
	case r.Operator != nil: // who must not get a session of somebody else's
		return nil, web.ClosedToOperators()
	}
	err := h.DB.InTx(ctx, func(tx *models.DB) error {
		user, err := s.Prepare(tx)
		if err != nil {
			return err
		}
		taken := models.Step{
			Factor: s.Factor, Waiting: s.Waiting, Browser: h.TrustMark(c), Site: h.SitePolicy(), Device: web.ThisDevice(c), Lifetime: h.Config.Lifetime,
		}
		if s.Identity != nil {
			taken.Identity, taken.ProviderSession = s.Identity.ID, s.ProviderSession
		}
		if p.Session, p.token, err = tx.Prove(ctx, user, taken); err != nil {
			return err
		}
		kind := s.Kind
		if p.Session == nil && kind == models.EventSignIn {
			kind = models.EventSignInStarted
		}
		if err := RecordOwn(c, tx, kind, user, s.Detail); err != nil || p.Session == nil {
			return err
		}
		if err := overtakeRecovery(c, tx, user); err != nil {
			return err
		}
		if p.browser, err = h.RememberBrowser(c, tx, user, s.Quietly); err != nil {
			return err
		}
		if s.Trust && h.Config.TrustBrowser > 0 && !slices.Contains([]models.Factor{"", models.FactorBrowser}, p.Session.SecondFactor.Factor) { // a second factor trusts it, not itself
			if err := tx.TrustBrowser(ctx, user, p.browser, c.Request.UserAgent(), h.Config.TrustBrowser); err != nil {
				return err
			}
			if err := RecordOwn(c, tx, models.EventBrowserTrusted, user, models.EventDetail{}); err != nil {
				return err
			}
		}
		if s.Then == nil {
			return nil
		}
		return s.Then(tx)
	})
	if err != nil {
		return nil, err
	}
	h.countProved(s, p)
	return p, nil
}

// countProved counts a factor that somebody has proved.
func (h Handlers) countProved(s Step, p *Proved) {
	switch {
	case s.Kind == models.EventSignUp:
		h.Metrics.SignUp(string(s.Factor))
	case p.Session == nil:
		h.Metrics.SignIn(string(s.Factor), metrics.Continued)
	default:
		h.Metrics.SignIn(string(s.Factor), metrics.Succeeded)
	}
}

// RecordRefused counts an attempt to prove a factor that failed, and adds an event of that
// kind to user's account.
func (h Handlers) RecordRefused(c *gin.Context, way models.Factor, kind string, user *models.User) {
	h.Metrics.SignIn(string(way), metrics.Refused)
	h.RecordAttempt(c, kind, user)
}

// overtakeRecovery cancels the recovery of user, if there is one: they have every factor.
func overtakeRecovery(c *gin.Context, tx *models.DB, user *models.User) error {
	canceled, err := tx.CancelRecovery(c.Request.Context(), user)
	if err != nil || !canceled {
		return err
	}
	return RecordOwn(c, tx, models.EventRecoveryCanceled, user, models.EventDetail{})
}

// CancelRecoveryOf cancels the recovery of user, if there is one, and records it. A link that
// does so may have gone to an address that isn't the user's.
func (h Handlers) CancelRecoveryOf(c *gin.Context, user *models.User) error {
	return h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		canceled, err := tx.CancelRecovery(c.Request.Context(), user)
		if err != nil || !canceled {
			return err
		}
		return web.RecordIn(c, tx, uuid.Nil, models.EventRecoveryCanceled, user)
	})
}

// RecordOwn records what user did before they were signed in.
func RecordOwn(c *gin.Context, tx *models.DB, kind string, user *models.User, detail models.EventDetail) error {
	entry := web.Event(c, uuid.Nil, kind, user)
	entry.ActorID, entry.Detail = user.ID, detail
	return tx.Record(c.Request.Context(), entry)
}

// FinishSignIn sends p to the browser. It leads to next, or home if that isn't a path of this
// site, and shows a toast there. If a factor is missing, it asks for that first.
func (h Handlers) FinishSignIn(c *gin.Context, p *Proved, toast, next string) error {
	next = web.LocalPath(next)
	h.use(c, p)
	if p.Session == nil {
		if toast != "signed-in" {
			h.Flash(c, toast)
		}
		return web.Redirect(c, layouts.WithNext("/sign-in/second-factor", next))
	}
	return h.RedirectWith(c, toast, next)
}

// use sends p to the browser. A new session ends the one that it replaces, and the rest of
// the request is the new user's.
func (h Handlers) use(c *gin.Context, p *Proved) {
	if p.Session == nil {
		h.SetCookie(c, web.SignInCookie, p.token, models.SignInLife)
		return
	}
	r := web.Current(c)
	old := r.Session
	r.Session, r.User, r.Expired = p.Session, p.Session.User, false
	ctx, cancel := web.Detached(c)
	defer cancel()
	if old != nil { // its cookie is about to be replaced
		if err := h.DB.DeleteSession(ctx, old.UserID, old.ID); err != nil && !errors.Is(err, models.ErrNotFound) {
			r.Log().Error("replaced session not ended", "err", err)
		}
	}
	if token := h.Cookie(c, web.SignInCookie); token != "" { // of a sign-in that another way in has overtaken
		if err := h.DB.EndSignIn(ctx, token); err != nil {
			r.Log().Error("waiting sign-in not ended", "err", err)
		}
		h.ClearCookie(c, web.SignInCookie)
	}
	if err := h.EndWaitingSignUps(c); err != nil {
		r.Log().Error("waiting sign-up not ended", "err", err)
	}
	h.SetSessionCookie(c, p.token, p.Session)
	h.SetBrowserCookie(c, p.browser)
}

// waiting returns the sign-in of this browser that waits for another factor, or
// models.ErrNotFound.
func (h Handlers) waiting(c *gin.Context) (*models.SignIn, error) {
	return h.DB.SignInByToken(c.Request.Context(), h.Cookie(c, web.SignInCookie))
}

// EndWaitingSignUps ends the sign-ups by a provider that wait in this browser for what the
// provider doesn't say.
func (h Handlers) EndWaitingSignUps(c *gin.Context) error {
	secret := h.Cookie(c, web.ProviderCookie)
	if secret == "" {
		return nil
	}
	ctx, cancel := web.Detached(c)
	defer cancel()
	return h.DB.EndWaitingSignUps(ctx, secret)
}
