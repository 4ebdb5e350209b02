package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/templates/layouts"
)

// Request is what a request carries beside its HTTP. Begin makes it, Session adds
// the person.
type Request struct {
	ID              string
	log             *slog.Logger
	Session         *models.Session    // nil for a stranger
	User            *models.User       // nil for a stranger
	Member          *models.Membership // the User's place in the organization of the URL; nil on other pages
	Expired         bool               // a stranger had a session that has ended
	Reauthenticated bool               // the password came from the page that asks for it, not from the form
}

// Log returns the site's log with the request's id on each line.
func (r *Request) Log() *slog.Logger { return r.log.With("request_id", r.ID) }

type requestKey struct{}

// Current returns what c's request carries.
func Current(c *gin.Context) *Request { return c.MustGet(requestKey{}).(*Request) }

// Detached returns a context that outlives the client's interest, for at most 5
// seconds: an attempt counts even if the client hangs up before the answer.
func Detached(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request.Context()), 5*time.Second)
}

// ClientGone reports whether the client has hung up. What fails then is no fault.
func ClientGone(c *gin.Context) bool { return errors.Is(c.Request.Context().Err(), context.Canceled) }

// ID returns the id in the request's path, or the zero id, which no row has.
func ID(c *gin.Context) uuid.UUID {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// Within returns the path of a page of the organization in use.
func Within(c *gin.Context, path string) string {
	return "/o/" + Current(c).Member.Organization.Slug + path
}

// Origin returns the path of the page that a request comes from: its own for a GET,
// else that of the page with the form.
func Origin(c *gin.Context) string {
	page := c.Request.Header.Get("HX-Current-URL")
	if page == "" && c.Request.Method == http.MethodGet {
		page = c.Request.URL.RequestURI()
	}
	if page == "" {
		page = c.Request.Referer()
	}
	u, err := url.Parse(page)
	if err != nil || page == "" {
		return layouts.Home
	}
	return LocalPath(u.RequestURI())
}

// LocalPath returns next when it is a path on this site, else [layouts.Home]. Browsers
// take "//host" and "/\host" for another site (OWASP: unvalidated redirects),
// and drop tabs and line breaks before they look. A path as browsers send it is
// ASCII.
func LocalPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || len(next) > 2000 ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f }) {
		return layouts.Home
	}
	return next
}

// IsHTMX reports whether htmx sent the request.
func IsHTMX(c *gin.Context) bool { return c.Request.Header.Get("HX-Request") == "true" }
