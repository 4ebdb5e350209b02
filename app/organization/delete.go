package organization

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type deleteForm struct {
	Name string `form:"name" label:"Type the organization's name" noun:"the organization's name" autocomplete:"off" validate:"required"`

	organization *models.Organization
}

// Check wants the person to be sure.
func (in *deleteForm) Check(f *forms.Form) {
	if models.Key(in.Name) != models.Key(in.organization.Name) {
		f.Fail("name", "This is not the organization's name.")
	}
}

func (h Handlers) ShowDelete(c *gin.Context) error {
	return h.Render(c, http.StatusOK, "dissolve", forms.New(new(deleteForm)), nil)
}

// Delete deletes the organization and, by the foreign keys, all that hangs on
// it.
func (h Handlers) Delete(c *gin.Context) error {
	m := web.Current(c).Member
	form := forms.New(&deleteForm{organization: m.Organization})
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "dissolve", form, nil)
	}
	if err := h.DB.DeleteOrganization(c.Request.Context(), m); err != nil {
		return err
	}
	h.Record(c, models.EventOrganizationDeleted, web.Current(c).User)
	return h.RedirectWith(c, "organization-deleted", "/organizations")
}
