package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

func newSettings(c *gin.Context) *view.Settings {
	form := forms.New(&view.Settings{Name: web.Current(c).Member.Organization.Name})
	form.CheckURL = web.Within(c, "/settings/check")
	return form
}

// ShowSettings shows the settings of an organization.
func (h Handlers) ShowSettings(c *gin.Context) error {
	return h.renderSettings(c, http.StatusOK, newSettings(c))
}

func (h Handlers) renderSettings(c *gin.Context, status int, form *view.Settings) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.SettingsPage(f, form), view.SettingsForm(f, form))
}

// SaveSettings renames the organization.
func (h Handlers) SaveSettings(c *gin.Context) error {
	form := newSettings(c)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderSettings(c, http.StatusUnprocessableEntity, form)
	}
	if form.Name != web.Current(c).Member.Organization.Name {
		detail := &models.EventDetail{Organization: form.Name, OrganizationFrom: web.Current(c).Member.Organization.Name}
		err := h.AuditedDetail(c, models.EventOrganizationRenamed, nil, detail, func(tx *models.DB) error {
			return tx.RenameOrganization(c.Request.Context(), web.Current(c).Member, form.Name)
		})
		if err != nil {
			return err
		}
	}
	return h.RedirectWith(c, "saved", web.Within(c, "/settings")) // the name is in many places on the page
}

// CheckSettings checks one field as the user leaves it.
func (h Handlers) CheckSettings(c *gin.Context) error {
	return web.CheckField(c, &newSettings(c).Form)
}
