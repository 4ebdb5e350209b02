package models

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// WriteNotes is the permission to write, change and delete notes.
const WriteNotes Permission = "write-notes"

// Note is an example of something an organization owns. app/notes/README.md says
// how to remove it.
type Note struct {
	bun.BaseModel `bun:"table:notes,alias:n"`

	ID             uuid.UUID `bun:",pk"`
	OrganizationID uuid.UUID
	AuthorID       uuid.UUID `bun:",nullzero"`
	Title, Body    string
	SearchKey      string // title and body, folded by Key for the search
	CreatedAt      time.Time

	Organization *Organization `bun:"rel:belongs-to,join:organization_id=id"`
	Author       *User         `bun:"rel:belongs-to,join:author_id=id"`
}

// NotesTable returns the table of notes for operators, who see no text of one.
func NotesTable() Table {
	return NewTable((*Note)(nil), "id organization_id author_id title created_at", "body search_key")
}

// CountNotes returns how many notes there are, up to MaxCount.
func (db *DB) CountNotes(ctx context.Context) (int64, error) {
	return db.countUpToMax(ctx, db.bun.NewSelect().Model((*Note)(nil)))
}

// MaxNotes is how many notes an organization may have, as a search looks at them all.
const MaxNotes = 2000

// CreateNote stores a new note and fills in its id, time and search key. It returns a
// *FullError if the organization has MaxNotes.
func (db *DB) CreateNote(ctx context.Context, n *Note) error {
	n.ID, n.CreatedAt, n.SearchKey = newID(), now(), Key(n.Title+"\n"+n.Body)
	return db.insertUpTo(ctx, MaxNotes, "organization_id", n.OrganizationID, n)
}

// Notes lists up to limit notes of an organization that contain search in any case,
// newest first, with their authors, starting after the one with the id before
// unless that is zero.
func (db *DB) Notes(ctx context.Context, organization uuid.UUID, search string, before uuid.UUID, limit int64) ([]Note, error) {
	var notes []Note
	query := db.bun.NewSelect().Model(&notes).Relation("Author", publicColumns).
		Where("n.organization_id = ?", organization).Apply(newestBefore(before, limit))
	if text := searchKey(search); text != "" {
		query = query.Where("?(n.search_key, ?) > 0", db.position(), text)
	}
	err := query.Scan(ctx)
	return notes, err
}

// NotesBy iterates over author's notes, oldest first, in the organizations that author
// is a member of. Others may have edited a note since its author left.
func (db *DB) NotesBy(ctx context.Context, author uuid.UUID) iter.Seq2[*Note, error] {
	return func(yield func(*Note, error) bool) {
		memberships, err := db.Memberships(ctx, author)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, m := range memberships {
			read := func(after uuid.UUID) ([]Note, error) {
				var notes []Note
				err := db.bun.NewSelect().Model(&notes).ExcludeColumn("search_key").
					Where("n.organization_id = ?", m.OrganizationID).Where("n.author_id = ?", author).Where("n.id > ?", after).
					Order("n.id").Limit(pageSize).Scan(ctx)
				return notes, err
			}
			for n, err := range paginate(read, func(n *Note) uuid.UUID { return n.ID }) {
				if err == nil {
					n.Organization = m.Organization
				}
				if !yield(n, err) || err != nil {
					return
				}
			}
		}
	}
}

// NoteByID finds a note of an organization, with its author. It returns ErrNotFound
// if there is none.
func (db *DB) NoteByID(ctx context.Context, organization, id uuid.UUID) (*Note, error) {
	n := new(Note)
	err := db.bun.NewSelect().Model(n).Relation("Author", publicColumns).
		Where("n.organization_id = ?", organization).Where("n.id = ?", id).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return n, nil
}

// UpdateNote stores the title and body of n. It returns ErrNotFound if n was
// deleted.
func (db *DB) UpdateNote(ctx context.Context, n *Note) error {
	n.SearchKey = Key(n.Title + "\n" + n.Body)
	result, err := db.bun.NewUpdate().Model(n).Column("title", "body", "search_key").WherePK().
		Where("organization_id = ?", n.OrganizationID).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}

// DeleteNote deletes a note of an organization. It returns ErrNotFound if there is
// none.
func (db *DB) DeleteNote(ctx context.Context, organization, id uuid.UUID) error {
	result, err := db.bun.NewDelete().Model((*Note)(nil)).
		Where("organization_id = ?", organization).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return err
	}
	return requireRows(result)
}
