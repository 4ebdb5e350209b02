package web

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
)

// Impersonated is what operators may do on a route while they use the site as somebody else.
type Impersonated int

// The values of Impersonated. A route is closed unless its group says otherwise.
const (
	Closed Impersonated = iota
	Look                // pages open
	Change              // pages open, and forms work if the setting and the impersonation allow changes
	Leave               // works with every setting, because it ends the impersonation
)

// Impersonated returns a group of the same routes that operators may use while they use the
// site as somebody else, and so do the groups below it. Pages that ask for a password are
// closed anyway.
func (r Routes) Impersonated(may Impersonated) Routes {
	r.impersonated = may
	return r
}

// register records what operators may do on a route while they use the site as somebody else.
func (r Routes) register(method, route string) {
	r.kit.impersonated[method+" "+path.Join(r.group.BasePath(), route)] = r.impersonated
}

// impersonate makes the request that of the person whom the operator of its session
// impersonates, if that is still allowed. Where there are no operator's pages, the operator is
// themselves.
func (k *Kit) impersonate(c *gin.Context) {
	r := Current(c)
	i := r.Session.Impersonation
	if i == nil {
		return
	}
	allowed := k.Config.Impersonation != models.ImpersonationOff && models.MayImpersonate(r.User, i.User) && !i.Over() && k.provedAsOperator(r.Session)
	if allowed && !k.Operates(c) {
		return
	}
	if allowed {
		r.Operator, r.User = r.User, i.User
	}
	r.Impersonation = i
	r.log = r.log.With("user_id", i.UserID.String(), "operator_id", i.OperatorID.String())
}

// provedAsOperator reports whether s has the second factor that the operator's pages require.
func (k *Kit) provedAsOperator(s *models.Session) bool {
	return !k.Config.AdminSecondFactor || s.HasSecondFactor(false)
}

// GuardImpersonation is middleware that refuses what an operator may not do while they use the
// site as somebody else. Put it before whatever acts for the user.
func (k *Kit) GuardImpersonation(c *gin.Context) error {
	r, route := Current(c), c.FullPath()
	if r.Impersonation == nil || route == "" { // an unknown page
		return nil
	}
	may := k.impersonated[c.Request.Method+" "+route]
	switch {
	case may == Leave:
		return k.dropOwner(c)
	case r.Operator == nil:
		return k.impersonationOver(c)
	case strings.HasPrefix(route, "/admin"):
		return Fail(http.StatusNotFound)
	case may == Closed:
		return ClosedToOperators()
	case c.Request.Method == http.MethodGet:
		return nil
	case may != Change || !k.mayChange(r):
		return Refuse(http.StatusForbidden, "Not while you impersonate", "You're using the site as somebody else and can't change this, so nothing was changed.")
	}
	if err := k.refuseOthersForm(c); err != nil || IsCheck(c) {
		return err
	}
	// Not everything that changes is audited, and what happens to an organization isn't
	// among the person's own activity.
	e := Event(c, uuid.Nil, models.EventFormSent, r.User)
	e.Detail.Form = route
	return k.DB.Record(c.Request.Context(), e)
}

// ClosedToOperators returns the [Refusal] of what is a person's alone.
func ClosedToOperators() error {
	return Refuse(http.StatusForbidden, "Closed while you impersonate", "Only the person can use this. Stop impersonating to go on as yourself.")
}

// mayChange reports whether the request may change what isn't sensitive.
func (k *Kit) mayChange(r *Request) bool {
	return r.Impersonation.Writes && k.Config.Impersonation == models.ImpersonationWrite
}

// dropOwner lets the request that ends an impersonation pass, for whomever its form was drawn: it
// signs nobody in and asks for nothing.
func (k *Kit) dropOwner(c *gin.Context) error {
	if err := ReadForm(c); err != nil {
		return err
	}
	for _, field := range []string{components.OwnerField, LoginField} {
		c.Request.PostForm.Del(field)
	}
	return nil
}

// refuseOthersForm refuses a form that was drawn for the operator, or signs somebody in.
func (k *Kit) refuseOthersForm(c *gin.Context) error {
	if err := ReadForm(c); err != nil {
		return err
	}
	owner := components.ParseOwner(c.Request.PostForm.Get(components.OwnerField))
	if c.Request.PostForm.Has(LoginField) || owner.ID != uuid.Nil && owner.ID != Current(c).User.ID {
		return Refuse(http.StatusConflict, "This form is somebody else's", "You're impersonating another person now, so nothing was changed. Stop impersonating, then try again.")
	}
	return nil
}

// impersonationOver ends an impersonation whose time is up, or that isn't allowed any more. The
// request was made in the belief that it lasts, so it does nothing.
func (k *Kit) impersonationOver(c *gin.Context) error {
	err := EndImpersonation(c, k.DB, models.ImpersonationRevoked)
	switch get := c.Request.Method == http.MethodGet; {
	case get && err != nil:
		return err
	case get:
		return k.AfterImpersonation(c)
	case err != nil: // the next request ends it; to offer this one again would send it as the operator
		Current(c).Log().Error("impersonation not ended", "err", err)
	}
	return Refuse(http.StatusConflict, "Impersonation ended", "You're yourself again, so nothing was changed.")
}

// AfterImpersonation leads back to the person's page, or to the dashboard if the sender is no
// longer an operator.
func (k *Kit) AfterImpersonation(c *gin.Context) error {
	on := layouts.Home
	if k.Operates(c) {
		on = view.PersonPath(Current(c).Impersonation.UserID, "")
	}
	return k.RedirectWith(c, "impersonation-over", on)
}

// EndImpersonation ends the impersonation of the session in the transaction tx, and records and
// tells how it ended. The rest of the request is the operator's own. It does nothing if it has
// ended already.
func EndImpersonation(c *gin.Context, tx *models.DB, end string) error {
	r := Current(c)
	err := tx.EndImpersonation(c.Request.Context(), r.Session.Impersonation, end, Event(c, uuid.Nil, "", nil))
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return err
	}
	if r.Operator != nil {
		r.User, r.Operator = r.Operator, nil
	}
	return nil
}
