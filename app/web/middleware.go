package web

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/models"
)

// Begin gives a request an id, a logger and a span, and logs one line at its end. The line
// leaves out the query, which may hold a token, and the ids in a path.
func (k *Kit) Begin(c *gin.Context) {
	start := time.Now()
	r := &Request{ID: rand.Text(), log: k.Log}
	k.adopt(c, r)
	c.Set(requestKey{}, r)
	c.Header("X-Request-Id", r.ID)
	end := k.beginSpan(c, r)
	c.Next()
	end()
	k.Metrics.Request(method(c), c.FullPath(), c.Writer.Status(), time.Since(start))
	k.warnOfProxy(c)
	if !k.Config.AccessLog.has(c.Writer.Status()) {
		return
	}
	level := slog.LevelInfo
	if isRoutine(c) {
		level = slog.LevelDebug // Readyz logs what changes
	}
	attrs := []slog.Attr{
		slog.String("request_id", r.ID),
		slog.String("method", method(c)),
		slog.String("path", route(c)),
		slog.Int("status", c.Writer.Status()),
		slog.Float64("took_ms", float64(time.Since(start).Microseconds())/1000),
		slog.String("ip", c.ClientIP()),
	}
	if i := r.Impersonation; i != nil {
		attrs = append(attrs, slog.String("user_id", i.UserID.String()), slog.String("operator_id", i.OperatorID.String()))
	} else if r.User != nil {
		attrs = append(attrs, slog.String("user_id", r.User.ID.String()))
	}
	if r.TraceID != "" {
		attrs = append(attrs, slog.String("trace_id", r.TraceID))
	}
	k.Log.LogAttrs(c.Request.Context(), level, "request", attrs...)
}

// isRoutine reports whether a request is for an asset or a health check, which are many and
// tell little.
func isRoutine(c *gin.Context) bool {
	path := c.Request.URL.Path
	return path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/assets/")
}

// route returns the path of a request as written in routes.go. If no route matches, it
// returns the path as received, up to the first part that could hold a secret or is long:
// a mail program may mangle a link so that its token becomes part of the path.
func route(c *gin.Context) string {
	if path := c.FullPath(); path != "" {
		return path
	}
	kept := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(c.Request.URL.Path, "/"), "/") {
		if !plainPart.MatchString(part) || len(kept) > 100 {
			return kept + "/…"
		}
		kept += "/" + part
	}
	return kept
}

// plainPart matches a part of a path that is too short for a token.
var plainPart = regexp.MustCompile(`^[A-Za-z0-9._-]{0,24}$`)

// method returns the method of a request, or "other" for one that no browser sends, which
// can be as long as a header.
func method(c *gin.Context) string {
	switch m := c.Request.Method; m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return m
	}
	return "other"
}

// Recover turns a panic into the 500 page and a log line.
func (k *Kit) Recover(c *gin.Context) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			panic(p)
		default:
			Current(c).Log().Error("panic", "panic", p, "stack", string(debug.Stack()))
			k.answerError(c, Fail(http.StatusInternalServerError))
		}
	}()
	c.Next()
}

// contentSecurityPolicy allows only what the pages use, from the site itself.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// newSecurityHeaders returns the headers of every answer (OWASP Secure Headers
// Project). Localhost never gets Strict-Transport-Security, which would lock the other
// programs there out of plain http.
func newSecurityHeaders(httpsOnly bool) http.Header {
	h := http.Header{}
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if httpsOnly {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains") // ASVS 5.0, 3.4.1
	}
	return h
}

// Headers sets the security headers.
func (k *Kit) Headers(c *gin.Context) { maps.Copy(c.Writer.Header(), k.securityHeaders) }

// maxTime is how long a request may take, with waiting for hashes and slow queries.
const maxTime = 30 * time.Second

// LimitTime cancels a request's context after maxTime.
func LimitTime(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), maxTime)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// maxBody is the largest request body: the longest form takes a few kilobytes.
const maxBody = 64 << 10

// LimitBody refuses a body larger than maxBody.
func LimitBody(c *gin.Context) error {
	if c.Request.ContentLength > maxBody {
		return Fail(http.StatusRequestEntityTooLarge)
	}
	if c.Request.ContentLength != 0 { // most have no body
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
	}
	return nil
}

// SameOrigin refuses requests that come from pages of other sites (CSRF).
func (k *Kit) SameOrigin(c *gin.Context) error {
	if err := k.crossOrigin.Check(c.Request); err != nil {
		Current(c).Log().Warn("cross-origin request refused", "err", err)
		return Refuse(http.StatusForbidden, "Not allowed", "This request came from another site, so nothing was changed. Open the page here and try again.")
	}
	return nil
}

// Session finds the user of the request in one query, or the person whom they impersonate. The
// cookie of a session that has ended stays until the next sign-in replaces it: when this
// answer arrives, the browser may have the cookie of a newer session, which clearing would
// remove.
func (k *Kit) Session(c *gin.Context) error {
	Current(c).SessionRead = true
	c.Header("Vary", "Cookie, HX-Request")
	c.Header("Cache-Control", "no-cache")
	token, err := c.Cookie(k.cookieName(sessionCookie))
	if err != nil {
		return nil
	}
	s, err := k.DB.SessionByToken(c.Request.Context(), token)
	if errors.Is(err, models.ErrNotFound) {
		Current(c).Expired = true
		return nil
	}
	if err != nil {
		return err
	}
	r := Current(c)
	r.Session, r.User = s, s.User
	c.Header("Cache-Control", "no-store")
	renewed, err := k.DB.TouchSession(c.Request.Context(), s, k.Config.Lifetime)
	switch {
	case err != nil && !ClientGone(c):
		r.Log().Error("session not renewed", "err", err) // the user stays signed in until it expires
	case err == nil && renewed:
		k.SetSessionCookie(c, token, s)
	}
	k.impersonate(c)
	return nil
}

// GuestsOnly redirects a signed-in user, who may have signed in from another tab, to the
// page they wanted. A form that they send is left to its handler, which keeps what was
// typed.
func GuestsOnly(c *gin.Context) error {
	if Current(c).User == nil || c.Request.Method == http.MethodPost {
		return nil
	}
	return Redirect(c, LocalPath(c.Query("next")))
}

// VerifiedOnly is middleware for routes that require a confirmed email address. Put it
// after SignedInOnly.
func VerifiedOnly(c *gin.Context) error {
	if !Current(c).User.Verified() {
		return Refuse(http.StatusForbidden, "Confirm your email address first", "You need a confirmed email address for this. Open the link we sent you, then come back.")
	}
	return nil
}

// Require returns middleware for routes that need a permission in the current
// organization.
func Require(p models.Permission) Handler {
	return func(c *gin.Context) error {
		if !Current(c).Member.Role.May(p) {
			return notAllowed()
		}
		return nil
	}
}
