package admin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
)

// impersonation is the action by which an operator uses the site as the person. What they may
// do then is decided by [web.Kit.GuardImpersonation].
func (h Handlers) impersonation() personAction {
	means := "You see the site as they see it, for 30 minutes at most. You can't change anything, and pages that only they may use stay closed. Afterwards they get an email about it, if their address is confirmed."
	if h.Config.Impersonation == models.ImpersonationWrite {
		means = "You use the site as they do, for 30 minutes at most. What you change, you change in their name; pages that only they may use stay closed. Afterwards they get an email about it, if their address is confirmed."
	}
	return personAction{
		PersonAction: view.PersonAction{Name: "impersonate", Title: "Impersonate", Button: "Start impersonation", Impersonates: true, Means: means},
		role:         models.OperatorAdmin,
		kind:         models.EventImpersonationBegun,
		fits:         func(u *models.User) bool { return !u.Disabled() && !u.Operator() },
		act: func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, e *models.Event) error {
			writes := h.Config.Impersonation == models.ImpersonationWrite
			if e.Detail.Mode = "read-only"; writes {
				e.Detail.Mode = "with changes"
			}
			return tx.Impersonate(c.Request.Context(), web.Current(c).Session, u, writes)
		},
	}
}

// mayAct is the function mayAct for this action. By impersonation, nobody gains
// another operator's powers, or gets into an account that is disabled.
func (a personAction) mayAct(operator, user *models.User) error {
	if err := mayAct(operator, user); err != nil || !a.Impersonates || models.MayImpersonate(operator, user) {
		return err
	}
	return web.Refuse(http.StatusForbidden, "You can't impersonate them", "Operators can't use the site as another operator, or as somebody whose account is disabled. Nothing was changed.")
}

// StopImpersonation ends the operator's impersonation, and leads back to the person's page. If it
// has ended already, it leads to the operator's desk.
func (h Handlers) StopImpersonation(c *gin.Context) error {
	switch {
	case web.Current(c).Impersonation != nil:
		if err := web.EndImpersonation(c, h.DB, models.ImpersonationStopped); err != nil {
			return err
		}
		return h.AfterImpersonation(c)
	case h.Operates(c):
		return web.Redirect(c, "/admin")
	}
	return web.Fail(http.StatusNotFound)
}
