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

// Request is the site's own data of a request. Begin creates it, and Session adds the
// user.
type Request struct {
	ID              string
	TraceID         string // empty if the request is not traced
	log             *slog.Logger
	SessionRead     bool               // Session has run, so the next fields are known
	Session         *models.Session    // nil for a guest
	User            *models.User       // nil for a guest
	Operator        *models.User       // who uses the site as the User; nil if nobody does
	Member          *models.Membership // the User's membership in the organization of the URL; nil on other pages
	Expired         bool               // the guest's session has ended
	AddressUnknown  bool               // a trusted proxy sent the request and doesn't say for whom
	Reauthenticated bool               // the request was continued after Reauthenticate asked for the password
	SecondFactorDue time.Time          // when the Member's organization begins to require the second factor that the User lacks; zero if never

	// Impersonation is that of the Session, whose user is the operator. It may be over, and
	// stays when the request ends it. The log names both by it.
	Impersonation *models.Impersonation
}

// Sender returns who sends the request: the operator if there is one, otherwise the user. What
// they may do in a time counts for them.
func (r *Request) Sender() *models.User {
	if r.Operator != nil {
		return r.Operator
	}
	return r.User
}

// Log returns the site's log with the request's id on each line.
func (r *Request) Log() *slog.Logger {
	if r.TraceID != "" {
		return r.log.With("request_id", r.ID, "trace_id", r.TraceID)
	}
	return r.log.With("request_id", r.ID)
}

type requestKey struct{}

// Current returns the Request of c.
func Current(c *gin.Context) *Request { return c.MustGet(requestKey{}).(*Request) }

// Detached returns a context that outlives the request, for at most 5 seconds: an
// attempt counts even if the client hangs up before the answer.
func Detached(c *gin.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.Request.Context()), 5*time.Second)
}

// ClientGone reports whether the client has hung up. Errors after that aren't faults.
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
	return layouts.OrganizationPath(Current(c).Member.Organization, path)
}

// Origin returns the path of the page that a request comes from: its own path for a GET,
// otherwise that of the page with the form.
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

// LocalPath returns next if it is a path on this site, otherwise [layouts.Home].
// Browsers treat "//host" and "/\host" as another site (OWASP: unvalidated redirects),
// after removing tabs and line breaks. Paths from browsers are ASCII.
func LocalPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || len(next) > 2000 ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f }) {
		return layouts.Home
	}
	return next
}

// IsPrefetch reports whether a browser fetches the page ahead, which nobody may see.
func IsPrefetch(c *gin.Context) bool {
	return strings.HasPrefix(c.GetHeader("Sec-Purpose"), "prefetch")
}

// IsHTMX reports whether htmx sent the request.
func IsHTMX(c *gin.Context) bool { return c.Request.Header.Get("HX-Request") == "true" }

// IsCheck reports whether htmx sent the request by itself while a person types: the check
// of one field, or the rating of a password. What goes wrong in it is not shown.
func IsCheck(c *gin.Context) bool { return IsHTMX(c) && c.Query("field") != "" }
