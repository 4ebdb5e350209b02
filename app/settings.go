package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type settingsForm struct {
	Name string `form:"name" label:"Name" noun:"the organization's name" autocomplete:"organization" validate:"required,max=60,wording"`
}

func newSettingsForm(c *gin.Context) (*settingsForm, *forms.Form) {
	in := &settingsForm{Name: current(c).Member.Organization.Name}
	form := forms.New(in)
	form.CheckURL = within(c, "/settings/check")
	return in, form
}

func (a *App) showSettings(c *gin.Context) {
	_, form := newSettingsForm(c)
	a.render(c, http.StatusOK, "settings", form, nil)
}

func (a *App) saveSettings(c *gin.Context) {
	in, form := newSettingsForm(c)
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "settings", form, nil)
		return
	}
	if in.Name != current(c).Member.Organization.Name {
		if err := a.db.RenameOrganization(c.Request.Context(), current(c).Member, in.Name); err != nil {
			a.error(c, err)
			return
		}
		a.record(c, models.EventOrganizationRenamed, nil)
	}
	a.flash(c, "saved")
	a.redirect(c, within(c, "/settings")) // the name is all over the page
}

// checkSettings checks one field as the person leaves it.
func (a *App) checkSettings(c *gin.Context) {
	_, form := newSettingsForm(c)
	if a.bind(c, form) {
		a.checkField(c, "settings", form)
	}
}
