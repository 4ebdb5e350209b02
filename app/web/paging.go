package web

import (
	"maps"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/templates/components"
)

// PageSize is how many rows a page of a list shows.
const PageSize = 20

// PageStart returns the id in the query of the last row before the page, or the zero id
// on the first page.
func PageStart(c *gin.Context, key string) uuid.UUID {
	id, _ := uuid.Parse(c.Query(key)) // anything else is the first page
	return id
}

// Search returns the text that the list is searched for, or "".
func Search(c *gin.Context) string { return text.Printable(c.Query("q")) }

// Choice returns the value of a filter in the query if it is one of the options, or "".
func Choice(c *gin.Context, name string, options []forms.Option) string {
	value := c.Query(name)
	if slices.ContainsFunc(options, func(o forms.Option) bool { return o.Value == value }) {
		return value
	}
	return ""
}

// NewList returns a page of models, which were read after PageStart with a limit of
// PageSize+1. The extra one shows that there is a next page, whose path has the last id
// of this page under key, the text of the search, and what else is kept.
func NewList[Model, Row any](c *gin.Context, key string, models []Model, id func(Model) uuid.UUID, row func(Model) Row, kept ...url.Values) components.List[Row] {
	list := components.List[Row]{Focus: PageStart(c, key) != uuid.Nil}
	if len(models) > PageSize {
		models = models[:PageSize]
		next := components.Query(key, id(models[PageSize-1]).String(), "q", Search(c))
		for _, query := range kept {
			maps.Copy(next, query)
		}
		list.More = components.PathWith(c.Request.URL.Path, next)
	}
	list.Rows = make([]Row, 0, len(models))
	for i := range models {
		list.Rows = append(list.Rows, row(models[i]))
	}
	return list
}
