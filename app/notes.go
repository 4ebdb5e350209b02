package app

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
)

type noteForm struct {
	Title string `form:"title" label:"Title" noun:"a title" autocomplete:"off" validate:"required,max=100"`
	Body  string `form:"body" label:"Text" noun:"a text" type:"textarea" autocomplete:"off" validate:"required,max=5000"`
}

// notesData is one page of notes, or one of them to edit.
type notesData struct {
	listPage[models.Note]
	Search string
	Edit   *models.Note
}

// newNoteForm makes the form of a new note or, when the path has an id, of the
// note n that is edited in its place on the same page.
func newNoteForm(c *gin.Context, n *models.Note) (*noteForm, *forms.Form) {
	in := &noteForm{Title: n.Title, Body: n.Body}
	form := forms.New(in)
	form.CheckURL = within(c, "/notes/check")
	if id := c.Param("id"); id != "" {
		form.CheckURL = within(c, "/notes/"+id+"/check")
		form.Prefix = "note-" + id + "-"
	}
	return in, form
}

func (a *App) showNotes(c *gin.Context) {
	_, form := newNoteForm(c, new(models.Note))
	a.renderNotes(c, http.StatusOK, form, "found")
}

// renderNotes answers with the page, or under htmx with the named part of it.
func (a *App) renderNotes(c *gin.Context, status int, form *forms.Form, part string) {
	search := c.Query("q")
	notes, err := a.db.Notes(c.Request.Context(), current(c).Member.OrganizationID, search, pageStart(c, "before"), pageSize+1)
	if err != nil {
		a.error(c, err)
		return
	}
	rows := newListPage(c, "before", notes, func(n models.Note) uuid.UUID { return n.ID })
	a.renderPart(c, status, "notes", part, form, notesData{listPage: rows, Search: search})
}

func (a *App) createNote(c *gin.Context) {
	in, form := newNoteForm(c, new(models.Note))
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.renderNotes(c, http.StatusUnprocessableEntity, form, "create-note")
		return
	}
	m := current(c).Member
	n := &models.Note{OrganizationID: m.OrganizationID, AuthorID: m.UserID, Title: in.Title, Body: in.Body}
	if err := a.db.CreateNote(c.Request.Context(), n); err != nil {
		a.error(c, err)
		return
	}
	a.flash(c, "saved")
	a.redirect(c, within(c, "/notes"))
}

// checkNote checks one field as the person leaves it.
func (a *App) checkNote(c *gin.Context) {
	_, form := newNoteForm(c, new(models.Note))
	if a.bind(c, form) {
		a.checkField(c, "notes", form)
	}
}

// note finds the note in the path. It answers the request itself, and returns
// nil, when there is none.
func (a *App) note(c *gin.Context) *models.Note {
	n, err := a.db.NoteByID(c.Request.Context(), current(c).Member.OrganizationID, id(c))
	if err != nil {
		a.error(c, err)
		return nil
	}
	return n
}

// editNote shows the form of a note, which takes the place of its row.
func (a *App) editNote(c *gin.Context) {
	if n := a.note(c); n != nil {
		_, form := newNoteForm(c, n)
		form.Focus = "title"
		a.renderPart(c, http.StatusOK, "notes", "edit-note", form, notesData{Edit: n})
	}
}

func (a *App) saveNote(c *gin.Context) {
	n := a.note(c)
	if n == nil {
		return
	}
	in, form := newNoteForm(c, n)
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.renderPart(c, http.StatusUnprocessableEntity, "notes", "edit-note", form, notesData{Edit: n})
		return
	}
	n.Title, n.Body = in.Title, in.Body
	if err := a.db.UpdateNote(c.Request.Context(), n); err != nil {
		a.error(c, err)
		return
	}
	if isHTMX(c) {
		rows := listPage[models.Note]{Rows: []models.Note{*n}, Focus: true}
		v := a.view(c, nil, notesData{listPage: rows}) // its row again
		v.Toast = toastText("saved")
		a.fragment(c, http.StatusOK, "notes", "saved", v)
		return
	}
	a.flash(c, "saved")
	a.redirect(c, within(c, "/notes"))
}

func (a *App) deleteNote(c *gin.Context) {
	if err := a.db.DeleteNote(c.Request.Context(), current(c).Member.OrganizationID, id(c)); err != nil {
		a.error(c, err)
		return
	}
	a.respondToast(c, http.StatusOK, "gone", within(c, "/notes"))
}

// ownNote is a note as its author gets it with all that the site knows of them.
type ownNote struct {
	Organization string    `json:"organization"`
	Title        string    `json:"title"`
	Body         string    `json:"body"`
	CreatedAt    time.Time `json:"created_at"`
}

func (a *App) ownNotes(ctx context.Context, u *models.User, data *ownData) error {
	notes, err := a.db.NotesBy(ctx, u.ID)
	data.Notes = listed(notes, func(n models.Note) ownNote {
		return ownNote{n.Organization.Name, n.Title, n.Body, n.CreatedAt}
	})
	return err
}
