package web

import (
	"bytes"
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

// View is what a template sees.
type View struct {
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

// Render answers with a page, or under htmx with the page's "fragment" alone.
// form and data are what its template shows; either may be nil.
func (k *Kit) Render(c *gin.Context, status int, page string, form *forms.Form, data any) error {
	return k.RenderPart(c, status, page, "fragment", form, data)
}

// RenderPart is Render for a page with more than one fragment.
func (k *Kit) RenderPart(c *gin.Context, status int, page, part string, form *forms.Form, data any) error {
	v := k.View(c, form, data)
	if IsHTMX(c) {
		return k.Fragment(c, status, page, part, v)
	}
	if v.Member != nil {
		var err error
		if v.Memberships, err = k.DB.Memberships(c.Request.Context(), v.User.ID); err != nil && !ClientGone(c) {
			Current(c).Log().Error("memberships not read", "err", err) // the page is worth more than the list
		}
	}
	if status < http.StatusBadRequest { // else it waits for the page that it is about
		v.Toast = k.takeFlash(c)
	}
	if status == http.StatusOK && v.common() {
		return k.common(c, page, v)
	}
	return k.Fragment(c, status, page, "base", v)
}

// common answers with a page that is the same for all strangers. It is rendered
// and compressed once. A page with anything of a person's own never is, see
// [assets.Encode].
func (k *Kit) common(c *gin.Context, page string, v View) error {
	made, ok := k.views.common.Load(c.FullPath())
	if !ok {
		var b bytes.Buffer
		k.views.execute(&b, page, "base", v)
		made, _ = k.views.common.LoadOrStore(c.FullPath(), assets.Encode(b.Bytes()))
	}
	body, _ := made.(*assets.Encoded).For(c.Request, c.Writer.Header())
	c.Data(http.StatusOK, "text/html; charset=utf-8", body)
	return nil
}

// View returns what the templates of this request see.
func (k *Kit) View(c *gin.Context, form *forms.Form, data any) View {
	r := Current(c)
	return View{
		User:      r.User,
		Session:   r.Session,
		Member:    r.Member,
		RequestID: r.ID,
		Path:      c.Request.URL.Path,
		Form:      form,
		Data:      data,
		next:      LocalPath(c.Query("next")),
	}
}

// common reports whether nothing in the view is somebody's own: then its path
// alone makes the page.
func (v View) common() bool {
	return v.User == nil && v.Toast == "" && v.Data == nil && v.next == Home && (v.Form == nil || v.Form.Blank())
}

// In reports whether the page is at path or below it.
func (v View) In(path string) bool {
	return v.Path == path || strings.HasPrefix(v.Path, path+"/")
}

// WithNext adds to a path of sign-in or sign-up where it leads back to.
func (v View) WithNext(path string) string { return WithNext(path, v.next) }

// Fragment answers with one named template of a page. It renders to memory
// first: a template that fails leaves no half page.
func (k *Kit) Fragment(c *gin.Context, status int, page, name string, data any) error {
	buf := k.views.buffers.Get().(*bytes.Buffer)
	defer k.views.buffers.Put(buf)
	buf.Reset()
	k.views.execute(buf, page, name, data)
	c.Data(status, "text/html; charset=utf-8", buf.Bytes())
	return nil
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

// Within returns the path of a page of the organization in use.
func (v View) Within(path string) string { return OrganizationPath(v.Member, path) }

// May reports whether the person's role in the organization in use allows p. A
// permission that does not exist stops the template, and so shows in every test of
// the page.
func (v View) May(p models.Permission) (bool, error) {
	if !p.Known() {
		return false, errors.New("there is no permission " + string(p))
	}
	return v.Member.Role.May(p), nil
}
