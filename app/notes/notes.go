// Package notes is the example of a feature of your own: notes that the members of
// an organization share.
package notes

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

// Routes adds the pages of notes to those of an organization, and a person's notes
// to the data that they can download.
func Routes(organization web.Routes) {
	h := Handlers{organization.Kit()}
	h.Export("notes", h.export)

	organization.GET("/notes", h.ShowNotes)
	writers := organization.Group("/notes", web.Require(models.WriteNotes))
	writers.POST("", h.CreateNote)
	writers.POST("/check", h.CheckNote)
	writers.GET("/:id", h.EditNote)
	writers.POST("/:id", h.SaveNote)
	writers.POST("/:id/check", h.CheckNote)
	writers.POST("/:id/delete", h.DeleteNote)
}

type noteForm struct {
	Title string `form:"title" label:"Title" noun:"a title" autocomplete:"off" validate:"required,max=100"`
	Body  string `form:"body" label:"Text" noun:"a text" type:"textarea" autocomplete:"off" validate:"required,max=5000"`
}

// notesData is one page of notes, or one of them to edit.
type notesData struct {
	web.List[models.Note]
	Search string
	Edit   *models.Note
}

// newNoteForm makes the form of a new note or, when the path has an id, of the
// note n that is edited in its place on the same page.
func newNoteForm(c *gin.Context, n *models.Note) (*noteForm, *forms.Form) {
	in := &noteForm{Title: n.Title, Body: n.Body}
	form := forms.New(in)
	form.CheckURL = web.Within(c, "/notes/check")
	if id := c.Param("id"); id != "" {
		form.CheckURL = web.Within(c, "/notes/"+id+"/check")
		form.Prefix = "note-" + id + "-"
	}
	return in, form
}

func (h Handlers) ShowNotes(c *gin.Context) error {
	_, form := newNoteForm(c, new(models.Note))
	return h.renderNotes(c, http.StatusOK, form, "found")
}

// renderNotes answers with the page, or under htmx with the named part of it.
func (h Handlers) renderNotes(c *gin.Context, status int, form *forms.Form, part string) error {
	search := c.Query("q")
	notes, err := h.DB.Notes(c.Request.Context(), web.Current(c).Member.OrganizationID, search, web.PageStart(c, "before"), web.PageSize+1)
	if err != nil {
		return err
	}
	rows := web.NewList(c, "before", notes, func(n models.Note) uuid.UUID { return n.ID })
	return h.RenderPart(c, status, "notes", part, form, notesData{List: rows, Search: search})
}

func (h Handlers) CreateNote(c *gin.Context) error {
	in, form := newNoteForm(c, new(models.Note))
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderNotes(c, http.StatusUnprocessableEntity, form, "create-note")
	}
	m := web.Current(c).Member
	n := &models.Note{OrganizationID: m.OrganizationID, AuthorID: m.UserID, Title: in.Title, Body: in.Body}
	if err := h.DB.CreateNote(c.Request.Context(), n); err != nil {
		return err
	}
	return h.RedirectWith(c, "saved", web.Within(c, "/notes"))
}

// CheckNote checks one field as the person leaves it.
func (h Handlers) CheckNote(c *gin.Context) error {
	_, form := newNoteForm(c, new(models.Note))
	if err := web.Bind(c, form); err != nil {
		return err
	}
	return h.CheckField(c, "notes", form)
}

// note finds the note in the path.
func (h Handlers) note(c *gin.Context) (*models.Note, error) {
	return h.DB.NoteByID(c.Request.Context(), web.Current(c).Member.OrganizationID, web.ID(c))
}

// EditNote shows the form of a note, which takes the place of its row.
func (h Handlers) EditNote(c *gin.Context) error {
	n, err := h.note(c)
	if err != nil {
		return err
	}
	_, form := newNoteForm(c, n)
	form.Focus = "title"
	return h.RenderPart(c, http.StatusOK, "notes", "edit-note", form, notesData{Edit: n})
}

func (h Handlers) SaveNote(c *gin.Context) error {
	n, err := h.note(c)
	if err != nil {
		return err
	}
	in, form := newNoteForm(c, n)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.RenderPart(c, http.StatusUnprocessableEntity, "notes", "edit-note", form, notesData{Edit: n})
	}
	n.Title, n.Body = in.Title, in.Body
	if err := h.DB.UpdateNote(c.Request.Context(), n); err != nil {
		return err
	}
	if web.IsHTMX(c) {
		rows := web.List[models.Note]{Rows: []models.Note{*n}, Focus: true}
		v := h.View(c, nil, notesData{List: rows}) // its row again
		v.Toast = web.ToastText("saved")
		return h.Fragment(c, http.StatusOK, "notes", "saved", v)
	}
	return h.RedirectWith(c, "saved", web.Within(c, "/notes"))
}

func (h Handlers) DeleteNote(c *gin.Context) error {
	if err := h.DB.DeleteNote(c.Request.Context(), web.Current(c).Member.OrganizationID, web.ID(c)); err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "gone", web.Within(c, "/notes"))
}

// ownNote is a note as its author gets it with "Download my data".
type ownNote struct {
	Organization string    `json:"organization"`
	Title        string    `json:"title"`
	Body         string    `json:"body"`
	CreatedAt    time.Time `json:"created_at"`
}

func (h Handlers) export(ctx context.Context, u *models.User) (any, error) {
	notes, err := h.DB.NotesBy(ctx, u.ID)
	own := make([]ownNote, 0, len(notes))
	for _, n := range notes {
		own = append(own, ownNote{n.Organization.Name, n.Title, n.Body, n.CreatedAt})
	}
	return own, err
}
