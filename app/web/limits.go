package web

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
	"vestibule/templates/components"
)

// Attempt is an action with a rate limit.
type Attempt struct {
	key   string
	limit models.Limit
	rate  models.Rate
}

// NewAttempt returns an attempt that is counted under key: what is limited, one of the
// words of, from, to, by, in and for, and whose attempts are counted, such as "sign-in
// from ADDRESS". The log says both, and operators find the throttle by them. They read the
// words of [components.ThrottleLabel] for what is limited.
func NewAttempt(key string, limit models.Limit) Attempt { return Attempt{key: key, limit: limit} }

// Limited counts the attempts. If one is too early, it sets form's error and reports
// true; the caller answers with status 429.
func (k *Kit) Limited(c *gin.Context, form *forms.Form, attempts ...Attempt) (bool, error) {
	return FailLimited(c, form, k.Attempt(c, attempts...))
}

// FailLimited is Limited for the error of [Kit.Attempt].
func FailLimited(c *gin.Context, form *forms.Form, err error) (bool, error) {
	early := new(models.ThrottledError)
	if !errors.As(err, &early) {
		return false, err
	}
	form.Error = TooMany(c, early)
	form.Wait = c.Writer.Header().Get("Retry-After")
	return true, nil
}

// Attempt counts the attempts. If one is too early, it returns a
// *models.ThrottledError for the first such attempt, and counts none of them.
func (k *Kit) Attempt(c *gin.Context, attempts ...Attempt) error {
	for i, a := range attempts {
		err := k.DB.Attempt(c.Request.Context(), a.key, a.limit)
		if err == nil {
			_, err = k.DB.AttemptAtRate(c.Request.Context(), a.key, a.rate)
		}
		if err != nil {
			k.Refund(c, attempts[:i]...)
			if early := new(models.ThrottledError); errors.As(err, &early) {
				k.Metrics.Throttled(early.Kind)
				if early.First {
					k.recordThrottled(c, attempts)
				}
			}
			return err
		}
	}
	return nil
}

// recordThrottled adds to the audit log that the user of the attempts must wait. It is
// called once for each wait, so that nobody can fill the log.
func (k *Kit) recordThrottled(c *gin.Context, attempts []Attempt) {
	user := Current(c).User // unless the attempts are at another account
	for _, a := range attempts {
		found, err := k.DB.UserOfThrottle(c.Request.Context(), a.key)
		switch {
		case err == nil:
			user = found
		case !errors.Is(err, models.ErrNotFound) && !ClientGone(c):
			Current(c).Log().Error("user of a throttle not read", "err", err)
		}
	}
	k.RecordAttempt(c, models.EventThrottled, user)
}

// TooMany returns the error for an attempt that was too early. It also sets Retry-After
// and writes a log line.
func TooMany(c *gin.Context, early *models.ThrottledError) string {
	return "Too many attempts. " + tryAgain(c, early)
}

// tryAgain says when. It sets Retry-After and writes a log line.
func tryAgain(c *gin.Context, early *models.ThrottledError) string {
	log := Current(c).Log().With("limit", early.Kind, "wait_ms", early.After.Milliseconds())
	if _, err := uuid.Parse(early.Subject); err == nil {
		log = log.With("account", early.Subject)
	} else if early.Subject != "" && !strings.Contains(early.Subject, "@") { // the log names no recipient of mail
		log = log.With("address", early.Subject)
	}
	log.Warn("throttled")
	seconds := strconv.Itoa(int(math.Ceil(early.After.Seconds())))
	c.Header("Retry-After", seconds)
	wait := seconds + " seconds"
	if seconds == "1" {
		wait = "1 second"
	}
	if early.After > 90*time.Second {
		wait = components.TimeUntil(time.Now().Add(early.After))
	}
	return "Try again in " + wait + "."
}

// PerIP is an attempt from the IP address of the request. An IPv6 address counts by its
// /64. An attempt from an unknown address isn't counted: it would count for everybody.
func PerIP(c *gin.Context, what string, limit models.Limit) Attempt {
	if Current(c).AddressUnknown {
		return Attempt{}
	}
	return NewAttempt(what+" from "+models.ThrottleSubject(c.ClientIP()), limit)
}

// PerAccount is an attempt at what keeps user's account: the "password" or a "security
// code". A known browser, from which the user has
// signed in before, counts separately, so strangers who guess can't lock the user out
// (OWASP: device cookies).
func (k *Kit) PerAccount(c *gin.Context, what string, user *models.User) (a Attempt, known bool, err error) {
	browser, err := k.DB.KnownBrowser(c.Request.Context(), user, k.Cookie(c, browserCookie))
	return NewAttempt(what+" of "+user.ID.String()+" by "+browser, k.Config.LimitAccount), browser != "", err
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
			Current(c).Log().Error("attempt not refunded", "err", err)
		}
	}
}

// EnumerationLimit is an attempt that could reveal who has an account. It counts for the
// user: others at the same address must not keep them from changing their profile.
func (k *Kit) EnumerationLimit(c *gin.Context) Attempt {
	if u := Current(c).Sender(); u != nil {
		return NewAttempt("check by "+u.ID.String(), k.Config.LimitCheck)
	}
	return PerIP(c, "check", k.Config.LimitCheck)
}

// LimitWrites is middleware that limits how many changes a user makes in a minute. Beyond
// a quarter of them, which no person reaches, each waits a moment, so that a program that
// sends forms as fast as it can takes little from others. It doesn't count the checks of
// single fields, whose paths end in "/check". Put it after SignedInOnly.
func (k *Kit) LimitWrites(c *gin.Context) error {
	if c.Request.Method != http.MethodPost || strings.HasSuffix(c.FullPath(), "/check") {
		return nil
	}
	write := k.Write(Current(c).Sender())
	n, err := k.DB.AttemptAtRate(c.Request.Context(), write.key, write.rate)
	early := new(models.ThrottledError)
	if !errors.As(err, &early) {
		if n > int64(write.rate)/4 {
			holdBack(c)
		}
		return err
	}
	k.Metrics.Throttled(early.Kind)
	return Refuse(http.StatusTooManyRequests, "Too many changes", "You've made a lot of changes in the last minute. "+tryAgain(c, early))
}

// Write is a change that user makes.
func (k *Kit) Write(user *models.User) Attempt {
	return Attempt{key: "writes of " + user.ID.String(), rate: k.Config.LimitWrites}
}

// delay is how long the answer to someone who asks too often waits.
const delay = 100 * time.Millisecond

// holdBack waits, or until the client is gone. A person doesn't notice. Someone who asks
// too often is slowed to ten requests a second per connection, so even refusals take
// nothing from others.
func holdBack(c *gin.Context) {
	select {
	case <-time.After(delay):
	case <-c.Request.Context().Done():
	}
}

// Full reports whether err is a *models.FullError. If so, it sets form's error to
// sentence, with the number in place of %s.
func Full(form *forms.Form, err error, sentence string) bool {
	full := new(models.FullError)
	if !errors.As(err, &full) {
		return false
	}
	form.Error = strings.ReplaceAll(sentence, "%s", humanize.Comma(int64(full.Most)))
	return true
}
