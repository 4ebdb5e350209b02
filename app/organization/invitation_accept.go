package organization

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
	view "vestibule/templates/organization"
)

// ShowInvitation shows the invitation of a mailed link. A guest signs in or up first,
// and then returns here.
func (h Handlers) ShowInvitation(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	i, err := h.invitation(c, c.Query("token"))
	if err != nil {
		return err
	}
	form := forms.New(&view.AcceptInvitation{Token: c.Query("token")})
	here := invitationPath(form.Token)
	signUp := layouts.WithNext("/sign-up", here) + "&" + url.Values{"token": {form.Token}}.Encode()
	f := h.Frame(c, http.StatusOK)
	page := view.AcceptInvitationPage(f, form, i, here, layouts.WithNext("/sign-in", here), signUp)
	return web.Render(c, f, page, page)
}

func invitationPath(token string) string {
	return "/invitation?" + url.Values{"token": {token}}.Encode()
}

// AcceptInvitation makes the user a member.
func (h Handlers) AcceptInvitation(c *gin.Context) error {
	form := forms.New(new(view.AcceptInvitation))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	here := invitationPath(form.Token)
	user := web.Current(c).User
	if user == nil {
		return web.Redirect(c, layouts.WithNext("/sign-in", here))
	}
	i, err := h.invitation(c, form.Token)
	if err != nil {
		return err
	}
	err = h.join(c, i, user)
	if errors.Is(err, models.ErrNotAllowed) {
		return web.Redirect(c, here) // the page says why
	}
	return err
}

// AcceptWaitingInvitation makes the user a member without the link, by the invitation's
// row on the dashboard.
func (h Handlers) AcceptWaitingInvitation(c *gin.Context) error {
	i, err := h.waitingInvitation(c)
	if err != nil {
		return err
	}
	return h.join(c, i, web.Current(c).User)
}

// DeclineInvitation deletes an invitation, by its row on the dashboard.
func (h Handlers) DeclineInvitation(c *gin.Context) error {
	i, err := h.waitingInvitation(c)
	if err != nil {
		return err
	}
	user := web.Current(c).User
	err = h.Audited(c, models.EventInvitationDeclined, user, func(tx *models.DB) error {
		return tx.DeclineInvitation(c.Request.Context(), user, i)
	})
	if errors.Is(err, models.ErrNotFound) {
		return goneInvitation(c)
	}
	if err != nil {
		return err
	}
	return h.RespondToast(c, http.StatusOK, "declined", layouts.Home)
}

// waitingInvitation finds the invitation in the path, if it is to the user.
func (h Handlers) waitingInvitation(c *gin.Context) (*models.Invitation, error) {
	i, err := h.DB.InvitationFor(c.Request.Context(), web.Current(c).User, web.ID(c))
	if errors.Is(err, models.ErrNotFound) {
		return nil, goneInvitation(c)
	}
	return i, err
}

// join accepts the invitation and leads to the organization. It returns
// models.ErrNotAllowed if the invitation isn't for the user or proves nothing.
func (h Handlers) join(c *gin.Context, i *models.Invitation, user *models.User) error {
	ctx := c.Request.Context()
	err := h.DB.InTx(ctx, func(tx *models.DB) error {
		_, err := tx.MembershipBySlug(ctx, i.Organization.Slug, user.ID)
		joins := errors.Is(err, models.ErrNotFound) // otherwise nothing happens
		if err != nil && !joins {
			return err
		}
		if err := tx.AcceptInvitation(ctx, i, user); err != nil {
			return err
		}
		if !user.Verified() {
			if err := web.RecordDetail(c, tx, uuid.Nil, models.EventEmailConfirmed, user, models.EventDetail{Email: user.Email}); err != nil {
				return err
			}
		}
		if !joins {
			return nil
		}
		detail := models.EventDetail{Organization: i.Organization.Name, Role: i.Role.Name}
		return web.RecordDetail(c, tx, i.OrganizationID, models.EventMemberJoined, user, detail)
	})
	full := new(models.FullError)
	switch {
	case errors.As(err, &full):
		return web.Refuse(http.StatusConflict, "Too many organizations", fmt.Sprintf("You can be a member of up to %d organizations. Leave one, then try again.", full.Most))
	case errors.Is(err, models.ErrNotFound):
		return goneInvitation(c)
	case err != nil:
		return err
	default:
		return h.RedirectWith(c, "joined", layouts.OrganizationPath(i.Organization, ""))
	}
}

// invitation returns the invitation of a link, or a [web.Refusal] if it was used or
// revoked, has expired or is wrong.
func (h Handlers) invitation(c *gin.Context, secret string) (*models.Invitation, error) {
	i, err := h.DB.InvitationBySecret(c.Request.Context(), secret)
	if errors.Is(err, models.ErrNotFound) {
		err = goneInvitation(c)
	}
	return i, err
}

// goneInvitation returns the [web.Refusal] for an invitation that no longer works.
// Those that do are on the dashboard.
func goneInvitation(c *gin.Context) error {
	const text = "Ask whoever invited you for a new one. Invitations that still work are on your dashboard."
	if web.Current(c).User == nil {
		return web.Gone(text, components.ButtonLink("/sign-in", "Sign in"))
	}
	return web.Gone(text, nil)
}
