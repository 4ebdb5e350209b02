package admin

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
)

// ShowOverview shows how the site is. It counts nothing that grows with the site: the days are
// counted in the background.
func (h Handlers) ShowOverview(c *gin.Context) error {
	ctx := c.Request.Context()
	o := view.Overview{Days: 30, Database: h.DB.Name()}
	if c.Query("days") == strconv.Itoa(models.CountedDays) {
		o.Days = models.CountedDays
	}
	info, _ := debug.ReadBuildInfo()
	o.Version = web.Version(info)
	var err error
	if o.Counts, err = h.DB.DailyCounts(ctx, o.Days); err != nil {
		return err
	}
	waiting, refused, err := h.DB.CountMail(ctx)
	if err != nil {
		return err
	}
	o.Waiting, o.Refused = bounded(waiting), bounded(refused)
	size, err := h.DB.Size(ctx)
	if err != nil {
		return err
	}
	o.Size = humanize.IBytes(uint64(max(0, size)))
	for _, card := range h.Cards() {
		shown, err := h.card(c, card)
		if err != nil {
			return err
		}
		o.Cards = append(o.Cards, shown)
	}
	f := h.Frame(c, http.StatusOK)
	page := view.OverviewPage(f, o)
	return web.Render(c, f, page, page)
}

// card counts what a feature shows. A count that takes too long doesn't keep the page.
func (h Handlers) card(c *gin.Context, card web.Card) (view.Card, error) {
	shown := view.Card{Title: card.Title, Path: card.Path}
	if strings.HasPrefix(card.Path, view.TablePath()) && !isAdmin(c) {
		shown.Path = ""
	}
	err := h.Search(c, card.Title, func(ctx context.Context, db *models.DB) error {
		n, err := card.Count(db, ctx)
		shown.Value = bounded(n)
		return err
	})
	if errors.Is(err, models.ErrSlowSearch) {
		shown.Value, err = "Takes too long to count", nil
	}
	return shown, err
}

// bounded writes a number that was counted up to models.MaxCount.
func bounded(n int64) string {
	if n >= models.MaxCount {
		return humanize.Comma(models.MaxCount) + " or more"
	}
	return humanize.Comma(n)
}
