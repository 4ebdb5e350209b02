package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/assets"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
)

// Frame returns the data of this request's layout. It has the toast of the previous
// request unless status is an error; the toast then waits for the next page. The page about
// a dead link has it: there, people ask for a new one.
func (k *Kit) Frame(c *gin.Context, status int) layouts.Frame {
	r := Current(c)
	f := layouts.Frame{
		Status: status,
		Path:   c.Request.URL.Path,
		User:   r.User,
		Member: r.Member,
		Next:   LocalPath(c.Query("next")),

		SecondFactorDue: r.SecondFactorDue,

		Connections: len(k.Providers) > 0,
		SignUp:      !k.Config.SignUp.ByInvitation(),
		Operates:    k.Operates(c),
	}
	if r.Operator != nil {
		f.Impersonation, f.ReadOnly = r.Impersonation, !k.mayChange(r)
	} else if s := r.Session; s != nil && s.Recovery != nil && !s.Recovery.Over() {
		f.Recovery = s.Recovery
	}
	if f.User != nil {
		f.DeletedAt = f.User.DeletedAt(k.Config.UnconfirmedMax)
	}
	if IsHTMX(c) { // the browser has the frame already
		return f
	}
	f.Theme = k.theme(c)
	if status < http.StatusBadRequest || status == http.StatusGone {
		f.Toast = k.takeFlash(c)
	}
	return f
}

// Retarget makes htmx replace the content of another element than the form's.
func Retarget(c *gin.Context, selector string) {
	c.Header("HX-Retarget", selector)
	c.Header("HX-Reswap", "innerHTML")
}

// Render answers with page and f's status, or under htmx with only its fragment.
func Render(c *gin.Context, f layouts.Frame, page, fragment templ.Component) error {
	if IsHTMX(c) {
		page = fragment
	} else if c.GetHeader("Sec-Fetch-Site") == "same-origin" || IsPrefetch(c) {
		// What browsers may fetch before a click. The first page of a visit leaves it out:
		// it would take one more request.
		c.Header("Speculation-Rules", `"`+assets.Path("speculation-rules.json")+`"`)
	}
	return RenderFragment(c, f.Status, page)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// RenderFragment answers with one component. It renders to memory first, so a component
// that fails leaves no half page.
func RenderFragment(c *gin.Context, status int, component templ.Component) error {
	if status == http.StatusTooManyRequests {
		holdBack(c)
	}
	b, _ := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	// Detached from the request's context: the page about a timeout is drawn after it.
	ctx := components.WithUser(context.Background(), Current(c).User)
	if err := component.Render(ctx, b); err != nil {
		return err
	}
	c.Header("Content-Length", strconv.Itoa(b.Len())) // or a long page would be sent in chunks
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}
