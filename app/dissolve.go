package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type dissolveForm struct {
	Name string `form:"name" label:"Type the organization's name" noun:"the organization's name" autocomplete:"off" validate:"required"`

	organization *models.Organization
}

// Check wants the person to be sure.
func (in *dissolveForm) Check(f *forms.Form) {
	if models.Key(in.Name) != models.Key(in.organization.Name) {
		f.Fail("name", "This is not the organization's name.")
	}
}

func (a *App) showDissolve(c *gin.Context) {
	a.render(c, http.StatusOK, "dissolve", forms.New(new(dissolveForm)), nil)
}

// dissolve deletes the organization and, by the foreign keys, all that hangs on
// it.
func (a *App) dissolve(c *gin.Context) {
	m := current(c).Member
	form := forms.New(&dissolveForm{organization: m.Organization})
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "dissolve", form, nil)
		return
	}
	if err := a.db.DeleteOrganization(c.Request.Context(), m); err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventOrganizationDeleted, current(c).User)
	a.flash(c, "organization-deleted")
	a.redirect(c, "/organizations")
}
