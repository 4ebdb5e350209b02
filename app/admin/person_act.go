package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
)

// personAction is what an operator does to a person: on a page of its own, with a reason.
type personAction struct {
	view.PersonAction
	role models.OperatorRole // the least that it takes
	kind string              // of its event

	// fits reports whether it makes sense for the person now.
	fits func(u *models.User) bool
	// act does it in a transaction. It may fill in the event, and fail a field of the form.
	act func(c *gin.Context, tx *models.DB, u *models.User, form *view.Act, e *models.Event) error
}

// personActions lists what operators do to people, and who may.
func (h Handlers) personActions() []personAction {
	const support, admin = models.OperatorSupport, models.OperatorAdmin
	always := func(*models.User) bool { return true }
	enabled := func(u *models.User) bool { return !u.Disabled() }
	actions := []personAction{
		{view.PersonAction{Name: "end-sessions", Title: "End all sessions", Button: "End sessions", Means: "They're signed out everywhere, and can sign in again."},
			support, models.EventAllEnded, always,
			func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, e *models.Event) (err error) {
				e.Detail.Count, err = tx.DeleteSessions(c.Request.Context(), u.ID, uuid.Nil)
				return err
			}},
		{view.PersonAction{Name: "unlock", Title: "Lift throttles", Button: "Lift throttles", Means: "It forgets the attempts at their account and with their email address, so they don't have to wait any more."},
			support, models.EventUnlocked, always,
			func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, _ *models.Event) error {
				return tx.LiftThrottles(c.Request.Context(), u)
			}},
		{view.PersonAction{Name: "send-reset", Title: "Send a reset link", Button: "Send reset link", Means: "They get a link to choose a new password, at the address of their account. You don't see it."},
			support, models.EventResetSent, enabled,
			func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, _ *models.Event) error {
				return tx.QueueMail(c.Request.Context(), models.Mail{Kind: models.MailResetPassword, Recipient: u.Email, UserID: u.ID})
			}},
		{view.PersonAction{Name: "send-confirmation", Title: "Send a confirmation link", Button: "Send confirmation link", Means: "They get a link to confirm the address of their account. You don't see it."},
			support, models.EventConfirmationSent, func(u *models.User) bool { return enabled(u) && !u.Verified() },
			func(c *gin.Context, tx *models.DB, u *models.User, form *view.Act, _ *models.Event) error {
				err := tx.ResendVerification(c.Request.Context(), u)
				if errors.Is(err, models.ErrTooSoon) {
					form.Error = "They were sent a link a moment ago. Try again in a minute."
				}
				return err
			}},
		{view.PersonAction{Name: "email", Title: "Correct the email address", Button: "Send link to new address", Email: true,
			Means: "The new address gets a link. The account has that address once they open it while signed in, or with their password, so nobody gains the account by it. The old address is told then."},
			admin, models.EventEmailRequested, enabled,
			func(c *gin.Context, tx *models.DB, u *models.User, form *view.Act, e *models.Event) error {
				taken, err := tx.Taken(c.Request.Context(), u.ID, "", form.Email)
				if err != nil {
					return err
				}
				if len(taken) > 0 {
					form.Fail("email", "Another account has this address.")
					return errFailed
				}
				e.Detail.Email = form.Email
				return tx.RequestEmail(c.Request.Context(), u, form.Email)
			}},
		{view.PersonAction{Name: "own", Title: "Make owner of an organization", Button: "Make owner", Organization: true, Means: "They become an owner beside those whom the organization has. Its members see it among its activity."},
			admin, models.EventOwnershipTransferred, enabled,
			func(c *gin.Context, tx *models.DB, u *models.User, form *view.Act, e *models.Event) error {
				o, err := tx.OrganizationBySlug(c.Request.Context(), form.Organization)
				if err == nil {
					e.OrganizationID, e.Detail.Organization = o.ID, o.Name
					err = tx.MakeOwner(c.Request.Context(), o, u, nil)
				}
				if errors.Is(err, models.ErrNotFound) || errors.As(err, new(*models.NoMemberError)) {
					form.Fail("organization", "They aren't a member of this organization.")
					return errFailed
				}
				return err
			}},
		{view.PersonAction{Name: "export", Title: "Export their data", Button: "Download data", Download: true, Means: "A JSON file with everything the site stores about them, as they can download it themselves."},
			admin, models.EventExported, always,
			func(*gin.Context, *models.DB, *models.User, *view.Act, *models.Event) error { return nil }},
		{view.PersonAction{Name: "reset-factors", Title: "Remove every second factor", Button: "Remove factors", Grave: true,
			Means: "It removes their passkeys, authenticator apps and recovery codes. Afterwards the password alone signs them in, or a mailed link if they have none, so be sure that it's really them who asks. They get an email."},
			admin, models.EventFactorsReset, always,
			func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, _ *models.Event) error {
				return tx.ResetFactors(c.Request.Context(), u)
			}},
		{view.PersonAction{Name: "disable", Title: "Disable the account", Button: "Disable account", Grave: true, Means: "They're signed out everywhere, and can't sign in until an operator enables the account again."},
			admin, models.EventDisabled, enabled,
			func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, _ *models.Event) error {
				return tx.DisableUser(c.Request.Context(), u)
			}},
		{view.PersonAction{Name: "enable", Title: "Enable the account", Button: "Enable account", Means: "They can sign in again."},
			admin, models.EventEnabled, (*models.User).Disabled,
			func(c *gin.Context, tx *models.DB, u *models.User, _ *view.Act, _ *models.Event) error {
				return tx.EnableUser(c.Request.Context(), u)
			}},
		{view.PersonAction{Name: "delete", Title: "Delete the account", Button: "Delete account", Grave: true, Deletes: true,
			Means: "This deletes the account, everything in it and the organizations that have no other member. This can't be undone. They get an email."},
			admin, models.EventDeleted, always,
			func(c *gin.Context, tx *models.DB, u *models.User, form *view.Act, _ *models.Event) error {
				if len(form.DeleteOrganizations) > 0 {
					if _, err := tx.DeleteOwned(c.Request.Context(), u); err != nil {
						return err
					}
				}
				err := tx.DeleteUser(c.Request.Context(), u)
				if last := new(models.LastOwnerError); errors.As(err, &last) {
					form.Error = "They're the only owner of " + last.Organization.Name + ", which has other members. Make another member an owner first, or delete it too."
				}
				return err
			}},
	}
	if h.Config.Impersonation != models.ImpersonationOff {
		actions = append([]personAction{h.impersonation()}, actions...)
	}
	return actions
}

// errFailed means that a field of the form is wrong.
var errFailed = errors.New("a field is wrong")

// PersonRoutes adds the actions on a person to the operator's pages: those of personActions,
// each for its role.
func (h Handlers) PersonRoutes(operators web.Routes) {
	h.AddToasts(components.Good, map[string]string{"operator-did": "Done and recorded"})
	admins := operators.Group("", h.AdminsOnly)
	for _, a := range h.personActions() {
		group := operators
		if a.role == models.OperatorAdmin {
			group = admins
		}
		path := "/people/:id/" + a.Name
		group.GET(path, func(c *gin.Context) error { return h.askToAct(c, a) })
		group.POST(path, func(c *gin.Context) error { return h.act(c, a) })
	}
}

// mayAct returns the refusal of what the operator may not do to user at all: lock themselves
// out, or, as support, act on another operator.
func mayAct(operator, user *models.User) error {
	switch {
	case user.ID == operator.ID:
		return web.Refuse(http.StatusForbidden, "This is your own account", "Operators can't do this to themselves here. Nothing was changed. Use the pages of your account, or ask another operator.")
	case user.Operator() && operator.OperatorRole != models.OperatorAdmin:
		return web.Refuse(http.StatusForbidden, "Your role doesn't allow this", "They're an operator, too. Only operators with the role Admin can do this. Nothing was changed.")
	}
	return nil
}

// actionsOn lists the actions that the operator may take on user now.
func (h Handlers) actionsOn(operator, user *models.User) (actions []view.PersonAction) {
	if mayAct(operator, user) != nil {
		return nil
	}
	for _, a := range h.personActions() {
		if a.fits(user) && (a.role == models.OperatorSupport || operator.OperatorRole == models.OperatorAdmin) {
			actions = append(actions, a.PersonAction)
		}
	}
	return actions
}

// newAct returns the form of an action on user.
func (h Handlers) newAct(ctx context.Context, a personAction, user *models.User) (*view.Act, error) {
	form := forms.New(new(view.Act))
	if !a.Email {
		form.Omit(&form.Email)
	}
	if a.Organization {
		memberships, err := h.DB.Memberships(ctx, user.ID)
		if err != nil {
			return nil, err
		}
		options := []forms.Option{}
		for _, m := range memberships {
			if m.Role.Kind != models.RoleOwner {
				options = append(options, forms.Option{Value: m.Organization.Slug, Label: m.Organization.Name + " (/o/" + m.Organization.Slug + ")"})
			}
		}
		form.Offer(&form.Organization, options)
		form.NoOrganization = len(options) == 0
	} else {
		form.Omit(&form.Organization)
	}
	left, err := h.DB.LeftWithoutOwner(ctx, user)
	if err != nil {
		return nil, err
	}
	form.Left = left
	if a.Deletes && len(left) > 0 {
		form.Offer(&form.DeleteOrganizations, []forms.Option{{Value: "yes", Label: "Delete these organizations for all their members"}})
	} else {
		form.Omit(&form.DeleteOrganizations)
	}
	form.FocusFirst()
	return form, nil
}

// askToAct shows what an action does, and the form that asks for the reason.
func (h Handlers) askToAct(c *gin.Context, a personAction) error {
	user, err := h.DB.UserByID(c.Request.Context(), web.ID(c))
	if err != nil {
		return err
	}
	if err := a.mayAct(web.Current(c).User, user); err != nil {
		return err
	}
	form, err := h.newAct(c.Request.Context(), a, user)
	if err != nil {
		return err
	}
	return h.renderAct(c, http.StatusOK, a, user, form)
}

func (h Handlers) renderAct(c *gin.Context, status int, a personAction, user *models.User, form *view.Act) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.ActPage(f, user, a.PersonAction, form), view.ActForm(f, user, a.PersonAction, form))
}

// act takes an action and records it with its reason, or does neither.
func (h Handlers) act(c *gin.Context, a personAction) error {
	ctx := c.Request.Context()
	operator := web.Current(c).User
	user, err := h.DB.UserByID(ctx, web.ID(c))
	if err != nil {
		return err
	}
	if err := a.mayAct(operator, user); err != nil {
		return err
	}
	form, err := h.newAct(ctx, a, user)
	if err != nil {
		return err
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if a.Email && form.Valid() {
		h.FailUnreachable(ctx, &form.Form)
	}
	if !form.Valid() {
		return h.renderAct(c, http.StatusUnprocessableEntity, a, user, form)
	}
	err = h.DB.InTx(ctx, func(tx *models.DB) error {
		if user, err = tx.UserByID(ctx, user.ID); err != nil {
			return err
		}
		if err := a.mayAct(operator, user); err != nil {
			return err
		}
		if !a.fits(user) {
			return models.ErrChanged
		}
		e := web.Event(c, uuid.Nil, a.kind, user)
		e.OperatorRole, e.Detail.Reason = operator.OperatorRole, form.Reason
		if err := a.act(c, tx, user, form, &e); err != nil {
			return err
		}
		return tx.Record(ctx, e)
	})
	switch {
	case err != nil && !form.Valid():
		return h.renderAct(c, http.StatusUnprocessableEntity, a, user, form)
	case err != nil:
		return err
	case a.Download:
		return h.SendData(c, user)
	case a.Impersonates:
		return h.RedirectWith(c, "impersonation-begun", layouts.Home)
	case a.Deletes:
		return h.RedirectWith(c, "operator-did", "/admin/people")
	}
	return h.RedirectWith(c, "operator-did", view.PersonPath(user.ID, ""))
}
