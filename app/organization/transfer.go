package organization

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

// ShowTransfer shows the form that transfers ownership to another member.
func (h Handlers) ShowTransfer(c *gin.Context) error {
	return h.renderTransfer(c, http.StatusOK, h.newTransfer())
}

func (h Handlers) newTransfer() *view.Transfer {
	form := forms.New(new(view.Transfer))
	switch h.Config.Naming.Usernames {
	case models.UsernamesOptional:
		form.Rename(&form.Username, "New owner's email or username", "the new owner's email address or username")
	case models.UsernamesOff:
		form.Rename(&form.Username, "New owner's email address", "the new owner's email address")
	}
	return form
}

func (h Handlers) noOtherMember() string {
	switch h.Config.Naming.Usernames {
	case models.UsernamesOptional:
		return "No other member has this email address or username."
	case models.UsernamesOff:
		return "No other member has this email address."
	}
	return "No other member has this username."
}

// renderTransfer offers the new owners once the form is bound, so any spelling of a
// username or an email address counts.
func (h Handlers) renderTransfer(c *gin.Context, status int, form *view.Transfer) error {
	members, err := h.DB.NewOwners(c.Request.Context(), web.Current(c).Member, view.MaxNewOwners+1)
	if err != nil {
		return err
	}
	form.OfferMembers(members)
	f := h.Frame(c, status)
	return web.Render(c, f, view.TransferPage(f, form), view.TransferForm(f, form))
}

// Transfer makes another member the owner in place of the user, who becomes an admin.
func (h Handlers) Transfer(c *gin.Context) error {
	form := h.newTransfer()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if form.Valid() {
		err := h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
			newOwner, err := tx.TransferOwnership(c.Request.Context(), web.Current(c).Member, form.Username)
			if err != nil {
				return err
			}
			o := web.Current(c).Member.Organization
			return web.RecordDetail(c, tx, o.ID, models.EventOwnershipTransferred, newOwner.User, models.EventDetail{Organization: o.Name})
		})
		if err == nil {
			return h.RedirectWith(c, "transferred", web.Within(c, ""))
		}
		if !errors.Is(err, models.ErrNotFound) {
			return err
		}
		form.Fail("username", h.noOtherMember())
	}
	return h.renderTransfer(c, http.StatusUnprocessableEntity, form)
}
