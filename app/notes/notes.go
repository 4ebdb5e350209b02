// Package notes is an example of a feature: notes that the members of an organization
// share.
package notes

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
	view "vestibule/templates/notes"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

// Routes adds the pages of notes to those of an organization, a user's notes to the data that
// they can download, and the table to what operators see.
func Routes(organization web.Routes) {
	h := Handlers{organization.Kit()}
	h.Export("notes", h.export)
	h.AddTable(models.NotesTable())
	h.AddCard("Notes", "/admin/tables/notes", (*models.DB).CountNotes)
	h.AddToasts(components.Good, map[string]string{
		"note-added":   "Note added",
		"note-saved":   "Note saved",
		"note-deleted": "Note deleted",
	})

	organization.GET("/notes", h.ShowNotes)
	writers := organization.Group("/notes", web.Require(models.WriteNotes))
	writers.POST("", h.CreateNote)
	writers.POST("/check", h.CheckNote)
	writers.GET("/:id", h.EditNote)
	writers.POST("/:id", h.SaveNote)
	writers.GET("/:id/row", h.CancelNote)
	writers.POST("/:id/check", h.CheckNote)
	writers.POST("/:id/delete", h.DeleteNote)
}

// newNote returns the form of a new note or, if the path has an id, of the note n, which
// is edited in its row.
func newNote(c *gin.Context, n *models.Note) *view.Note {
	form := forms.New(&view.Note{Title: n.Title, Body: n.Body})
	form.CheckURL = web.Within(c, "/notes/check")
	if id := c.Param("id"); id != "" {
		form.CheckURL = web.Within(c, "/notes/"+id+"/check")
		form.Prefix = "note-" + id + "-"
	}
	return form
}

// ShowNotes shows the notes of an organization, or those that a search finds.
func (h Handlers) ShowNotes(c *gin.Context) error {
	notes, err := h.notes(c)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.NotesPage(f, newNote(c, new(models.Note)), notes), view.NotesFound(f, notes))
}

// notes returns the page of notes that the request asks for.
func (h Handlers) notes(c *gin.Context) (view.Notes, error) {
	search := web.Search(c)
	var notes []models.Note
	err := h.Search(c, search, func(ctx context.Context, db *models.DB) (err error) {
		notes, err = db.Notes(ctx, web.Current(c).Member.OrganizationID, search, web.PageStart(c, "before"), web.PageSize+1)
		return err
	})
	list := web.NewList(c, "before", notes, func(n models.Note) uuid.UUID { return n.ID }, newNoteRow)
	return view.Notes{List: list, Search: search}, err
}

func newNoteRow(n models.Note) view.NoteRow {
	row := view.NoteRow{ID: n.ID.String(), Title: n.Title, Body: n.Body, CreatedAt: n.CreatedAt}
	if n.Author != nil {
		row.Author = n.Author.FullName()
	}
	return row
}

// CreateNote stores a note.
func (h Handlers) CreateNote(c *gin.Context) error {
	form := newNote(c, new(models.Note))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if form.Valid() {
		m := web.Current(c).Member
		n := &models.Note{OrganizationID: m.OrganizationID, AuthorID: m.UserID, Title: form.Title, Body: form.Body}
		err := h.DB.CreateNote(c.Request.Context(), n)
		if err == nil {
			return h.RedirectWith(c, "note-added", web.Within(c, "/notes"))
		}
		if !web.Full(&form.Form, err, "An organization can have up to %s notes. Delete some first.") {
			return err
		}
	}
	notes, err := h.notes(c)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusUnprocessableEntity)
	return web.Render(c, f, view.NotesPage(f, form, notes), view.CreateForm(f, form))
}

// CheckNote checks one field as the user leaves it.
func (h Handlers) CheckNote(c *gin.Context) error {
	return web.CheckField(c, &newNote(c, new(models.Note)).Form)
}

// note finds the note in the path.
func (h Handlers) note(c *gin.Context) (*models.Note, error) {
	return h.DB.NoteByID(c.Request.Context(), web.Current(c).Member.OrganizationID, web.ID(c))
}

// EditNote shows the form of a note in place of its row.
func (h Handlers) EditNote(c *gin.Context) error {
	n, err := h.note(c)
	if err != nil {
		return err
	}
	form := newNote(c, n)
	form.Focus = &form.Title
	return h.renderEdit(c, http.StatusOK, form, n)
}

func (h Handlers) renderEdit(c *gin.Context, status int, form *view.Note, n *models.Note) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.EditPage(f, form, n.ID.String()), view.EditRow(f, form, n.ID.String()))
}

// SaveNote changes a note.
func (h Handlers) SaveNote(c *gin.Context) error {
	n, err := h.note(c)
	if err != nil {
		return err
	}
	form := newNote(c, n)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderEdit(c, http.StatusUnprocessableEntity, form, n)
	}
	n.Title, n.Body = form.Title, form.Body
	if err := h.DB.UpdateNote(c.Request.Context(), n); err != nil {
		return err
	}
	if !web.IsHTMX(c) {
		return h.RedirectWith(c, "note-saved", web.Within(c, "/notes"))
	}
	return h.RenderSaved(c, h.row(c, n), "note-saved")
}

// row is the row of n alone, which gets the focus.
func (h Handlers) row(c *gin.Context, n *models.Note) templ.Component {
	list := components.List[view.NoteRow]{Rows: []view.NoteRow{newNoteRow(*n)}, Focus: true}
	return view.NoteRows(h.Frame(c, http.StatusOK), view.Notes{List: list})
}

// CancelNote shows the row of a note again, in place of its form. Without htmx it leads
// to the list.
func (h Handlers) CancelNote(c *gin.Context) error {
	n, err := h.note(c)
	if err != nil {
		return err
	}
	if !web.IsHTMX(c) {
		return web.Redirect(c, web.Within(c, "/notes"))
	}
	return web.RenderFragment(c, http.StatusOK, h.row(c, n))
}

// DeleteNote deletes a note.
func (h Handlers) DeleteNote(c *gin.Context) error {
	if err := h.DB.DeleteNote(c.Request.Context(), web.Current(c).Member.OrganizationID, web.ID(c)); err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "note-deleted", web.Within(c, "/notes"))
}

// ownNote is a note in its author's "Download my data".
type ownNote struct {
	Organization string    `json:"organization"`
	Title        string    `json:"title"`
	Body         string    `json:"body"`
	CreatedAt    time.Time `json:"created_at"`
}

func (h Handlers) export(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(h.DB.NotesBy(ctx, u.ID), func(n *models.Note) any {
		return ownNote{n.Organization.Name, n.Title, n.Body, n.CreatedAt}
	})
}
