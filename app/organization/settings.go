package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type settingsForm struct {
	Name string `form:"name" label:"Name" noun:"the organization's name" autocomplete:"organization" validate:"required,max=60,wording"`
}

func newSettingsForm(c *gin.Context) (*settingsForm, *forms.Form) {
	in := &settingsForm{Name: web.Current(c).Member.Organization.Name}
	form := forms.New(in)
	form.CheckURL = web.Within(c, "/settings/check")
	return in, form
}

func (h Handlers) ShowSettings(c *gin.Context) error {
	_, form := newSettingsForm(c)
	return h.Render(c, http.StatusOK, "settings", form, nil)
}

func (h Handlers) SaveSettings(c *gin.Context) error {
	in, form := newSettingsForm(c)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "settings", form, nil)
	}
	if in.Name != web.Current(c).Member.Organization.Name {
		if err := h.DB.RenameOrganization(c.Request.Context(), web.Current(c).Member, in.Name); err != nil {
			return err
		}
		h.Record(c, models.EventOrganizationRenamed, nil)
	}
	return h.RedirectWith(c, "saved", web.Within(c, "/settings")) // the name is all over the page
}

// CheckSettings checks one field as the person leaves it.
func (h Handlers) CheckSettings(c *gin.Context) error {
	_, form := newSettingsForm(c)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	return h.CheckField(c, "settings", form)
}
