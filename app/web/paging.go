package web

import (
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// PageSize is how many rows of a list one page shows.
const PageSize = 20

// List is one page of a list.
type List[T any] struct {
	Rows  []T
	Focus bool   // the person goes on at the first row
	More  string // the path of the next page, if there is one
}

// PageStart is the id in the query behind which the page begins, in the order of
// its list; none on the first page.
func PageStart(c *gin.Context, key string) uuid.UUID {
	id, _ := uuid.Parse(c.Query(key)) // anything else is the first page
	return id
}

// NewList makes the page of rows, which were read after pageStart, and one more
// than it shows: that there is another page.
func NewList[T any](c *gin.Context, key string, rows []T, id func(T) uuid.UUID) List[T] {
	p := List[T]{Rows: rows, Focus: PageStart(c, key) != uuid.Nil}
	if len(rows) > PageSize {
		p.Rows = rows[:PageSize]
		next := url.Values{key: {id(p.Rows[PageSize-1]).String()}}
		if search := c.Query("q"); search != "" {
			next.Set("q", search)
		}
		p.More = c.Request.URL.Path + "?" + next.Encode()
	}
	return p
}
