package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/device"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
)

// TableRoutes adds the tables of the database to the operator's pages, for admins.
func (h Handlers) TableRoutes(operators web.Routes) {
	h.AddTable(models.Tables()...)
	h.AddToasts(components.Good, map[string]string{"session-deleted": "Session deleted"})
	tables := operators.Group("/tables", h.AdminsOnly)
	tables.GET("", h.ShowTables)
	tables.GET("/:name", h.ShowTable)
	tables.GET("/sessions/:id/delete", h.DeleteSession)
	tables.POST("/sessions/:id/delete", h.DeleteSession)
}

// ShowTables lists the tables of the database.
func (h Handlers) ShowTables(c *gin.Context) error {
	f := h.Frame(c, http.StatusOK)
	page := view.TablesPage(f, h.Tables())
	return web.Render(c, f, page, page)
}

// tableRows is how many rows of a table a page shows.
const tableRows = 50

// ShowTable shows rows of a table. It records that the operator looked, and at whom if the
// filter says so.
func (h Handlers) ShowTable(c *gin.Context) error {
	t, ok := h.Table(c.Param("name"))
	if !ok {
		return models.ErrNotFound
	}
	page, query := newTable(c, t)
	looked := t.Name + components.Prefixed(", by ", query.Filter)
	if err := h.record(c, h.DB, models.EventLooked, filtersUser(t, query), models.EventDetail{Table: looked}); err != nil {
		return err
	}
	var rows []models.TableRow
	err := h.Search(c, t.Name, func(ctx context.Context, db *models.DB) (err error) {
		rows, err = db.TableRows(ctx, t, query)
		return err
	})
	status := http.StatusOK
	if invalid := new(models.ValueError); errors.As(err, &invalid) {
		status, err, page.Problem = http.StatusUnprocessableEntity, nil, "To filter by "+invalid.Column+", type "+invalid.Want+"."
	} else if errors.Is(err, models.ErrSlowSearch) {
		status, err, page.Problem = http.StatusUnprocessableEntity, nil, "This took too long and was stopped: the table is large, and that column has no index. Sort by another column, or filter by one with an index, such as an ID."
	}
	if err != nil {
		return err
	}
	page.Add(h.Tables(), web.Current(c).User.ID, rows, query, tableRows)
	f := h.Frame(c, status)
	return web.Render(c, f, view.TablePage(f, page), view.TableFound(page))
}

// newTable returns what the request asks to see of t. It leaves out columns that nobody sees.
func newTable(c *gin.Context, t models.Table) (view.Table, models.TableQuery) {
	page := view.Table{Table: t, Path: c.Request.URL.Path, Column: web.Choice(c, "column", view.Comparable(t)), Value: text.Printable(c.Query("value"))}
	query := models.TableQuery{After: web.PageStart(c, "after"), Limit: tableRows + 1}
	if page.Value != "" {
		query.Filter, query.Value = page.Column, page.Value
	}
	query.Sort, query.Down = strings.CutPrefix(c.Query("sort"), "-")
	if column, ok := t.Column(query.Sort); ok && !column.Hidden {
		page.Sort = c.Query("sort")
	} else if query.Sort = ""; t.Keyed() {
		query.Sort, query.Down, page.Sort = "id", true, "-id" // the newest first
	}
	if query.Sort != "id" || !t.Keyed() {
		query.After = uuid.Nil
		n, _ := strconv.Atoi(c.Query("page"))
		query.Skip = min(max(0, n)*tableRows, models.MaxSkip)
	}
	return page, query
}

// filtersUser returns the user whose rows a query asks for, nil if they are of many.
func filtersUser(t models.Table, query models.TableQuery) *models.User {
	column, _ := t.Column(query.Filter)
	id, err := uuid.Parse(query.Value)
	if err != nil || column.References != "users" && (t.Name != "users" || column.Name != "id") {
		return nil
	}
	return &models.User{ID: id}
}

// DeleteSession asks for the reason to delete a row of sessions or, with a reason, deletes it,
// which signs the person out.
func (h Handlers) DeleteSession(c *gin.Context) error {
	return h.endSession(c, "session-deleted", func(s *models.Session) view.Reasoned {
		return view.Reasoned{Title: "Delete the session", About: "Of " + s.User.FullName() + ", " + device.Name(s.UserAgent) + ", from " + s.IP,
			Means: "They're signed out there, and can sign in again.", Button: "Delete session", Grave: true,
			Path: view.TablePath("sessions", s.ID.String(), "delete"), Back: view.TablePath("sessions"), BackTo: "the table"}
	})
}
