package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type transferForm struct {
	Username string `form:"username" label:"Username of the new owner" noun:"the new owner's username" autocomplete:"off" validate:"required"`
}

func (a *App) showTransfer(c *gin.Context) {
	a.render(c, http.StatusOK, "transfer", forms.New(new(transferForm)), nil)
}

// transfer makes another member the owner instead of the person, who becomes an
// admin.
func (a *App) transfer(c *gin.Context) {
	in := new(transferForm)
	form := forms.New(in)
	if !a.bind(c, form) {
		return
	}
	if form.Valid() {
		heir, err := a.db.TransferOwnership(c.Request.Context(), current(c).Member, in.Username)
		if err == nil {
			a.record(c, models.EventOwnershipMoved, heir.User)
			a.flash(c, "transferred")
			a.redirect(c, within(c, ""))
			return
		}
		if !errors.Is(err, models.ErrNotFound) {
			a.error(c, err)
			return
		}
		form.Fail("username", "No other member has this username.")
	}
	a.render(c, http.StatusUnprocessableEntity, "transfer", form, nil)
}
