package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"text/template/parse"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/assets"
	"vestibule/models"
	"vestibule/templates"
)

// views are the parsed pages: for each, the layout, every fragment and the
// page's own file in one set, so that a page may define "title", "main" and "fragment".
type views struct {
	pages   map[string]*template.Template
	buffers sync.Pool
	common  sync.Map // of *assets.Encoded, by route: the pages that are the same for all strangers
}

func newViews() (*views, error) {
	v := &views{pages: map[string]*template.Template{}}
	v.buffers.New = func() any { return new(bytes.Buffer) }
	shared, err := template.New("").Funcs(funcs).ParseFS(templates.FS, "layouts/*.html", "fragments/*.html")
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(templates.FS, "pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		page, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if page, err = page.ParseFS(templates.FS, file); err != nil {
			return nil, err
		}
		for _, t := range page.Templates() {
			if t.Tree != nil {
				resolveAssets(t.Tree.Root)
			}
		}
		v.pages[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return v, nil
}

// resolveAssets writes the paths of assets into a template for good: to call
// asset, and the escapers after it, was a third of the work of a page.
func resolveAssets(list *parse.ListNode) {
	if list == nil {
		return
	}
	for i, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.ActionNode:
			if args := node.Pipe.Cmds[0].Args; len(node.Pipe.Cmds) == 1 && len(args) == 2 && args[0].String() == "asset" {
				if name, ok := args[1].(*parse.StringNode); ok {
					list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: node.Pos, Text: []byte(assets.Path(name.Text))}
				}
			}
		case *parse.IfNode:
			resolveAssets(node.List)
			resolveAssets(node.ElseList)
		case *parse.WithNode:
			resolveAssets(node.List)
			resolveAssets(node.ElseList)
		case *parse.RangeNode:
			resolveAssets(node.List)
			resolveAssets(node.ElseList)
		}
	}
}

// view is what a template sees.
type view struct {
	User      *models.User
	Session   *models.Session
	Member    *models.Membership
	RequestID string
	Path      string
	next      string // where sign-in leads back to
	Toast     string
	Form      *forms.Form
	Data      any // the page's own

	Memberships []models.Membership // to switch between, on a page of an organization
}

// render answers with a page, or under htmx with the page's "fragment" alone.
// form and data are what its template shows; either may be nil.
func (a *App) render(c *gin.Context, status int, page string, form *forms.Form, data any) {
	a.renderPart(c, status, page, "fragment", form, data)
}

// renderPart is render for a page with more than one fragment.
func (a *App) renderPart(c *gin.Context, status int, page, part string, form *forms.Form, data any) {
	v := a.view(c, form, data)
	if isHTMX(c) {
		a.fragment(c, status, page, part, v)
		return
	}
	if v.Member != nil {
		var err error
		if v.Memberships, err = a.db.Memberships(c.Request.Context(), v.User.ID); err != nil && !clientGone(c) {
			current(c).Log().Error("memberships not read", "err", err) // the page is worth more than the list
		}
	}
	if status < http.StatusBadRequest { // else it waits for the page that it is about
		v.Toast = a.takeFlash(c)
	}
	if status == http.StatusOK && v.common() {
		a.common(c, page, v)
		return
	}
	a.fragment(c, status, page, "base", v)
}

// common answers with a page that is the same for all strangers. It is rendered
// and compressed once. A page with anything of a person's own never is, see
// [assets.Encode].
func (a *App) common(c *gin.Context, page string, v view) {
	made, ok := a.views.common.Load(c.FullPath())
	if !ok {
		var b bytes.Buffer
		a.views.execute(&b, page, "base", v)
		made, _ = a.views.common.LoadOrStore(c.FullPath(), assets.Encode(b.Bytes()))
	}
	body, _ := made.(*assets.Encoded).For(c.Request, c.Writer.Header())
	c.Data(http.StatusOK, "text/html; charset=utf-8", body)
}

func (a *App) view(c *gin.Context, form *forms.Form, data any) view {
	r := current(c)
	return view{
		User:      r.User,
		Session:   r.Session,
		Member:    r.Member,
		RequestID: r.ID,
		Path:      c.Request.URL.Path,
		Form:      form,
		Data:      data,
		next:      localPath(c.Query("next")),
	}
}

// common tells whether nothing in the view is somebody's own: then its path
// alone makes the page.
func (v view) common() bool {
	return v.User == nil && v.Toast == "" && v.Data == nil && v.next == home && (v.Form == nil || v.Form.Blank())
}

// In tells whether the page is at path or below it.
func (v view) In(path string) bool {
	return v.Path == path || strings.HasPrefix(v.Path, path+"/")
}

// WithNext adds to a path of sign-in or sign-up where it leads back to.
func (v view) WithNext(path string) string { return withNext(path, v.next) }

// fragment answers with one named template of a page. It renders to memory
// first: a template that fails leaves no half page.
func (a *App) fragment(c *gin.Context, status int, page, name string, data any) {
	buf := a.views.buffers.Get().(*bytes.Buffer)
	defer a.views.buffers.Put(buf)
	buf.Reset()
	a.views.execute(buf, page, name, data)
	c.Data(status, "text/html; charset=utf-8", buf.Bytes())
}

// execute writes one named template of a page to b.
func (v *views) execute(b *bytes.Buffer, page, name string, data any) {
	t, ok := v.pages[page]
	if !ok {
		panic("no template for page " + page)
	}
	if err := t.ExecuteTemplate(b, name, data); err != nil {
		panic(fmt.Errorf("page %s: %w", page, err))
	}
}

// redirect leads the browser to another page, after a POST or instead of a
// page that is not for this person.
func (a *App) redirect(c *gin.Context, path string) {
	if isHTMX(c) {
		c.Header("HX-Redirect", path)
		c.Status(http.StatusOK)
		return
	}
	c.Redirect(http.StatusSeeOther, path)
}

// renderSaved answers a form that succeeded and stays: under htmx with the form and
// a toast, else with the page again.
func (a *App) renderSaved(c *gin.Context, page string, form *forms.Form, toast string) {
	if !isHTMX(c) {
		a.flash(c, toast)
		a.redirect(c, c.Request.URL.Path)
		return
	}
	v := a.view(c, form, nil)
	v.Toast = toastText(toast)
	a.fragment(c, http.StatusOK, page, "saved", v)
}

// respondToast answers a button that is no form of its own: under htmx with a toast
// alone, else with the page at path, and the toast there. The status is the one
// under htmx.
func (a *App) respondToast(c *gin.Context, status int, toast, path string) {
	if !isHTMX(c) || current(c).Reauthenticated { // then the button is not there any more
		a.flash(c, toast)
		a.redirect(c, path)
		return
	}
	a.fragment(c, status, "home", "toasted", toastText(toast))
}

// bind fills form from the request. It answers the request and returns false
// when the body is no form at all.
func (a *App) bind(c *gin.Context, form *forms.Form) bool {
	err := form.Bind(c.Request)
	if err == nil {
		return true
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		a.fail(c, http.StatusRequestEntityTooLarge)
	} else {
		a.fail(c, http.StatusUnsupportedMediaType)
	}
	return false
}

// checkField answers with the one field that a person has just left.
func (a *App) checkField(c *gin.Context, page string, form *forms.Form) {
	a.checkFields(c, page, form.Refresh(c.Query("field")))
}

func (a *App) checkFields(c *gin.Context, page string, fields []forms.Field) {
	if len(fields) == 0 {
		a.fail(c, http.StatusNotFound)
		return
	}
	a.fragment(c, http.StatusOK, page, "checked", fields)
}

// failures are the error pages that fit any page: what went wrong and what the
// person can do. Where more is known, refuse says it.
var failures = map[int]struct{ Title, Text string }{
	http.StatusForbidden:             {"Not allowed", "You may not do this here, so nothing was done."},
	http.StatusNotFound:              {"Page not found", "There is no page at this address. It may have moved, or the link may be incomplete."},
	http.StatusMethodNotAllowed:      {"Not allowed here", "This page does not take that kind of request."},
	http.StatusConflict:              {"Changed meanwhile", "What you saw has changed since, so nothing was done. Please look again."},
	http.StatusGone:                  {"This link is no longer good", "It was used already, is too old, or is not complete. Ask for a new one."},
	http.StatusRequestEntityTooLarge: {"Too much at once", "What was sent is larger than any form here needs. Shorten it and try again."},
	http.StatusUnsupportedMediaType:  {"Not a form", "What was sent is not an HTML form, so it could not be read."},
	http.StatusTooManyRequests:       {"Too many attempts", "That was tried too often. Please wait a while, and try again."},
	http.StatusInternalServerError:   {"Something went wrong", "The fault is ours and has been noted. Please try again in a moment."},
	http.StatusServiceUnavailable:    {"Back in a moment", "The site cannot answer this right now. Please try again in a moment."},
}

// fail ends the request with the error page of that status.
func (a *App) fail(c *gin.Context, status int) {
	f, ok := failures[status]
	if !ok {
		panic(fmt.Sprint("no error page of status ", status))
	}
	a.refuse(c, status, f.Title, f.Text)
}

// refuse ends the request with an error page in the site's layout. Under htmx
// it is a toast, so that the form on the page keeps what was typed.
func (a *App) refuse(c *gin.Context, status int, title, text string) {
	c.Abort()
	c.Header("Cache-Control", "no-store")
	if isHTMX(c) {
		c.Header("HX-Retarget", "#alerts")
		c.Header("HX-Reswap", "beforeend")
	}
	a.render(c, status, "error", nil, struct {
		Status      int
		Title, Text string
	}{status, title, text})
}

// retryAfter is how long a person refused by a full queue is asked to wait, in
// seconds.
const retryAfter = "5"

// error ends the request with the page that fits err, and logs what is our
// fault. It does neither when the client has gone.
func (a *App) error(c *gin.Context, err error) {
	early, last := new(models.ThrottledError), new(models.LastOwnerError)
	switch {
	case clientGone(c):
		c.AbortWithStatus(499) // nobody reads it; the log line shows it
	case errors.Is(err, models.ErrChanged):
		// The same request is not to be made again, but what the person may do
		// now, the page tells.
		current(c).Log().Info("changed meanwhile")
		c.Abort()
		a.flash(c, "changed")
		a.redirect(c, origin(c))
	case errors.Is(err, models.ErrNotFound):
		a.notFound(c)
	case errors.Is(err, models.ErrNotAllowed):
		a.notAllowed(c)
	case errors.As(err, &last):
		a.refuse(c, http.StatusConflict, "An organization needs an owner", lastOwnerSentence)
	case errors.As(err, &early):
		a.refuse(c, http.StatusTooManyRequests, "Too many attempts", tooMany(c, early))
	case errors.Is(err, password.ErrBusy):
		current(c).Log().Warn("password queue is full")
		c.Header("Retry-After", retryAfter)
		a.refuse(c, http.StatusServiceUnavailable, "Very busy", "Too many people are signing in right now. Please try again in a few seconds.")
	case errors.Is(err, password.ErrUnavailable):
		current(c).Log().Error("password hashing unavailable", "err", err)
		c.Header("Retry-After", retryAfter)
		a.refuse(c, http.StatusServiceUnavailable, "Back in a moment", "Passwords cannot be checked right now. Please try again in a moment.")
	case models.Unavailable(err), errors.Is(c.Request.Context().Err(), context.DeadlineExceeded): // then err may be of any kind
		current(c).Log().Error("database unavailable", "err", err)
		c.Header("Retry-After", retryAfter)
		a.fail(c, http.StatusServiceUnavailable)
	default:
		current(c).Log().Error("request failed", "err", err)
		a.fail(c, http.StatusInternalServerError)
	}
}

func (a *App) notFound(c *gin.Context) { a.fail(c, http.StatusNotFound) }

func (a *App) methodNotAllowed(c *gin.Context) { a.fail(c, http.StatusMethodNotAllowed) }
