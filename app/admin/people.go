package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
)

// maxFound is how many people a search by text shows.
const maxFound = 50

// ShowPeople lists the people of the site, or those that a search finds.
func (h Handlers) ShowPeople(c *gin.Context) error {
	people := view.People{Path: c.Request.URL.Path, Search: web.Search(c), State: web.Choice(c, "state", view.PeopleStates()), Seen: web.Choice(c, "seen", view.PeopleSeen())}
	search := models.PeopleSearch{Text: people.Search, State: models.PeopleState(people.State), Before: web.PageStart(c, "before"), Limit: web.PageSize + 1}
	if days, err := strconv.Atoi(people.Seen); err == nil {
		if since := time.Now().AddDate(0, 0, -max(days, -days)); days > 0 {
			search.Since = since
		} else {
			search.Unseen = since
		}
	}
	if people.Search != "" {
		search.Limit = maxFound + 1
	}
	var users []models.User
	var seen map[uuid.UUID]time.Time
	err := h.Search(c, people.Search+people.State+people.Seen, func(ctx context.Context, db *models.DB) (err error) {
		if users, err = db.People(ctx, search); err != nil {
			return err
		}
		seen, err = db.LastSeen(ctx, users)
		return err
	})
	if err != nil {
		return err
	}
	row := func(u models.User) view.PersonRow { return view.PersonRow{User: u, LastSeen: seen[u.ID]} }
	people.List, people.Cut = listOrFound(c, users, func(u models.User) uuid.UUID { return u.ID }, row, people.Query())
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.PeoplePage(f, people), view.PeopleFound(people))
}

// listOrFound returns a page of the newest models or, if the request is a search, the first
// maxFound results. It reports whether the search found more.
func listOrFound[Model, Row any](c *gin.Context, models []Model, id func(Model) uuid.UUID, row func(Model) Row, kept ...url.Values) (list components.List[Row], cut bool) {
	if web.Search(c) == "" {
		return web.NewList(c, "before", models, id, row, kept...), false
	}
	for _, m := range models[:min(len(models), maxFound)] {
		list.Rows = append(list.Rows, row(m))
	}
	return list, len(models) > maxFound
}
