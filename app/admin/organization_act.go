package admin

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
)

// TransferOrganization asks for the reason to make the member that the query names an owner
// or, with a reason, does so and records it.
func (h Handlers) TransferOrganization(c *gin.Context) error {
	ctx := c.Request.Context()
	o, err := h.DB.OrganizationByID(ctx, web.ID(c))
	if err != nil {
		return err
	}
	m, err := h.DB.MemberByID(ctx, o.ID, web.PageStart(c, "member"))
	if err != nil {
		return err
	}
	if m.User, err = h.DB.UserByID(ctx, m.UserID); err != nil { // with what MakeOwner checks
		return err
	}
	form, owners, err := h.newTransfer(c, o)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	render := func() error {
		return web.Render(c, f, view.TransferPage(f, m, form), view.TransferForm(m, form))
	}
	if c.Request.Method != http.MethodPost {
		return render()
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if form.Valid() {
		err = h.DB.InTx(ctx, func(tx *models.DB) error {
			if err := tx.MakeOwner(ctx, o, m.User, owners[form.From]); err != nil {
				return err
			}
			return h.recordIn(c, tx, o.ID, models.EventOwnershipTransferred, m.User, models.EventDetail{Organization: o.Name, Reason: form.Reason})
		})
		switch {
		case err == nil:
			return h.RedirectWith(c, "operator-did", view.OrganizationPath(o.ID, ""))
		case errors.As(err, new(*models.NoMemberError)):
			form.Error = "They can't become an owner: their account is disabled, or they aren't a member any more."
		case errors.Is(err, models.ErrNotAllowed):
			form.Fail("from", "They aren't an owner any more.")
		default:
			return err
		}
	}
	f = h.Frame(c, http.StatusUnprocessableEntity)
	return render()
}

// newTransfer returns the form that transfers o, and its owners by the value that chooses
// them.
func (h Handlers) newTransfer(c *gin.Context, o *models.Organization) (*view.Transfer, map[string]*models.User, error) {
	form := forms.New(new(view.Transfer))
	form.Focus = &form.Reason
	roles, err := h.DB.Roles(c.Request.Context(), o.ID)
	if err != nil {
		return nil, nil, err
	}
	members, err := h.owners(c.Request.Context(), o, roles)
	if err != nil {
		return nil, nil, err
	}
	owners := map[string]*models.User{}
	options := []forms.Option{{Label: "Nobody: all owners stay"}}
	for _, m := range members {
		if m.ID != web.PageStart(c, "member") {
			owners[m.ID.String()] = m.User
			options = append(options, forms.Option{Value: m.ID.String(), Label: m.User.FullName() + " (" + m.User.Login() + ")"})
		}
	}
	form.Offer(&form.From, options)
	return form, owners, nil
}

// DeleteOrganization asks for the reason to delete an organization or, with a reason, deletes
// it and records that.
func (h Handlers) DeleteOrganization(c *gin.Context) error {
	ctx := c.Request.Context()
	o, err := h.DB.OrganizationByID(ctx, web.ID(c))
	if err != nil {
		return err
	}
	r := view.Reasoned{
		Title: "Delete the organization", About: o.Name + " (/o/" + o.Slug + ")", Button: "Delete organization", Grave: true,
		Means: "This deletes the organization and everything in it, for all its members. This can't be undone. Nobody gets mail about it.",
		Path:  view.OrganizationPath(o.ID, "delete"), Back: view.OrganizationPath(o.ID, ""), BackTo: o.Name,
	}
	return h.withReason(c, r, "operator-did", "/admin/organizations", func(tx *models.DB, reason string) error {
		if err := tx.RemoveOrganization(ctx, o); err != nil {
			return err
		}
		return h.recordIn(c, tx, o.ID, models.EventOrganizationDeleted, nil, models.EventDetail{Organization: o.Name, Reason: reason})
	})
}
