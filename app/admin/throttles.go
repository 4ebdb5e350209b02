package admin

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
)

// ShowThrottles lists who must wait, or what makes the person or the IP address wait that a
// search names. Looking at a person's is recorded.
func (h Handlers) ShowThrottles(c *gin.Context) error {
	throttles := view.Throttles{Path: c.Request.URL.Path, Search: web.Search(c)}
	var waits []models.Throttle
	search, err := h.waitSearch(c, throttles.Search)
	if err == nil {
		err = h.Search(c, throttles.Search, func(ctx context.Context, db *models.DB) (err error) {
			if waits, err = db.Waits(ctx, search); err != nil {
				return err
			}
			return db.NameWaits(ctx, waits)
		})
	}
	if err != nil && !errors.Is(err, models.ErrNotFound) { // of whom there is nothing to list
		return err
	}
	throttles.Focus = search.Key != ""
	if len(waits) > web.PageSize {
		waits = waits[:web.PageSize]
		last := waits[web.PageSize-1]
		throttles.More = components.PathWith(throttles.Path, components.Query("q", throttles.Search, "until", strconv.FormatInt(last.Until.UnixMicro(), 10), "key", last.Key))
	}
	for _, th := range waits {
		switch {
		case search.User != nil:
			th.User = search.User
		case search.Address != "":
			th.Address = models.ThrottleSubject(search.Address)
		}
		mayLift := th.User == nil || mayAct(web.Current(c).User, th.User) == nil
		throttles.Rows = append(throttles.Rows, view.ThrottleRow{Throttle: th, MayLift: mayLift})
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.ThrottlesPage(f, throttles), view.ThrottlesFound(throttles))
}

// waitSearch returns the search that the query asks for. It returns ErrNotFound if whose is
// nobody.
func (h Handlers) waitSearch(c *gin.Context, whose string) (models.WaitSearch, error) {
	search := models.WaitSearch{Key: c.Query("key"), Limit: web.PageSize + 1}
	until, err := strconv.ParseInt(c.Query("until"), 10, 53) // up to the year 2112
	if err != nil {
		search.Key = "" // the first page
	}
	search.Until = time.UnixMicro(until)
	if whose == "" {
		return search, nil
	}
	if _, err := netip.ParseAddr(whose); err == nil {
		search.Address = whose
		return search, nil
	}
	if search.User, err = h.DB.UserByIDOrLogin(c.Request.Context(), whose); err != nil {
		return search, err
	}
	return search, h.record(c, h.DB, models.EventLooked, search.User, models.EventDetail{})
}

// LiftThrottle asks for the reason to lift a throttle or, with a reason, lifts it and records
// that.
func (h Handlers) LiftThrottle(c *gin.Context) error {
	ctx := c.Request.Context()
	th, err := h.DB.WaitByKey(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	named := []models.Throttle{*th}
	if err := h.DB.NameWaits(ctx, named); err != nil {
		return err
	}
	user := named[0].User
	if user != nil {
		if err := mayAct(web.Current(c).User, user); err != nil {
			return err
		}
	}
	r := view.Reasoned{
		Title: "Lift the throttle", About: view.Waiting(named[0]) + ": " + components.ThrottleLabel(th.Kind), Button: "Lift throttle",
		Means: "It forgets these attempts, so nobody has to wait because of them any more. What else makes the same person wait stays: their page lifts it all.",
		Path:  view.ThrottlePath(th.Key), Back: "/admin/throttles", BackTo: "the throttles",
	}
	return h.withReason(c, r, "operator-did", r.Back, func(tx *models.DB, reason string) error {
		if err := tx.LiftThrottle(ctx, th); err != nil {
			return err
		}
		return h.record(c, tx, models.EventUnlocked, user, models.EventDetail{Limit: th.Kind, Reason: reason})
	})
}
