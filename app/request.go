package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/models"
)

// request is what a request carries beside its HTTP: begin makes it, session
// fills in the person.
type request struct {
	ID              string
	log             *slog.Logger
	Session         *models.Session    // nil for a stranger
	User            *models.User       // nil for a stranger
	Member          *models.Membership // the User's place in the organization of the URL; nil on other pages
	Expired         bool               // whether a stranger had a session that has ended
	Reauthenticated bool               // whether the password was given on the page that asks for it, and not the one with the form
}

// Log is the site's log with the request's id on each line.
func (r *request) Log() *slog.Logger { return r.log.With("request_id", r.ID) }

type requestKey struct{}

// current returns what c's request carries.
func current(c *gin.Context) *request { return c.MustGet(requestKey{}).(*request) }

// begin gives a request its id and its logger, and logs one line at its end.
// The line has neither the query, which may hold a token, nor the ids in a path.
func (a *App) begin(c *gin.Context) {
	start := time.Now()
	id := rand.Text()
	r := &request{ID: id, log: a.log}
	c.Set(requestKey{}, r)
	c.Header("X-Request-Id", id)
	c.Next()
	level := slog.LevelInfo
	if strings.HasPrefix(c.Request.URL.Path, "/assets/") {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("request_id", id),
		slog.String("method", c.Request.Method),
		slog.String("path", route(c)),
		slog.Int("status", c.Writer.Status()),
		slog.Duration("took", time.Since(start)),
		slog.String("ip", c.ClientIP()),
	}
	if r.User != nil {
		attrs = append(attrs, slog.String("user_id", r.User.ID.String()))
	}
	a.log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

// route is the path of a request as routes.go has it, or as it came if that
// knows none.
func route(c *gin.Context) string {
	if path := c.FullPath(); path != "" {
		return path
	}
	return c.Request.URL.Path
}

// recover turns a panic into the 500 page and a log line.
func (a *App) recover(c *gin.Context) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			current(c).Log().Error("panic", "panic", p, "stack", string(debug.Stack()))
			a.fail(c, http.StatusInternalServerError)
		}
	}()
	c.Next()
}

// contentSecurityPolicy opens only what the pages use, from the site itself.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// newSecurityHeaders are those of every answer (OWASP Secure Headers Project).
func (a *App) newSecurityHeaders() http.Header {
	h := http.Header{}
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if a.config.Secure() {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains") // of its host alone (ASVS 5.0, 3.4.1)
	}
	return h
}

func (a *App) headers(c *gin.Context) { maps.Copy(c.Writer.Header(), a.securityHeaders) }

// maxTime is how long a request may take. The queue of password hashes and slow
// queries end with it.
const maxTime = 30 * time.Second

func (a *App) limitTime(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), maxTime)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// detached is the context of what is noted of a request even if the client does
// not wait for the answer: else whoever hangs up early would not be noticed.
func detached(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request.Context()), 5*time.Second)
}

// clientGone tells whether the client has hung up. What fails then is no fault.
func clientGone(c *gin.Context) bool { return errors.Is(c.Request.Context().Err(), context.Canceled) }

// maxBody is the largest request body: the longest form takes a few kilobytes.
const maxBody = 64 << 10

func (a *App) limitBody(c *gin.Context) {
	if c.Request.ContentLength > maxBody {
		a.fail(c, http.StatusRequestEntityTooLarge)
		return
	}
	if c.Request.ContentLength == 0 { // most have no body
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
}

// sameOrigin refuses what another site's page makes a browser send (CSRF).
func (a *App) sameOrigin(c *gin.Context) {
	if err := a.crossOrigin.Check(c.Request); err != nil {
		current(c).Log().Warn("cross-origin request refused", "err", err)
		a.refuse(c, http.StatusForbidden, "Not allowed", "This request came from another site, so nothing was changed. Open the page here and try again.")
	}
}

// session finds out who sends the request, in one query. A cookie that stands
// for no living session is cleared.
func (a *App) session(c *gin.Context) {
	c.Header("Vary", "Cookie, HX-Request")
	c.Header("Cache-Control", "no-cache")
	token, err := c.Cookie(a.cookieName())
	if err != nil {
		return
	}
	s, err := a.db.SessionByToken(c.Request.Context(), token)
	if errors.Is(err, models.ErrNotFound) {
		// Only where the browser opens a page: an answer to a request of before a
		// renewal, which comes late, must not take the new cookie away.
		if opensPage(c) {
			a.clearSessionCookie(c)
		}
		current(c).Expired = true
		return
	}
	if err != nil {
		a.error(c, err)
		return
	}
	r := current(c)
	r.Session, r.User = s, s.User
	c.Header("Cache-Control", "no-store")
	renewed, err := a.db.TouchSession(c.Request.Context(), s, a.lifetime())
	switch {
	case err != nil && !clientGone(c):
		r.Log().Error("session not renewed", "err", err) // the person stays signed in until it expires
	case err == nil && renewed:
		a.setSessionCookie(c, token, s)
	}
}

// opensPage tells whether the browser is about to show the answer as a page
// (Fetch Metadata; old browsers and other programs do not say).
func opensPage(c *gin.Context) bool {
	mode := c.GetHeader("Sec-Fetch-Mode")
	return c.Request.Method == http.MethodGet && !isHTMX(c) && (mode == "" || mode == "navigate")
}

// guestsOnly sends a person on who has signed in, maybe in another tab.
func (a *App) guestsOnly(c *gin.Context) {
	if current(c).User != nil {
		a.redirect(c, localPath(c.Query("next")))
		c.Abort()
	}
}

// signedInOnly sends a stranger to sign in, and then back.
func (a *App) signedInOnly(c *gin.Context) {
	if current(c).User == nil {
		c.Header("Cache-Control", "no-store")
		if current(c).Expired {
			a.flash(c, "expired")
		}
		a.redirect(c, withNext("/sign-in", origin(c)))
		c.Abort()
	}
}

// origin is the path of the page that a request comes from: its own for a GET,
// else that of the page with the form.
func origin(c *gin.Context) string {
	page := c.Request.Header.Get("HX-Current-URL")
	if page == "" && c.Request.Method == http.MethodGet {
		page = c.Request.URL.RequestURI()
	}
	if page == "" {
		page = c.Request.Referer()
	}
	u, err := url.Parse(page)
	if err != nil || page == "" {
		return home
	}
	return localPath(u.RequestURI())
}

// home is where a person goes who asked for nothing else.
const home = "/dashboard"

// withNext adds the path to return to after sign-in.
func withNext(path, next string) string {
	if next == home {
		return path
	}
	return path + "?" + url.Values{"next": {next}}.Encode()
}

// localPath returns next when it is a path on this site, else home. Browsers
// take "//host" and "/\host" for another site (OWASP: unvalidated redirects),
// and drop tabs and line breaks before they look. A path as browsers send it is
// ASCII.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || len(next) > 2000 ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f }) {
		return home
	}
	return next
}

func isHTMX(c *gin.Context) bool { return c.Request.Header.Get("HX-Request") == "true" }
