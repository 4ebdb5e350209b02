package app

import (
	"errors"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

// attempt is a thing that may be tried so often.
type attempt struct {
	key   string
	limit models.Limit
}

// limited counts the tries. When one comes too early it answers with the page
// at 429 and a sentence in its form, and returns true.
func (a *App) limited(c *gin.Context, page string, form *forms.Form, data any, tries ...attempt) bool {
	return a.limitedOn(c, form, func(c *gin.Context, status int, form *forms.Form) { a.render(c, status, page, form, data) }, tries...)
}

// limitedOn is throttled for a page whose data render reads.
func (a *App) limitedOn(c *gin.Context, form *forms.Form, render func(*gin.Context, int, *forms.Form), tries ...attempt) bool {
	err := a.attempt(c, tries...)
	if err == nil {
		return false
	}
	early := new(models.ThrottledError)
	if !errors.As(err, &early) {
		a.error(c, err)
		return true
	}
	form.Error = tooMany(c, early)
	render(c, http.StatusTooManyRequests, form)
	return true
}

// attempt counts the tries, and returns the *models.ThrottledError of the first that
// comes too early. Then none of them counts.
func (a *App) attempt(c *gin.Context, tries ...attempt) error {
	for i, t := range tries {
		if err := a.db.Attempt(c.Request.Context(), t.key, t.limit); err != nil {
			a.refund(c, tries[:i]...)
			return err
		}
	}
	return nil
}

// tooMany is the sentence about a try that came too early. It also tells the
// client, and the log.
func tooMany(c *gin.Context, early *models.ThrottledError) string {
	current(c).Log().Warn("throttled", "after", early.After)
	seconds := strconv.Itoa(int(math.Ceil(early.After.Seconds())))
	c.Header("Retry-After", seconds)
	wait := seconds + " seconds"
	if early.After > 90*time.Second {
		wait = timeUntil(time.Now().Add(early.After))
	}
	return "Too many attempts. Try again in " + wait + "."
}

// perIP is a try from the address that the request comes from. An IPv6
// address counts by its /64, which is what one household or server has.
func perIP(c *gin.Context, what string, limit models.Limit) attempt {
	address := c.ClientIP()
	if ip, err := netip.ParseAddr(address); err == nil {
		ip = ip.Unmap() // an IPv4 address may come dressed as IPv6
		address = ip.String()
		if network, err := ip.Prefix(64); err == nil && ip.Is6() {
			address = network.String()
		}
	}
	return attempt{what + " from " + address, limit}
}

// perAccount is a try of user's password. A browser from which the user has
// signed in before, which is known, counts on its own, so that strangers who
// guess do not keep the user waiting (OWASP: device cookies).
func (a *App) perAccount(c *gin.Context, user *models.User) (t attempt, known bool, err error) {
	mark, _ := c.Cookie(a.prefixed("browser"))
	browser, err := a.db.KnownBrowser(c.Request.Context(), user, mark)
	return attempt{"password of " + user.ID.String() + " by " + browser, a.config.LimitAccount}, browser != "", err
}

// resetAttempts forgets the tries before a good one.
func (a *App) resetAttempts(c *gin.Context, t attempt) {
	if t.limit == (models.Limit{}) { // nothing was counted
		return
	}
	ctx, cancel := detached(c)
	defer cancel()
	if err := a.db.ResetAttempts(ctx, t.key); err != nil {
		current(c).Log().Error("throttle not cleared", "err", err)
	}
}

// refund takes tries back that came to nothing, through no fault of the person's.
func (a *App) refund(c *gin.Context, tries ...attempt) {
	ctx, cancel := detached(c)
	defer cancel()
	for _, t := range tries {
		if t.limit == (models.Limit{}) { // nothing was counted
			continue
		}
		if err := a.db.RefundAttempt(ctx, t.key); err != nil {
			current(c).Log().Error("throttle not cleared", "err", err)
		}
	}
}
