package organization

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type transferForm struct {
	Username string `form:"username" label:"Username of the new owner" noun:"the new owner's username" autocomplete:"off" validate:"required"`
}

func (h Handlers) ShowTransfer(c *gin.Context) error {
	return h.Render(c, http.StatusOK, "transfer", forms.New(new(transferForm)), nil)
}

// Transfer makes another member the owner instead of the person, who becomes an
// admin.
func (h Handlers) Transfer(c *gin.Context) error {
	in := new(transferForm)
	form := forms.New(in)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if form.Valid() {
		heir, err := h.DB.TransferOwnership(c.Request.Context(), web.Current(c).Member, in.Username)
		if err == nil {
			h.Record(c, models.EventOwnershipMoved, heir.User)
			return h.RedirectWith(c, "transferred", web.Within(c, ""))
		}
		if !errors.Is(err, models.ErrNotFound) {
			return err
		}
		form.Fail("username", "No other member has this username.")
	}
	return h.Render(c, http.StatusUnprocessableEntity, "transfer", form, nil)
}
