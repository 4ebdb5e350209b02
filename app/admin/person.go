package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
)

// recentEvents is how many events a person's page shows.
const recentEvents = 10

// ShowPerson shows what the site has about a person. It records that the operator looked.
func (h Handlers) ShowPerson(c *gin.Context) error {
	ctx := c.Request.Context()
	user, err := h.DB.UserByID(ctx, web.ID(c))
	if err != nil {
		return err
	}
	if err := h.record(c, h.DB, models.EventLooked, user, models.EventDetail{}); err != nil {
		return err
	}
	person, err := h.person(ctx, user)
	if err != nil {
		return err
	}
	person.Actions = h.actionsOn(web.Current(c).User, user)
	f := h.Frame(c, http.StatusOK)
	page := view.PersonPage(f, person)
	return web.Render(c, f, page, page)
}

// person reads what a person's page shows.
func (h Handlers) person(ctx context.Context, user *models.User) (view.Person, error) {
	p := view.Person{User: user, DeletedAt: user.DeletedAt(h.Config.UnconfirmedMax)}
	var err error
	if p.Factors, err = h.Factors(ctx, user); err != nil {
		return p, err
	}
	if p.Sessions, err = h.DB.Sessions(ctx, user.ID); err != nil {
		return p, err
	}
	if p.Memberships, err = h.DB.Memberships(ctx, user.ID); err != nil {
		return p, err
	}
	if p.Throttles, err = h.DB.Throttles(ctx, user); err != nil {
		return p, err
	}
	if p.Waiting, p.Refused, err = h.DB.MailOf(ctx, user); err != nil {
		return p, err
	}
	p.Events, err = h.DB.Events(ctx, user.ID, models.EventFilter{}, uuid.Nil, recentEvents)
	p.SignIn = signInState(p, time.Now())
	return p, err
}

// signInState says why a person can't sign in, or that nothing keeps them from it.
func signInState(p view.Person, now time.Time) view.SignIn {
	wait := models.SignInWait(p.Throttles)
	switch {
	case p.User.Disabled():
		return view.SignIn{Blocked: true, Before: "They can't sign in: the account has been disabled since ", At: p.User.DisabledAt, After: "."}
	case wait != nil && wait.Until.After(now):
		return view.SignIn{Blocked: true, Before: "They can't sign in until ", At: wait.Until, After: ", because of too many " + strings.ToLower(components.ThrottleLabel(wait.Kind)) + ". Browsers they have used before may not have to wait."}
	case !p.Factors.WayIn():
		return view.SignIn{Before: "They can sign in only by mail, with a code or a reset link: the account has no password, passkey or connected account."}
	case p.Factors.Required && !p.Factors.HasSecond():
		return view.SignIn{Before: "They can sign in, and are then led to set up the second step that is required of them."}
	}
	return view.SignIn{Before: "Nothing keeps them from signing in."}
}

// record adds to the audit log what the operator did to user, in the transaction tx. User is
// nil if it is about nobody's account.
func (h Handlers) record(c *gin.Context, tx *models.DB, kind string, user *models.User, detail models.EventDetail) error {
	return h.recordIn(c, tx, uuid.Nil, kind, user, detail)
}

// recordIn is record for what the operator did in an organization.
func (h Handlers) recordIn(c *gin.Context, tx *models.DB, organization uuid.UUID, kind string, user *models.User, detail models.EventDetail) error {
	e := web.Event(c, organization, kind, user)
	e.OperatorRole, e.Detail = web.Current(c).User.OperatorRole, detail
	return tx.Record(c.Request.Context(), e)
}
