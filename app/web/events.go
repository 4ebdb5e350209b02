package web

import (
	"context"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/templates/components"
)

// Events returns the page of the audit log that the request asks for: read finds the
// events, and row draws one. The filter has the groups to choose from, and what else the
// page filters by. Like a search, a filter is limited in time and number, as it may have to
// look at every event.
func (k *Kit) Events(c *gin.Context, chosen components.EventFilter,
	read func(ctx context.Context, db *models.DB, filter models.EventFilter, before uuid.UUID, limit int64) ([]models.Event, error),
	row func(models.Event) components.EventRow,
) (components.EventList, error) {
	chosen, filter := EventFilter(c, chosen)
	before := PageStart(c, "before")
	var events []models.Event
	err := k.Search(c, chosen.Query().Encode(), func(ctx context.Context, db *models.DB) (err error) {
		events, err = read(ctx, db, filter, before, PageSize+1)
		return err
	})
	list := components.EventList{Filter: chosen}
	kept := chosen.Query()
	if len(events) > PageSize {
		kept.Set("day", components.Day(events[PageSize-1].CreatedAt))
	}
	if IsHTMX(c) && before != uuid.Nil {
		list.Day = c.Query("day")
	}
	list.List = NewList(c, "before", events, func(e models.Event) uuid.UUID { return e.ID }, row, kept)
	return list, err
}

// EventFilter returns chosen with what the request asks to see of the audit log, and as
// models take it. It leaves out what is no choice.
func EventFilter(c *gin.Context, chosen components.EventFilter) (components.EventFilter, models.EventFilter) {
	chosen.Path = c.Request.URL.Path
	var filter models.EventFilter
	for _, g := range chosen.Groups {
		if g.Key == c.Query("kind") {
			chosen.Kind, filter.Kinds = g.Key, g.Kinds
		}
	}
	if chosen.Days = Choice(c, "days", components.EventDays()); chosen.Days != "" {
		n, _ := strconv.Atoi(chosen.Days) // a choice is a number
		filter.Since = time.Now().AddDate(0, 0, -n)
	}
	return chosen, filter
}
