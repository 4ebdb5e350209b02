package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

// ShowDelete shows the form that deletes the organization.
func (h Handlers) ShowDelete(c *gin.Context) error {
	return h.renderDelete(c, http.StatusOK, forms.New(new(view.Delete)))
}

func (h Handlers) renderDelete(c *gin.Context, status int, form *view.Delete) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.DeletePage(f, form), view.DeleteForm(f, form))
}

// Delete deletes the organization and, by foreign keys, everything that belongs to it.
func (h Handlers) Delete(c *gin.Context) error {
	m := web.Current(c).Member
	form := forms.New(new(view.Delete))
	form.Check = func() {
		if models.Key(form.Name) != models.Key(m.Organization.Name) {
			form.Fail("name", "That isn't the organization's name.")
		}
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderDelete(c, http.StatusUnprocessableEntity, form)
	}
	detail := &models.EventDetail{Organization: m.Organization.Name}
	err := h.AuditedDetail(c, models.EventOrganizationDeleted, web.Current(c).User, detail, func(tx *models.DB) error {
		return tx.DeleteOrganization(c.Request.Context(), m)
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "organization-deleted", "/organizations")
}
