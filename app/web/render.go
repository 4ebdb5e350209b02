package web

import (
	"bytes"
	"context"
	"net/http"
	"sync"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/templates/layouts"
)

// Frame returns what the layout of this request's page shows. A toast that the last
// page left is in it, unless status is an error: then it waits for the page that it
// is about.
func (k *Kit) Frame(c *gin.Context, status int) layouts.Frame {
	r := Current(c)
	f := layouts.Frame{
		Status: status,
		Path:   c.Request.URL.Path,
		User:   r.User,
		Member: r.Member,
		Next:   LocalPath(c.Query("next")),
	}
	if IsHTMX(c) { // which has the frame already
		return f
	}
	if f.Member != nil {
		var err error
		if f.Memberships, err = k.DB.Memberships(c.Request.Context(), f.User.ID); err != nil && !ClientGone(c) {
			r.Log().Error("memberships not read", "err", err) // the page is worth more than the list
		}
	}
	if status < http.StatusBadRequest {
		f.Toast = k.takeFlash(c)
	}
	return f
}

// Render answers at the status of f with page, or under htmx with the fragment of it
// alone.
func Render(c *gin.Context, f layouts.Frame, page, fragment templ.Component) error {
	if IsHTMX(c) {
		page = fragment
	}
	return RenderFragment(c, f.Status, page)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// RenderFragment answers with one component. It renders to memory first: a
// component that fails leaves no half page.
func RenderFragment(c *gin.Context, status int, component templ.Component) error {
	b, _ := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	// Not in the context of the request: the page that says that time is up has to
	// be drawn when time is up.
	if err := component.Render(context.Background(), b); err != nil {
		return err
	}
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}
