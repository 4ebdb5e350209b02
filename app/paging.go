package app

import (
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// pageSize is how many rows of a list one page shows.
const pageSize = 20

// listPage is one page of a list.
type listPage[T any] struct {
	Rows  []T
	Focus bool   // the person goes on at the first row
	More  string // the path of the next page, if there is one
}

// pageStart is the id in the query behind which the page begins, in the order of
// its list; none on the first page.
func pageStart(c *gin.Context, key string) uuid.UUID {
	id, _ := uuid.Parse(c.Query(key)) // anything else is the first page
	return id
}

// newListPage makes the page of rows, which were read after pageStart, and one more
// than it shows: that there is another page.
func newListPage[T any](c *gin.Context, key string, rows []T, id func(T) uuid.UUID) listPage[T] {
	p := listPage[T]{Rows: rows, Focus: pageStart(c, key) != uuid.Nil}
	if len(rows) > pageSize {
		p.Rows = rows[:pageSize]
		next := url.Values{key: {id(p.Rows[pageSize-1]).String()}}
		if search := c.Query("q"); search != "" {
			next.Set("q", search)
		}
		p.More = c.Request.URL.Path + "?" + next.Encode()
	}
	return p
}
