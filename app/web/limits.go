package web

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
	"vestibule/templates/components"
)

// Attempt is an action with a rate limit.
type Attempt struct {
	key   string
	limit models.Limit
}

// NewAttempt returns an attempt that is counted under key.
func NewAttempt(key string, limit models.Limit) Attempt { return Attempt{key, limit} }

// Limited counts the attempts. If one is too early, it sets form's error and reports
// true; the caller answers with status 429.
func (k *Kit) Limited(c *gin.Context, form *forms.Form, attempts ...Attempt) (bool, error) {
	err := k.Attempt(c, attempts...)
	early := new(models.ThrottledError)
	if !errors.As(err, &early) {
		return false, err
	}
	form.Error = TooMany(c, early)
	return true, nil
}

// Attempt counts the attempts. If one is too early, it returns a
// *models.ThrottledError for the first such attempt, and counts none of them.
func (k *Kit) Attempt(c *gin.Context, attempts ...Attempt) error {
	for i, a := range attempts {
		if err := k.DB.Attempt(c.Request.Context(), a.key, a.limit); err != nil {
			k.Refund(c, attempts[:i]...)
			return err
		}
	}
	return nil
}

// TooMany returns the error for an attempt that was too early. It also sets Retry-After
// and writes a log line.
func TooMany(c *gin.Context, early *models.ThrottledError) string {
	Current(c).Log().Warn("throttled", "after", early.After)
	seconds := strconv.Itoa(int(math.Ceil(early.After.Seconds())))
	c.Header("Retry-After", seconds)
	wait := seconds + " seconds"
	if early.After > 90*time.Second {
		wait = components.TimeUntil(time.Now().Add(early.After))
	}
	return "Too many attempts. Try again in " + wait + "."
}

// PerIP is an attempt from the IP address of the request. An IPv6 address counts by its
// /64, which is what one household or server has. An attempt from an unknown address
// isn't counted: it would count for everybody.
func PerIP(c *gin.Context, what string, limit models.Limit) Attempt {
	if Current(c).AddressUnknown {
		return Attempt{}
	}
	address := c.ClientIP()
	if ip, err := netip.ParseAddr(address); err == nil {
		ip = ip.Unmap() // IPv4 address mapped to IPv6
		address = ip.String()
		if network, err := ip.Prefix(64); err == nil && ip.Is6() {
			address = network.String()
		}
	}
	return Attempt{what + " from " + address, limit}
}

// PerAccount is an attempt at user's password. A known browser, from which the user has
// signed in before, counts separately, so strangers who guess can't lock the user out
// (OWASP: device cookies).
func (k *Kit) PerAccount(c *gin.Context, user *models.User) (a Attempt, known bool, err error) {
	browser, err := k.DB.KnownBrowser(c.Request.Context(), user, k.cookie(c, browserCookie))
	return Attempt{"password of " + user.ID.String() + " by " + browser, k.Config.LimitAccount}, browser != "", err
}

// ResetAttempts forgets the attempts before one that succeeded.
func (k *Kit) ResetAttempts(c *gin.Context, a Attempt) {
	if a.limit == (models.Limit{}) { // not counted
		return
	}
	ctx, cancel := Detached(c)
	defer cancel()
	if err := k.DB.ResetAttempts(ctx, a.key); err != nil {
		Current(c).Log().Error("throttle not cleared", "err", err)
	}
}

// Refund takes back attempts that failed through no fault of the user.
func (k *Kit) Refund(c *gin.Context, attempts ...Attempt) {
	ctx, cancel := Detached(c)
	defer cancel()
	for _, a := range attempts {
		if a.limit == (models.Limit{}) { // nothing was counted
			continue
		}
		if err := k.DB.RefundAttempt(ctx, a.key); err != nil {
			Current(c).Log().Error("throttle not cleared", "err", err)
		}
	}
}

// EnumerationLimit is an attempt that could reveal who has an account.
func (k *Kit) EnumerationLimit(c *gin.Context) Attempt {
	return PerIP(c, "check", k.Config.LimitCheck)
}
