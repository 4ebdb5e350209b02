package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/a-h/templ"
	"github.com/dustin/go-humanize"
	"github.com/gin-gonic/gin"

	"vestibule/app/password"
	"vestibule/models"
	"vestibule/templates/components"
	"vestibule/templates/site"
)

// Refusal is an error that a user sees on a separate page, with what was typed. Under
// htmx it is a toast, and the form on the page keeps what was typed.
type Refusal struct {
	Status      int
	Title, Text string
	On          templ.Component // leads on; nil if only the way home does
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Title) }

// Refuse returns a [Refusal] that says what went wrong and what the user can do.
func Refuse(status int, title, text string) error {
	return &Refusal{Status: status, Title: title, Text: text}
}

// Gone returns the [Refusal] of a mailed link that no longer works. It says how to get a
// new one, to which on leads.
func Gone(text string, on templ.Component) error {
	const why = "This link has expired, was already used, or was replaced by a newer one. "
	return &Refusal{http.StatusGone, "Link expired", why + text, on}
}

// Fail returns the general [Refusal] of that status. It panics if there is none.
func Fail(status int) error {
	f, ok := failures[status]
	if !ok {
		panic(fmt.Sprint("no error page of status ", status))
	}
	return Refuse(status, f.Title, f.Text)
}

// failures are general error pages: what went wrong and what the user can do. Use
// Refuse to say more.
var failures = map[int]struct{ Title, Text string }{
	http.StatusForbidden:             {"Not allowed", "You can't do this here. Nothing was changed."},
	http.StatusNotFound:              {"Page not found", "There's no page at this address. It may have moved, or the link may be incomplete."},
	http.StatusMethodNotAllowed:      {"Not allowed here", "This page doesn't accept that kind of request."},
	http.StatusConflict:              {"Something changed", "This changed while you were looking at it, so nothing was done. Please check, and try again."},
	http.StatusRequestEntityTooLarge: {"Too large", "What you sent is too large. Shorten it and try again."},
	http.StatusUnsupportedMediaType:  {"Not a form", "What you sent isn't an HTML form, so we couldn't read it."},
	http.StatusTooManyRequests:       {"Too many attempts", "Please wait a while, then try again."},
	http.StatusInternalServerError:   {"Something went wrong", "It's our fault, and we've logged it. Please try again in a moment."},
	http.StatusServiceUnavailable:    {"Back in a moment", "The site can't answer right now. Please try again in a moment."},
}

// renderRefusal answers the request with the page that r describes.
func (k *Kit) renderRefusal(c *gin.Context, r *Refusal) {
	c.Abort()
	c.Header("Cache-Control", "no-store")
	if IsCheck(c) {
		AnswerSilently(c, r.Status)
		return
	}
	if IsHTMX(c) {
		Retarget(c, "#alerts")
	}
	f := k.Frame(c, r.Status)
	typed := k.typedBefore(c)
	again := site.Again{Fields: Shown(typed)}
	if retryable[r.Status] && c.Request.Method == http.MethodPost && k.crossOrigin.Check(c.Request) == nil {
		if path := c.Request.URL.RequestURI(); LocalPath(path) == path {
			again.Path, again.All = path, typed
		}
	}
	failure := site.Failure{Status: r.Status, Title: r.Title, Text: r.Text, On: r.On, RequestID: Current(c).ID}
	if r.Status == http.StatusTooManyRequests {
		failure.Wait = c.Writer.Header().Get("Retry-After")
	}
	page := site.ErrorPage(f, failure, again)
	if err := Render(c, f, page, components.Toast(components.Message{Kind: components.Problem, Text: r.Text, On: r.On})); err != nil {
		c.Status(r.Status) // rather than 200, without a page
		Current(c).Log().Error("error page failed", "err", err)
	}
}

// retryable are the statuses after which the same request may succeed.
var retryable = map[int]bool{
	http.StatusTooManyRequests: true, http.StatusInternalServerError: true, http.StatusServiceUnavailable: true,
}

// AnswerSilently ends a request that a person has not made, and leaves the page as it is.
func AnswerSilently(c *gin.Context, status int) {
	if status == http.StatusTooManyRequests {
		holdBack(c)
	}
	c.Abort()
	c.Header("HX-Reswap", "none")
	c.Status(status)
}

// retryAfter is how long to wait after a full queue, in seconds.
const retryAfter = "5"

// answerError answers the request with the page for err, and logs the site's own
// errors. It does neither if the client is gone.
func (k *Kit) answerError(c *gin.Context, err error) {
	log := Current(c).Log()
	refusal, early, last, full := new(Refusal), new(models.ThrottledError), new(models.LastOwnerError), new(models.FullError)
	switch {
	case errors.As(err, &refusal):
	case ClientGone(c):
		c.AbortWithStatus(499) // nobody reads it; the log line shows it
		return
	case errors.Is(err, models.ErrChanged):
		// Repeating the request could be wrong now. The page shows what the user may
		// still do.
		log.Info("changed meanwhile")
		if IsCheck(c) {
			AnswerSilently(c, http.StatusConflict)
			return
		}
		if len(Shown(k.typedBefore(c))) == 0 {
			k.Flash(c, "changed")
			_ = Redirect(c, Origin(c))
			return
		}
		err = Refuse(http.StatusConflict, failures[http.StatusConflict].Title, k.message("changed").Text) // a redirect would lose what was typed
	case errors.Is(err, models.ErrNotFound):
		err = Fail(http.StatusNotFound)
	case errors.Is(err, models.ErrNotAllowed):
		err = notAllowed()
	case errors.As(err, &last):
		err = Refuse(http.StatusConflict, "An organization needs an owner", LastOwner)
	case errors.As(err, &full):
		err = Refuse(http.StatusConflict, "Limit reached", fmt.Sprintf("You can have up to %s of these. Delete some first.", humanize.Comma(int64(full.Most))))
	case errors.As(err, &early):
		err = Refuse(http.StatusTooManyRequests, "Too many attempts", TooMany(c, early))
	case errors.Is(err, password.ErrBusy):
		log.Warn("password queue is full")
		k.Metrics.HashRefused()
		c.Header("Retry-After", retryAfter)
		err = Refuse(http.StatusServiceUnavailable, "Very busy", "Too many people are signing in right now. Please try again in a few seconds.")
	case errors.Is(err, password.ErrNoMemory):
		log.Error("passwords can't be hashed", "err", err)
		c.Header("Retry-After", retryAfter)
		err = Fail(http.StatusServiceUnavailable)
	case errors.Is(err, models.ErrSlowSearch):
		log.Warn("search took too long")
		err = Refuse(http.StatusUnprocessableEntity, "Search took too long", "This search took too long. Please try a different word.")
	case models.Unavailable(err), errors.Is(c.Request.Context().Err(), context.DeadlineExceeded): // after a timeout, err may be anything
		log.Error("database unavailable", "err", err)
		c.Header("Retry-After", retryAfter)
		err = Fail(http.StatusServiceUnavailable)
	default:
		log.Error("request failed", "err", err)
		err = Fail(http.StatusInternalServerError)
	}
	if errors.As(err, &refusal) {
		k.renderRefusal(c, refusal)
	}
}

// notAllowed returns the [Refusal] of what the person's role does not allow.
func notAllowed() error {
	return Refuse(http.StatusForbidden, "Your role doesn't allow this", "Your role in this organization doesn't allow this. Ask an owner.")
}

// LastOwner tells the last owner of an organization what to do first.
const LastOwner = "An organization needs an owner. Make someone else an owner first, or delete the organization."

// NotFound answers a request for a page that does not exist.
func NotFound(*gin.Context) error { return Fail(http.StatusNotFound) }

// MethodNotAllowed answers a request with a method that its page doesn't accept.
func MethodNotAllowed(*gin.Context) error { return Fail(http.StatusMethodNotAllowed) }
